"""One trial: a run in a folder of its own, with all its driver lives, looked at after each of them."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic_core import to_json

from anabranch.authoring.runs import Run
from anabranch.engine.launching import Finished
from anabranch.errors import AnabranchError, RunNotFound
from anabranch.journal.interface import Message
from anabranch.model.ids import RunId
from anabranch.stacks import Stack
from anabranch.testing.diaries import Account, read_diary
from anabranch.testing.forking import open_apart
from anabranch.testing.judging import NOTHING, Record, faults_of_life, last_events, unfinished
from anabranch.testing.nurseries import Lane
from anabranch.testing.orders import Order
from anabranch.testing.reports import CrashViolation


class Trial:
    """Use it in `with`, which makes the folder, and removes it unless a `CrashViolation` passes.

    `point` is 0 for the undisturbed run, `answers` are for its waits, by name. `record` is what the journal had at the
    end of the last life, and `accounts` what the lives say themselves.
    """

    def __init__(self, point: int, folder: Path, answers: Mapping[str, object]) -> None:
        self.point, self.folder, self._answers = point, folder, answers
        self.record: Record = NOTHING
        self.accounts: list[Account] = []
        self.repeated = 0
        self._run = RunId("")
        self._stack: Stack | None = None

    def __enter__(self) -> "Trial":
        self.folder.mkdir()
        self._stack = open_apart(str(self.folder))
        return self

    def __exit__(self, kind: type[BaseException] | None, *of_error: object) -> None:
        self._opened.close()
        if kind is None or not issubclass(kind, CrashViolation):
            shutil.rmtree(self.folder)

    @property
    def is_over(self) -> bool:
        return self.record.state.status == "completed"

    @property
    def deaths(self) -> list[str]:
        """The moments of its kills."""
        return [account.death for account in self.accounts if account.death]

    def is_answered(self) -> bool:
        """Whether the run is paused, and has been given the answers that it waits for."""
        waits = self.record.state.open_waits() if self.record.state.status == "paused" else []
        if not waits or any(wait.refused or wait.display not in self._answers for wait in waits):
            return False
        for wait in waits:
            data = to_json(self._answers[wait.display])
            message = Message(kind="answer", sender="crash test", subject=wait.wait, data=data)
            self._opened.journal.post(self._run, message)
        return True

    def live(self, lane: Lane, seconds: float | None, kill_at: int = 0) -> str:
        """One life of at most `seconds`, which dies at moment `kill_at`, or not if that is 0.

        Returns why it failed; empty if it came to its end, or was killed as ordered. Raises `CrashViolation` if the
        life has broken a promise.
        """
        order = Order(
            folder=str(self.folder), life=len(self.accounts) + 1, run=self._run, kill_at=kill_at
        )
        status = lane.live(order, seconds)
        account, before = read_diary(order.diary), self.record
        self.repeated += unfinished(before, self.accounts, account)
        self.accounts.append(account)
        self._read(self._run or account.run)
        self.refuse(faults_of_life(before, account, self.record))
        if status is None:
            return f"the driver had not come to its end after {seconds:.0f} s"
        return "" if status == 0 or account.death else _failure(order, status)

    def refuse(self, faults: Iterable[str], hint: str = "") -> None:
        """Raises the first of them. `hint` is a remedy beside a look at the run."""
        fault = next(iter(faults), None)
        if fault is not None:
            raise self.violation(fault, hint)

    def violation(self, what: str, hint: str = "") -> CrashViolation:
        """The error that says it of this trial."""
        if not self.point:
            where, how = "the undisturbed run", "mend this first"
        else:
            killed = ", and then ".join(self.deaths) or "not killed yet"
            where = f"point {self.point}: killed {killed}; last events: {last_events(self.record)}"
            how = f"repeat it with points=[{self.point}]"
        return CrashViolation(what, where, f"{how}; its run is kept in {self.folder}{hint}")

    def loaded(self) -> object:
        """What the run returned."""
        return Run(self._opened, Finished(self._run, "completed")).load()

    @property
    def _opened(self) -> Stack:
        assert self._stack is not None, "use it in with"
        return self._stack

    def _read(self, run: RunId | None) -> None:
        """Takes in what the journal has: nothing if the first life was killed before there was a run."""
        if run is None:
            return
        try:
            events = [event for _, event in self._opened.journal.read(run)]
            self.record = Record.of(events)
            self._run = run
        except RunNotFound:
            self.record = NOTHING
        except AnabranchError as error:
            raise self.violation(error.what) from error


def _failure(order: Order, status: int) -> str:
    """By what the life has printed last at the left margin: that is where Python names an exception."""
    lines = order.printed.read_text(errors="replace").splitlines() if order.printed.exists() else []
    last = [line for line in lines if line and not line[0].isspace()][-1:]
    how = f"by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "with an error"
    return f"the driver ended {how}: {' '.join(last)}"
