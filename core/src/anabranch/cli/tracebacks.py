"""The user's part of a traceback: below our own frames, and without those of the import machinery."""

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + "/"
_OURS = str(Path(__file__).parents[1]) + "/"


def user_frames(tb: TracebackType | None) -> TracebackType | None:
    """What lies below the first frame of ours and is not ours; `None` if nothing does."""
    while tb is not None and not _is_ours(tb):
        tb = tb.tb_next
    frames = []
    while tb is not None:
        if not _is_ours(tb) and not tb.tb_frame.f_code.co_filename.startswith("<frozen "):
            frames.append(tb)
        tb = tb.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def print_users(error: BaseException) -> None:
    """Prints what their code has raised, as Python would show it."""
    frames = user_frames(error.__traceback__)
    traceback.print_exception(type(error), error, frames, file=sys.stderr)


def user_line(tb: TracebackType | None) -> str:
    """`train.py:12: @step(retyr=3)`: the innermost line of the user's; nothing if there is none."""
    frames = traceback.extract_tb(user_frames(tb))
    theirs = [frame for frame in frames if not frame.filename.startswith(_STANDARD_LIBRARY)]
    return f"{theirs[-1].filename}:{theirs[-1].lineno}: {theirs[-1].line}" if theirs else ""


def _is_ours(tb: TracebackType) -> bool:
    return tb.tb_frame.f_code.co_filename.startswith(_OURS)
