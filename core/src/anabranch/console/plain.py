"""Lines for files, pipes and build servers: few enough to read, and each of them final.

A finished step gets a line; a map one at its start, one at its end and ten in between. A step that is called again
and again is told one by one for a while, then at round numbers. Failures are told as they happen.
"""

import sys
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from anabranch.console.entries import Call, FanOut
from anabranch.console.phrases import brief, counts, duration, from_run, next_command
from anabranch.console.progress import Progress
from anabranch.journal.events import (
    AnswerRefused,
    AttemptEnded,
    DriverEnded,
    DriverStarted,
    Event,
    HookFailed,
    MapExpanded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    WaitAnswered,
    WaitOpened,
)
from anabranch.journal.fold import RunState
from anabranch.model.ids import InvocationId

ONE_BY_ONE = 25
"""How many endings of one step, or failures of one map, are told singly."""

_PARTS = 10
_PAUSE_SECONDS = 2.0
_NAME = 24


class PlainLines:
    """A display that only ever adds lines, to standard error unless another stream is given.

    `hint` tells what to type next, once the run has ended.
    """

    def __init__(self, stream: TextIO | None = None, *, hint: bool = True) -> None:
        self.progress = Progress()
        self._stream, self._hint = stream, hint
        self._endings: dict[str, int] = {}
        self._asked: dict[InvocationId, str] = {}
        self._told: dict[int, tuple[int, float]] = {}

    def __call__(self, number: int, event: Event) -> None:
        if self._stream is None:
            return
        try:
            line = self._line(event)
            if line:
                with suppress(OSError, ValueError):
                    sys.stdout.flush()  # where both are one file, they are in the order of events
                self._stream.write(line + "\n")
                self._stream.flush()
        except Exception:  # noqa: BLE001  (a display must not harm the run that it shows)
            self._stream = None

    def remember(self, state: RunState) -> None:
        self.progress.remember(state)

    def __enter__(self) -> Self:
        self._stream = self._stream or sys.stderr
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream = None

    # --- from events to lines --------------------------------------------------------------------------------

    def _line(self, event: Event) -> str:
        """The lines for an event, or nothing."""
        progress = self.progress
        if isinstance(event, OutcomeRecorded | OutcomeReused | AttemptEnded):
            call = progress.call(event.invocation)
            progress.apply(event)
            return "" if call is None else self._of_call(call, event)
        progress.apply(event)
        match event:
            case RunCreated() | DriverStarted():
                return self._of_start(event)
            case MapExpanded():
                return _told("mapping", progress.path(event), f"{event.count:,} items")
            case WaitOpened() | WaitAnswered() | AnswerRefused():
                return self._of_wait(event)
            case HookFailed() if progress.notes:
                return f"warning    {progress.notes[-1]}"
            case RunEnded() | DriverEnded():
                return self._end()
        return ""

    def _of_start(self, event: RunCreated | DriverStarted) -> str:
        run = self.progress.run
        if isinstance(event, RunCreated):
            how = "started"
        elif event.life > 1:
            how = f"resumed (life {event.life})"
        elif self.progress.origin:
            how = f"started from {self.progress.origin}"
        else:
            return ""
        return f"run {run} {how}: {self.progress.pipeline}"

    def _of_call(self, call: Call, event: OutcomeRecorded | OutcomeReused | AttemptEnded) -> str:
        if call.map is not None and not isinstance(event, AttemptEnded):
            lines = [self._item(call), self._of_map(call.map, event.at)]
            return "\n".join(filter(None, lines))
        seen = self._seen(call)
        if seen <= ONE_BY_ONE:
            return self._single(call, event)
        return f"{self._single(call, event)}  ({seen:,} so far)" if _is_round(seen) else ""

    def _of_wait(self, event: WaitOpened | WaitAnswered | AnswerRefused) -> str:
        if isinstance(event, WaitOpened):
            self._asked[event.wait] = event.display
            return _told("waits for", event.display, event.question)
        name = self._asked.get(event.wait, "")
        if isinstance(event, WaitAnswered):
            return _told("answered", name, f"by {event.sender}")
        return _told("refused", name, event.reason)

    def _single(self, call: Call, event: OutcomeRecorded | OutcomeReused | AttemptEnded) -> str:
        path = self.progress.path(call)
        if isinstance(event, AttemptEnded):
            wait = duration(event.retry_at - event.at)
            return _told("to retry", path, f"in {wait}: {brief(event.failure)}")
        if call.is_reused:
            return _told("reused", path, from_run(call.origin))
        detail = duration(call.seconds) if call.status in ("completed", "failed") else ""
        return _told(call.status, path, "  ".join(filter(None, [detail, call.trouble])))

    def _seen(self, call: Call) -> int:
        """How many of its kind there were: few are told one by one, then a count, at 50, 100, 200, 500, ..."""
        kind = f"{call.status} {call.display.rpartition('_')[0] or call.display}"
        seen = self._endings[kind] = self._endings.get(kind, 0) + 1
        return seen

    def _item(self, call: Call) -> str:
        if call.status != "failed" or call.map is None:
            return ""
        failed = call.map.tally.get("failed", 0)
        if failed > ONE_BY_ONE:
            return ""
        return _told("failed", self.progress.path(call), call.trouble)

    def _of_map(self, fan_out: FanOut, at: float) -> str:
        """The end of a map, or a tenth of it if the last word on it was some time ago."""
        path = self.progress.path(fan_out)
        told = f"{fan_out.ended:,}/{fan_out.count:,}"
        failures = counts({"failed": fan_out.tally.get("failed", 0)})
        if fan_out.is_done:
            self._told.pop(fan_out.place, None)
            took = duration(fan_out.ended_at - fan_out.started_at)
            return _told("mapped", path, "  ".join(filter(None, [took, told, failures])))
        part = fan_out.ended * _PARTS // fan_out.count
        last_part, last_at = self._told.get(fan_out.place, (0, fan_out.started_at))
        if part <= last_part or at - last_at < _PAUSE_SECONDS:
            return ""
        self._told[fan_out.place] = part, at
        return _told("mapping", path, "  ".join(filter(None, [told, failures])))

    def _end(self) -> str:
        progress = self.progress
        took = duration(progress.ended_at - progress.started_at)
        told = counts(progress.tally) or "no steps"
        reused = f" · {progress.reused:,} reused" if progress.reused else ""
        status = progress.status.replace("_", " ")
        why = f": {progress.trouble}" if progress.trouble else ""
        hint = f"\n{next_command(progress.status, progress.run)}" if self._hint else ""
        return f"run {progress.run} {status} in {took} ({told}{reused}){why}{hint}"


def _told(word: str, name: str, detail: str) -> str:
    return f"{word:<9}  {name:<{_NAME}}  {detail}".rstrip()


def _is_round(count: int) -> bool:
    """50, 100, 200, 500, 1,000, ..."""
    digits = str(count)
    return digits[0] in "125" and not digits[1:].strip("0")
