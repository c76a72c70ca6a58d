"""The signs and colours of a status: one table for the live tree and for what is printed afterwards.

A terminal that cannot write them gets letters of ASCII; colour never says anything that the sign does not.
"""

from collections.abc import Mapping
from typing import TypeAlias

Marks: TypeAlias = Mapping[str, str]

MARKS: Marks = {
    "completed": "✓",
    "completed_with_failures": "!",
    "reused": "↺",
    "failed": "✗",
    "mixed": "!",
    "skipped": "∅",
    "cancelled": "⊘",
    "pending": "·",
    "running": "●",
    "retrying": "↻",
    "interrupted": "‖",
    "paused": "‖",
    "lost": "?",
    "more": "…",
    "from": "←",
    "full": "█",
    "empty": "░",
}

ASCII: Marks = {
    **MARKS,
    "completed": "+",
    "reused": "=",
    "failed": "x",
    "skipped": "-",
    "cancelled": "/",
    "pending": ".",
    "running": "*",
    "retrying": "~",
    "interrupted": "|",
    "paused": "|",
    "more": ".",
    "from": "<-",
    "full": "#",
    "empty": ".",
}

STYLES: Mapping[str, str] = {
    "completed": "green",
    "completed_with_failures": "yellow",
    "reused": "cyan",
    "failed": "red",
    "mixed": "yellow",
    "skipped": "bright_black",
    "cancelled": "yellow",
    "pending": "bright_black",
    "running": "blue",
    "retrying": "yellow",
    "interrupted": "yellow",
    "paused": "blue",
    "lost": "yellow",
}


def marks_for(encoding: str | None) -> Marks:
    """The signs that an output of this encoding can carry."""
    try:
        "".join(MARKS.values()).encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return ASCII
    return MARKS
