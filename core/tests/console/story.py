"""Tells the story of a run to a real journal, and to displays as the engine would: after the commit, in order."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    DriverEnded,
    DriverStarted,
    Event,
    InvocationCreated,
    LogWritten,
    MapExpanded,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
)
from anabranch.journal.interface import RunWriter
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import ROOT_SCOPE, InvocationId, RunId
from anabranch.model.records import Failure, Output, RunStatus, Status

Observer = Callable[[int, Event], None]
RUN = RunId("20261124-035512-k7qf3")


class Story:
    """One run in one journal. Its clock stands still unless told to `tick`, or real when `started` is `None`."""

    def __init__(
        self,
        path: Path,
        *,
        run: str = RUN,
        pipeline: str = "train_model",
        observers: Sequence[Observer] = (),
        started: float | None = 1_790_000_000.0,
        lease_seconds: float = 30.0,
    ) -> None:
        self.journal = SqliteJournal(path)
        self.run, self.pipeline, self.observers = RunId(run), pipeline, observers
        self._now, self._lease = started, lease_seconds
        self.writer: RunWriter | None = None
        self._number = 0

    @property
    def now(self) -> float:
        return time.time() if self._now is None else self._now

    def tick(self, seconds: float) -> None:
        assert self._now is not None
        self._now += seconds

    # --- the run ---------------------------------------------------------------------------------------------

    def begin(self, life: int = 1) -> "Story":
        if life == 1:
            created = RunCreated(
                at=self.now,
                run=self.run,
                pipeline=self.pipeline,
                entry={"file": "/project/train.py", "name": self.pipeline},
                stack="local",
                version="0.1.0",
            )
            self.writer = self.journal.create(created, "laptop:42", self._lease)
            self._tell([created], 1)
        else:
            self.writer = self.journal.acquire(self.run, "laptop:43", self._lease)
        self.add(DriverStarted(at=self.now, life=life, holder="laptop:42", python="3.11.9"))
        return self

    def add(self, *events: Event) -> int:
        assert self.writer is not None
        first = self.writer.append(events)
        self._tell(events, first)
        return first

    def end(self, status: RunStatus = "completed", failure: Failure | None = None) -> "Story":
        self.add(RunEnded(at=self.now, status=status, failure=failure))
        return self.leave()

    def interrupt(self) -> "Story":
        self.add(DriverEnded(at=self.now, reason="interrupted"))
        return self.leave()

    def leave(self) -> "Story":
        assert self.writer is not None
        self.writer.release()
        return self

    def _tell(self, events: Sequence[Event], first: int) -> None:
        for number, event in enumerate(events, first):
            for observer in self.observers:
                observer(number, event)

    # --- values --------------------------------------------------------------------------------------------------

    @staticmethod
    def failure(message: str = "bad row", kind: str = "builtins:ValueError") -> Failure:
        name = kind.rpartition(":")[2]
        return Failure(
            type=kind,
            message=message,
            traceback=(
                "Traceback (most recent call last):\n"
                '  File "train.py", line 3, in score\n'
                f"{name}: {message}\n"
            ),
        )

    @staticmethod
    def output(name: str = "output", **how: object) -> Output:
        given: dict[str, object] = {
            "artifact": name,
            "digest": "9f86d081884c7d659a2feaa0c55ad015",
            "size": 1234,
            "codec": "json",
            "type": "builtins:dict",
            **how,
        }
        return Output(name=name, **given)  # type: ignore[arg-type]

    # --- calls -----------------------------------------------------------------------------------------------

    def create(
        self,
        display: str,
        *,
        step: str = "",
        scope: str = ROOT_SCOPE,
        map: str | None = None,
        after: Sequence[str] = (),
        pipeline: bool = False,
    ) -> InvocationCreated:
        return InvocationCreated(
            at=self.now,
            invocation=InvocationId(f"id-{display}"),
            step=step or display.partition("[")[0],
            display=display,
            scope=InvocationId(scope),
            map=None if map is None else InvocationId(map),
            after=tuple(InvocationId(upstream) for upstream in after),
            pipeline=pipeline,
        )

    def start(self, display: str, attempt: int = 1) -> AttemptStarted:
        return AttemptStarted(
            at=self.now, invocation=InvocationId(f"id-{display}"), attempt=attempt
        )

    def outcome(
        self,
        display: str,
        status: Status = "completed",
        *,
        seconds: float = 0.12,
        failure: Failure | None = None,
        outputs: tuple[Output, ...] = (),
        attempt: int = 1,
        cause: str | None = None,
        data: bytes = b"",
    ) -> OutcomeRecorded:
        return OutcomeRecorded(
            at=self.now,
            invocation=InvocationId(f"id-{display}"),
            attempt=attempt,
            status=status,
            seconds=seconds,
            failure=failure,
            outputs=outputs,
            cause=None if cause is None else InvocationId(f"id-{cause}"),
            data=data,
        )

    def retry(self, display: str, failure: Failure, wait: float = 3.0) -> AttemptEnded:
        return AttemptEnded(
            at=self.now,
            invocation=InvocationId(f"id-{display}"),
            attempt=1,
            failure=failure,
            retry_at=self.now + wait,
        )

    def expand(self, display: str, count: int, after: Sequence[str] = ()) -> MapExpanded:
        return MapExpanded(
            at=self.now,
            map=InvocationId(f"id-{display}"),
            step=display,
            display=display,
            count=count,
            after=tuple(InvocationId(upstream) for upstream in after),
        )

    def reuse(self, display: str) -> OutcomeReused:
        return OutcomeReused(at=self.now, invocation=InvocationId(f"id-{display}"))

    def take(self, display: str, origin: str) -> OutcomeRecorded:
        """It has the outcome that another run recorded."""
        taken = self.outcome(display, attempt=0, seconds=0.0)
        return replace(taken, origin=RunId(origin))

    def discard(self, display: str, reason: str) -> OutcomeDiscarded:
        return OutcomeDiscarded(
            at=self.now, invocation=InvocationId(f"id-{display}"), reason=reason
        )

    def log(self, display: str, text: str, attempt: int = 1) -> LogWritten:
        return LogWritten(
            at=self.now,
            invocation=InvocationId(f"id-{display}"),
            attempt=attempt,
            data=text.encode(),
        )

    def ran(self, display: str, **how: Any) -> int:
        """A call from beginning to end; the number of its last event."""
        return self.ran_all([display], **how)

    def ran_all(self, displays: Iterable[str], **how: Any) -> int:
        """Calls from beginning to end, one after another, in one commit."""
        given = {key: how.pop(key) for key in list(how) if key in _OF_CREATION}
        events: list[Event] = []
        for display in displays:
            events += [self.create(display, **given), self.start(display)]
            events.append(self.outcome(display, **how))
        return self.add(*events) + len(events) - 1


_OF_CREATION = ("scope", "after", "step", "map")
