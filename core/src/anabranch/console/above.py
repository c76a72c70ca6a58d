"""What is printed while the live tree is on the screen, on its way to the place above it.

Whole lines wait for the next frame, a tenth of a second at most. So a step that prints ten thousand lines costs a few
frames, where redrawing the tree around each line would take minutes.
"""

import threading
import time
from typing import TextIO

_PATIENCE_SECONDS = 0.5


class Lines:
    """Text that waits to be shown. Once closed, it takes nothing more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text: list[str] = []
        self._partial = ""
        self._flushed_at = 0.0
        self.closed = False

    def add(self, text: str) -> bool:
        """Whether it was taken."""
        with self._lock:
            if self.closed:
                return False
            head, newline, rest = text.rpartition("\n")
            if newline:
                self._text.append(self._partial + head + newline)
                self._partial = rest
            else:
                self._partial += rest
            if "\r" in self._partial:  # a progress bar that overwrites itself
                self._partial = self._partial.rpartition("\r")[2]
            self._flushed_at = 0.0
        return True

    def flush(self) -> None:
        """A line without an end, such as a prompt, is shown too if nothing follows for half a second."""
        with self._lock:
            self._flushed_at = self._flushed_at or time.monotonic()

    def take(self, everything: bool = False) -> str:
        """The lines so far; also one without an end, if it has waited long or `everything` is wanted."""
        with self._lock:
            text, self._text = "".join(self._text), []
            waited = self._flushed_at and time.monotonic() - self._flushed_at > _PATIENCE_SECONDS
            if self._partial and (everything or waited):
                text, self._partial = f"{text}{self._partial}\n", ""
        return text

    def close(self) -> None:
        """From here on, whoever writes writes to the stream itself."""
        with self._lock:
            self.closed = True


class Above:
    """Stands for a standard stream that is a terminal; whatever is not writing is the stream's own affair."""

    def __init__(self, stream: TextIO, lines: Lines) -> None:
        self._stream, self._lines = stream, lines

    def write(self, text: str) -> int:
        if not self._lines.add(text):
            return self._stream.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        if self._lines.closed:
            self._stream.flush()
        else:
            self._lines.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
