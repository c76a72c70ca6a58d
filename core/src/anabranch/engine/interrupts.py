"""Ctrl-C while a run goes on in the main thread.

Python raises `KeyboardInterrupt` between any two instructions, and so between taking events out of a buffer and writing
them, or between taking a lock and the `try` that gives it back. There it would lose events or lock everybody out. So it
waits until the record and the graph are left; everywhere else, in the user's code above all, it comes at once.
"""

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType

from anabranch.engine import clock, recording, scheduling, workers
from anabranch.journal import interface

_UNDISTURBED = frozenset(str(module.__file__) for module in (clock, recording, scheduling, workers))
_JOURNAL = str(Path(interface.__file__).parent) + "/"


class Interrupts:
    """Use it in `with`. Off the main thread, and where somebody else handles Ctrl-C, it does nothing."""

    def __init__(self) -> None:
        self._is_installed = self._is_pending = False

    def __enter__(self) -> "Interrupts":
        if _is_main() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._arrived)
            self._is_installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if error is None:
            self.check()

    def check(self) -> None:
        """Raises the `KeyboardInterrupt` that had to wait, in the main thread."""
        if self._is_pending and _is_main():
            self._is_pending = False
            raise KeyboardInterrupt

    def again(self) -> None:
        """Called by another thread every now and then, so that none waits for long."""
        if self._is_pending:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self._is_pending = True
        if not _must_wait(frame):
            self.check()


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _must_wait(frame: FrameType | None) -> bool:
    while frame is not None:
        file = frame.f_code.co_filename
        if file in _UNDISTURBED or file.startswith(_JOURNAL):
            return True
        frame = frame.f_back
    return False
