"""The live tree of a terminal.

The engine's writer only appends to a queue. A thread of its own takes the events in, puts what the steps have printed
above the tree, and draws, ten times a second at most and only what has changed. The tree goes to standard error; while
it is there, text for a standard stream that is a terminal takes the way round through `Above`, or the two would
overwrite each other.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from anabranch.console.above import Above, Lines
from anabranch.console.drawing import Frame, draw
from anabranch.console.marks import marks_for
from anabranch.console.phrases import next_command
from anabranch.console.progress import Progress
from anabranch.journal.events import Event
from anabranch.journal.fold import RunState

FRAME_SECONDS = 0.1


class LiveTree:
    """A display for one run. `clock` gives unix seconds; `hint` tells what to type next, once the run has ended."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        hint: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.progress = Progress()
        self._console, self._hint, self._clock = console, hint, clock
        self._events: deque[Event] = deque()
        self._lines = Lines()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="anabranch-console", daemon=True)
        self._live: Live | None = None
        self._last: Text | None = None
        self._has_begun = self._is_gone = False

    def __call__(self, number: int, event: Event) -> None:
        if not self._is_gone:
            self._events.append(event)

    def remember(self, state: RunState) -> None:
        self.progress.remember(state)

    def __enter__(self) -> Self:
        self._console = self._console or Console(file=sys.stderr)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._redirect()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._restore()
        self._frame(final=True)

    # --- the streams -----------------------------------------------------------------------------------------

    def _redirect(self) -> None:
        """A stream that goes to a file or a pipe is left alone."""
        self._before = (sys.stdout, sys.stderr)
        self._above = tuple(Above(stream, self._lines) for stream in self._before)
        if sys.stdout.isatty():
            sys.stdout = self._above[0]
        if sys.stderr.isatty():
            sys.stderr = self._above[1]

    def _restore(self) -> None:
        """Somebody may have replaced the streams in between; then theirs stay, and ours write through."""
        if sys.stdout is self._above[0]:
            sys.stdout = self._before[0]
        if sys.stderr is self._above[1]:
            sys.stderr = self._before[1]
        self._lines.close()

    # --- the thread ------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        while not self._stop.wait(FRAME_SECONDS):
            if not self._frame():
                return

    def _frame(self, final: bool = False) -> bool:
        """Whether the terminal still takes what is drawn; a run goes on without one."""
        if self._is_gone:
            return False
        try:
            self._draw_frame(final)
        except Exception:  # noqa: BLE001  (a display must not harm the run that it shows)
            self._is_gone = True
            self._events.clear()
            self._lines.close()
        return not self._is_gone

    def _draw_frame(self, final: bool) -> None:
        console, live = self._console, self._live
        assert console is not None
        assert live is not None
        while self._events:
            self._has_begun = True
            self.progress.apply(self._events.popleft())
        printed = self._lines.take(everything=final)
        if printed:
            console.out(printed, end="", highlight=False)
        text = self._text(console, final)
        if text is not None and (final or text != self._last):
            live.update(text)
            live.start()  # the first time; a run that never began leaves no trace of it
            live.refresh()
            self._last = text
        if final:
            live.stop()

    def _text(self, console: Console, final: bool) -> Text | None:
        if not self._has_begun:
            return None
        width, height = console.size
        frame = Frame(
            now=self._clock(),
            width=width,
            height=max(4, height - 2),
            marks=marks_for(console.encoding),
        )
        text = draw(self.progress, frame)
        if final and self._hint:
            text.append(f"\n  {next_command(self.progress.status, self.progress.run)}", "dim")
        return text
