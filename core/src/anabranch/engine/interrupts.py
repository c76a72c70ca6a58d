"""Ctrl-C, SIGTERM, and a run that is stopped from outside, while its body runs in the main thread.

Python raises `KeyboardInterrupt` between any two instructions, and so between taking events out of a buffer and writing
them, or between taking a lock and the `try` that gives it back. There it would lose events or lock everybody out. So it
waits until the record and the graph are left; everywhere else, in the user's code above all, it comes at once.

The first Ctrl-C ends the run in good order. Whoever presses it again does not want to wait for that: the process ends,
and leaves to a resume what a crash would.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeAlias

from anabranch.engine import clock, recording, scheduling, workers
from anabranch.errors import RunStopping
from anabranch.journal import interface

_UNDISTURBED = frozenset(str(module.__file__) for module in (clock, recording, scheduling, workers))
_JOURNAL = str(Path(interface.__file__).parent) + "/"
_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | signal.Handlers
_OWN_SECONDS = 0.05
"""A signal that comes so soon after one that `again` has sent is taken for that one: two may arrive as one."""

_DEFAULTS: dict[signal.Signals, _Handler] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class Interrupts:
    """Use it in `with`. Off the main thread, and where somebody else handles a signal, it leaves that signal alone.

    `farewell` is what is printed when a second Ctrl-C ends the process.
    """

    def __init__(self, farewell: str) -> None:
        self._farewell = farewell
        self._installed: list[signal.Signals] = []
        self._is_pending = self._is_second = False
        self._sent_at = -math.inf
        self._unwound: CodeType | None = None

    def __enter__(self) -> "Interrupts":
        for number, default in _DEFAULTS.items() if _is_main() else ():
            if signal.getsignal(number) == default:
                signal.signal(number, self._arrived)
                self._installed.append(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in self._installed:
            signal.signal(number, _DEFAULTS[number])
        if error is None:
            self.check()

    def check(self) -> None:
        """Raises the `KeyboardInterrupt` that had to wait, in the main thread."""
        if self._is_pending and _is_main():
            self._is_pending = False
            raise KeyboardInterrupt

    def unwinder(self, function: Callable[..., object]) -> Callable[[], None] | None:
        """What raises `RunStopping` in a function that the main thread is running; `None` where that cannot be done."""
        code = getattr(function, "__code__", None)
        if signal.SIGINT not in self._installed or not _is_main() or code is None:
            return None

        def unwind() -> None:
            self._unwound = code
            self.again()

        return unwind

    def again(self) -> None:
        """Called by another thread every now and then, so that none waits for long."""
        if self._is_pending or self._unwound is not None:
            self._sent_at = time.monotonic()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._sent_at > _OWN_SECONDS:
            if self._is_second and number == signal.SIGINT and not hasattr(sys, "ps1"):
                os.write(2, self._farewell.encode())
                os._exit(130)
            self._is_pending = self._is_second = True
        if _must_wait(frame):
            return
        self.check()
        if self._unwound is not None and _is_in(self._unwound, frame):
            self._unwound = None
            raise RunStopping


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_in(code: CodeType, frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _must_wait(frame: FrameType | None) -> bool:
    while frame is not None:
        file = frame.f_code.co_filename
        if file in _UNDISTURBED or file.startswith(_JOURNAL):
            return True
        frame = frame.f_back
    return False
