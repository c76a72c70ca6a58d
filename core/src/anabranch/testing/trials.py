"""One trial: a run that is killed at its point, resumed to its end by other processes, and judged after every life."""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anabranch.authoring.runs import Run
from anabranch.engine.launching import Finished
from anabranch.errors import AnabranchError, RunFailed, RunNotFound
from anabranch.model.ids import RunId
from anabranch.testing.diaries import Account, read_diary
from anabranch.testing.forking import open_apart
from anabranch.testing.judging import (
    NOTHING,
    Record,
    faults_of_calls,
    faults_of_end,
    faults_of_life,
    faults_of_result,
    last_events,
    unfinished,
)
from anabranch.testing.nurseries import Nursery
from anabranch.testing.orders import Order
from anabranch.testing.reports import CrashViolation

_SECONDS = 60.0
_TIMES_AS_LONG = 20
_KILLED_AGAIN = 4
"""Every fourth run is killed once more while it is resumed."""


@dataclass(slots=True)
class Trial:
    """A run and its lives so far, in a folder of its own. `run` is empty as long as the journal has no run."""

    point: int
    folder: Path
    run: str = ""
    record: Record = NOTHING
    accounts: list[Account] = field(default_factory=list)

    @property
    def deaths(self) -> list[str]:
        return [account.death for account in self.accounts if account.death]

    @property
    def is_over(self) -> bool:
        return self.record.state.status == "completed" and self.record.state.end_number > 0

    def violation(self, what: str) -> CrashViolation:
        if not self.point:
            where, how = "the undisturbed run", "mend this first"
        else:
            killed = ", and then ".join(self.deaths) or "not killed yet"
            where = f"point {self.point}: killed {killed}; last events: {last_events(self.record)}"
            how = f"repeat it with points=[{self.point}]"
        return CrashViolation(what, where, f"{how}; its run is kept in {self.folder}")


class Trials:
    """All trials of one pipeline.

    `first` and `second` have imported it, each with its own hashes of texts: the second resumes what the first has
    begun, as another process of a user would.
    """

    def __init__(
        self, root: Path, first: Nursery, second: Nursery, same: Callable[[Any, Any], bool] | None
    ) -> None:
        self._root, self._first, self._second, self._same = root, first, second, same
        self._seconds: float | None = None
        self._reference = Trial(0, root / "undisturbed")
        self._expected: object = None
        self.kills = self.resumes = self.repeated = 0

    @property
    def moments(self) -> int:
        return self._reference.accounts[0].moments

    @property
    def invocations(self) -> int:
        return len(self._reference.record.state.invocations)

    def undisturbed(self) -> None:
        """The run that all others are compared with. Raises `RunFailed` if the pipeline fails by itself."""
        trial, begin = self._reference, time.monotonic()
        trial.folder.mkdir()
        status = self._live(trial, self._first)
        failure = trial.record.state.failure
        if status != 0 or failure is not None:
            what = f"{failure.type}: {failure.message}" if failure else _printed(trial, status)
            raise RunFailed(
                f"the pipeline fails when nobody disturbs it: {what}",
                "crash_everywhere()",
                "make it run to its end first",
            )
        self._refuse(trial, faults_of_end(trial.record))
        self._seconds = max(_SECONDS, _TIMES_AS_LONG * (time.monotonic() - begin))
        if self._same is not None:
            self._expected = self._loaded(trial)

    def crash(self, point: int) -> bool:
        """Tries one point; False if the run ended before it. Raises `CrashViolation`."""
        trial = Trial(point, self._root / f"point-{point}")
        trial.folder.mkdir()
        self._alive(trial, self._first, point)
        if trial.deaths:
            self._bring_to_end(trial)
        self._judge_end(trial)
        shutil.rmtree(trial.folder)
        return bool(trial.deaths)

    def _bring_to_end(self, trial: Trial) -> None:
        kill_at = 0
        if trial.point % _KILLED_AGAIN == 0:
            left = max(4, self.moments - trial.point)
            kill_at = 1 + int(random.Random(trial.point).random() * left)  # noqa: S311  (not a secret)
        while not trial.is_over:
            self.resumes += 1
            self._alive(trial, self._second, kill_at)
            kill_at = 0

    def _alive(self, trial: Trial, nursery: Nursery, kill_at: int) -> None:
        """A life that must end as it was told to."""
        status = self._live(trial, nursery, kill_at)
        if trial.accounts[-1].death:
            self.kills += 1
        elif status != 0:
            raise trial.violation(_printed(trial, status))
        elif not trial.is_over:
            self._refuse(trial, faults_of_end(trial.record))

    def _live(self, trial: Trial, nursery: Nursery, kill_at: int = 0) -> int | None:
        """A life, and the look at what it left."""
        order = Order(
            folder=str(trial.folder), life=len(trial.accounts) + 1, run=trial.run, kill_at=kill_at
        )
        status = nursery.live(order, self._seconds)
        account, before = read_diary(order.diary), trial.record
        found = trial.run or account.run
        try:
            record = _read(trial.folder, found) if found else NOTHING
        except AnabranchError as error:
            trial.accounts.append(account)
            raise trial.violation(error.what) from error
        self.repeated += unfinished(before, trial.accounts, account)
        trial.accounts.append(account)
        trial.record = record
        if record.events:
            trial.run = found or ""
        self._refuse(trial, faults_of_life(before, account, record))
        return status

    def _judge_end(self, trial: Trial) -> None:
        reference, record = self._reference.record, trial.record
        self._refuse(trial, faults_of_end(record))
        if self._same is None:
            self._refuse(trial, faults_of_calls(reference, record))
            self._refuse(trial, faults_of_result(reference, record))
        elif not self._same(self._expected, self._loaded(trial)):
            raise trial.violation("same() says that the result is another one")

    def _loaded(self, trial: Trial) -> object:
        """What the run returned. Its values may be of classes of the pipeline's module, by the name it had there."""
        with self._first.module_alike(), open_apart(str(trial.folder)) as stack:
            return Run(stack, Finished(RunId(trial.run), "completed")).load()

    @staticmethod
    def _refuse(trial: Trial, faults: Iterable[str]) -> None:
        fault = next(iter(faults), None)
        if fault is not None:
            raise trial.violation(fault)


def _read(folder: Path, run: RunId | str) -> Record:
    """What the journal has of the run by now; nothing if it was killed before it was there."""
    with open_apart(str(folder)) as stack:
        try:
            return Record.of([event for _, event in stack.journal.read(RunId(run))])
        except RunNotFound:
            return NOTHING


def _printed(trial: Trial, status: int | None) -> str:
    """Why a life failed, by what it has printed last at the left margin: that is where Python names an exception."""
    if status is None:
        return "the driver did not come to its end"
    order = Order(folder=str(trial.folder), life=len(trial.accounts))
    lines = order.printed.read_text(errors="replace").splitlines() if order.printed.exists() else []
    last = [line for line in lines if line and not line[0].isspace()][-1:]
    how = f"by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "with an error"
    return f"the driver ended {how}: {' '.join(last)}"
