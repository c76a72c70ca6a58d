"""Many trials of one pipeline: the undisturbed run, and those that are killed and must come to the same."""

import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.errors import RunFailed
from anabranch.testing.judging import faults_of_calls, faults_of_end, faults_of_result
from anabranch.testing.nurseries import Lane, Nursery
from anabranch.testing.trials import Trial

MOST_LANES = 8
_SECONDS = 60.0
_TIMES_AS_LONG = 20
_KILLED_AGAIN = 4
"""Every fourth run is killed once more while it is resumed."""

_MAY_DIFFER = "; if any two runs of the pipeline may differ in this, pass same="


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a point. No `kills`: the run ended before it."""

    point: int
    kills: int
    resumes: int
    repeated: int


class Campaign:
    """Use it in `with`, which runs the pipeline undisturbed.

    `first` and `second` have imported the pipeline, each with its own hashes of texts: the second resumes what the
    first has begun, as another process of a user would.
    """

    def __init__(
        self,
        root: Path,
        first: Nursery,
        second: Nursery,
        same: Callable[[Any, Any], bool] | None,
        answers: Mapping[str, object],
    ) -> None:
        self._root, self._first, self._second, self._same = root, first, second, same
        self._answers = answers
        self._reference = Trial(0, root / "undisturbed", answers)
        self._closing = ExitStack()
        self._seconds = _SECONDS
        self._expected: object = None

    def __enter__(self) -> "Campaign":
        """Raises `RunFailed` if the pipeline fails by itself, `EntryError` if it cannot be imported."""
        self._first.wait()
        self._second.wait()
        with ExitStack() as closing:
            trial, begin = closing.enter_context(self._reference), time.monotonic()
            failed = trial.live(self._first.lanes[0], None)
            while trial.is_answered():
                failed = trial.live(self._first.lanes[0], None)
            if not trial.is_over:
                why = failed or next(faults_of_end(trial.record))
                raise RunFailed(
                    f"the pipeline does not succeed when nobody disturbs it: {why}",
                    "crash_everywhere()",
                    "make it run to its end first",
                )
            trial.refuse(faults_of_end(trial.record))
            self._seconds = max(_SECONDS, _TIMES_AS_LONG * (time.monotonic() - begin))
            if self._same is not None:
                closing.enter_context(self._first.module_alike())  # for values of its classes
                self._expected = trial.loaded()
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *of_error: Any) -> None:
        self._closing.close()

    @property
    def moments(self) -> int:
        """Of the undisturbed run, in all its lives: it has several if it waits for answers."""
        return sum(account.moments for account in self._reference.accounts)

    @property
    def lanes(self) -> int:
        """How many runs at once keep this machine busy: the more, the more a run waits and sleeps."""
        share = max(self._reference.accounts[0].busy, 0.01)
        cores = os.cpu_count() or 1
        return min(MOST_LANES, max(cores, round(cores / share / 2)))

    @property
    def invocations(self) -> int:
        """The same."""
        return len(self._reference.record.state.invocations)

    def crash(self, point: int, lane: int) -> Tried:
        """Tries one point, in one lane of both nurseries. Raises `CrashViolation`."""
        with Trial(point, self._root / f"point-{point}", self._answers) as trial:
            self._live(trial, self._first.lanes[lane], point)
            to_come = point
            while not trial.is_over and not trial.deaths:  # it waits for an answer
                to_come -= trial.accounts[-1].moments
                self._live(trial, self._first.lanes[lane], to_come)
            kill_at = self._second_kill(point)
            while not trial.is_over:
                self._live(trial, self._second.lanes[lane], kill_at)
                kill_at = 0
            self._judge(trial)
            return Tried(point, len(trial.deaths), len(trial.accounts) - 1, trial.repeated)

    def _live(self, trial: Trial, lane: Lane, kill_at: int) -> None:
        """A life that is killed, or completes the run, or pauses it for an answer that there is."""
        failed = trial.live(lane, self._seconds, kill_at)
        if failed:
            raise trial.violation(failed)
        if not trial.accounts[-1].death and not trial.is_answered():
            trial.refuse(faults_of_end(trial.record))

    def _second_kill(self, point: int) -> int:
        """A later moment, the same whenever this point is tried; 0 for most points."""
        if point % _KILLED_AGAIN:
            return 0
        share = random.Random(point).random()  # noqa: S311  (it keeps no secret)
        return 1 + int(share * max(4, self.moments - point))

    def _judge(self, trial: Trial) -> None:
        reference, record = self._reference.record, trial.record
        trial.refuse(faults_of_end(record))
        if self._same is None:
            trial.refuse(faults_of_calls(reference, record), _MAY_DIFFER)
            trial.refuse(faults_of_result(reference, record), _MAY_DIFFER)
        elif not self._same(self._expected, trial.loaded()):
            raise trial.violation("same() says that the result is another one")
