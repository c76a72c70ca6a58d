"""What a script shows when a run's error leaves it: the user's own frames, and three lines for a mistake.

Only where the script left `sys.excepthook` alone, and only for frames of ours: those of the user are never shortened.
"""

import sys
import traceback
from types import TracebackType

from anabranch.engine.failures import own_frames
from anabranch.errors import UserMistake


def quiet_tracebacks() -> None:
    """From now on an uncaught exception is printed without the engine's frames."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _show


def _show(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
    frames = own_frames(tb)
    if isinstance(error, UserMistake):
        for frame in traceback.extract_tb(frames)[-1:]:
            sys.stderr.write(f"{frame.filename}:{frame.lineno}: {frame.line}\n")
        sys.stderr.write(f"{kind.__name__}: {error}\n")
        return
    sys.__excepthook__(kind, error.with_traceback(frames), frames)
