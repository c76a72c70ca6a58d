"""Lines for files, pipes and build servers: few enough to read, and each of them final.

A finished step gets a line; a map one at its start, one at its end and ten in between. A step that is called again
and again is told one by one for a while, then at round numbers. Failures are told as they happen.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from anabranch.console.entries import Call, FanOut
from anabranch.console.phrases import brief, counts, duration, next_command
from anabranch.console.progress import Progress
from anabranch.journal.events import (
    AttemptEnded,
    DriverEnded,
    DriverStarted,
    Event,
    HookFailed,
    MapExpanded,
    OutcomeRecorded,
    OutcomeReused,
    RunEnded,
)
from anabranch.journal.fold import RunState

ONE_BY_ONE = 25
"""How many endings of one step, or failures of one map, are told singly."""

_PARTS = 10
_NAME = 24


class PlainLines:
    """A display that only ever adds lines. `stream` is standard error unless another is given."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.progress = Progress()
        self._stream, self._clock = stream, clock
        self._endings: dict[str, int] = {}
        self._told: dict[int, int] = {}

    def __call__(self, number: int, event: Event) -> None:
        line = self._line(event)
        if line and self._stream is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads it any more; the run goes on
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
            case DriverStarted():
                word = "started" if event.life == 1 else f"resumed (life {event.life})"
                return f"run {progress.run} {word}: {progress.pipeline}"
            case MapExpanded():
                return _told("mapping", event.display, f"{event.count:,} items")
            case HookFailed():
                return f"warning    {progress.notes[-1]}" if progress.notes else ""
            case RunEnded() | DriverEnded():
                return self._end()
        return ""

    def _of_call(self, call: Call, event: OutcomeRecorded | OutcomeReused | AttemptEnded) -> str:
        if isinstance(event, AttemptEnded):
            wait = duration(event.retry_at - event.at)
            return self._single(
                call, _told("to retry", call.display, f"in {wait}: {brief(event.failure)}")
            )
        if call.map is not None:
            lines = [self._item(call), self._of_map(call.map)]
            return "\n".join(filter(None, lines))
        if call.is_reused:
            return self._single(call, _told("reused", call.display, ""))
        detail = duration(call.seconds) if call.status in ("completed", "failed") else ""
        return self._single(
            call, _told(call.status, call.display, "  ".join(filter(None, [detail, call.trouble])))
        )

    def _single(self, call: Call, line: str) -> str:
        """The line, as long as there are few of its kind; then a count, at 50, 100, 200, 500, ..."""
        kind = f"{call.status} {call.display.rpartition('_')[0] or call.display}"
        seen = self._endings[kind] = self._endings.get(kind, 0) + 1
        if seen <= ONE_BY_ONE:
            return line
        return f"{line}  ({seen:,} so far)" if _is_round(seen) else ""

    def _item(self, call: Call) -> str:
        if call.status != "failed" or call.map is None:
            return ""
        failed = call.map.tally.get("failed", 0)
        if failed > ONE_BY_ONE:
            return ""
        return _told("failed", call.display, call.trouble)

    def _of_map(self, fan_out: FanOut) -> str:
        """The end of a map, or a tenth of it."""
        told = f"{fan_out.ended:,}/{fan_out.count:,}"
        failures = counts({"failed": fan_out.tally.get("failed", 0)})
        if fan_out.is_done:
            self._told.pop(fan_out.place, None)
            took = duration(fan_out.ended_at - fan_out.started_at)
            return _told("mapped", fan_out.display, "  ".join(filter(None, [took, told, failures])))
        part = fan_out.ended * _PARTS // fan_out.count
        if fan_out.count < 2 * _PARTS or part <= self._told.get(fan_out.place, 0):
            return ""
        self._told[fan_out.place] = part
        return _told("mapping", fan_out.display, "  ".join(filter(None, [told, failures])))

    def _end(self) -> str:
        progress = self.progress
        took = duration(progress.ended_at - progress.started_at)
        told = counts(progress.tally) or "no steps"
        reused = f" · {progress.reused:,} reused" if progress.reused else ""
        status = progress.status.replace("_", " ")
        why = f": {progress.trouble}" if progress.trouble else ""
        return (
            f"run {progress.run} {status} in {took} ({told}{reused}){why}\n"
            f"{next_command(progress.status, progress.run)}"
        )


def _told(word: str, name: str, detail: str) -> str:
    return f"{word:<9}  {name:<{_NAME}}  {detail}".rstrip()


def _is_round(count: int) -> bool:
    """50, 100, 200, 500, 1,000, ..."""
    digits = str(count)
    return digits[0] in "125" and not digits[1:].strip("0")
