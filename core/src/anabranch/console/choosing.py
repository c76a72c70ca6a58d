"""Which display a run gets.

A tree that redraws itself is for a terminal; a file, a pipe or a build server gets lines. Everything goes to standard
error, so that standard output stays the program's own. `ANABRANCH_CONSOLE` (`live`, `plain` or `quiet`) decides
otherwise, and an explicit mode decides over both.
"""

import os
import sys
from collections.abc import Mapping
from typing import Literal, TypeGuard

from anabranch import console
from anabranch.console.observing import Display, Quiet
from anabranch.errors import UserMistake, suggestion

Mode = Literal["live", "plain", "quiet"]
MODES: tuple[Mode, ...] = ("live", "plain", "quiet")
VARIABLE = "ANABRANCH_CONSOLE"


def observer(mode: Mode | None = None, *, hint: bool = True) -> Display:
    """A display for one run, not yet open; `hint` has it end with what to type next.

    Raises `UserMistake` if the variable holds nonsense.
    """
    chosen = mode or _asked_for(os.environ) or _fitting(os.environ)
    if chosen == "live":
        return console.LiveTree(hint=hint)
    return console.PlainLines(hint=hint) if chosen == "plain" else Quiet()


def _asked_for(environment: Mapping[str, str]) -> Mode | None:
    asked = environment.get(VARIABLE, "").strip().lower()
    if not asked:
        return None
    if not _is_mode(asked):
        raise UserMistake(
            f"{asked!r} is no way to show a run",
            f"the environment variable {VARIABLE}",
            f"unset it, or {suggestion(asked, MODES)}",
        )
    return asked


def _fitting(environment: Mapping[str, str]) -> Mode:
    able = environment.get("TERM", "").lower() not in ("dumb", "unknown")
    return "live" if able and sys.stderr is not None and sys.stderr.isatty() else "plain"


def _is_mode(text: str) -> TypeGuard[Mode]:
    return text in MODES
