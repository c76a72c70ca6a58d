"""Lines of a tree, laid out so that names and durations stand under each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from anabranch.console.marks import Marks

_WIDEST_NAME = 36
_TIME = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a mark, a name, how long it took, and what else there is to say.

    `depth` counts from 1. A row without a time and a detail of its own may be as long as it likes.
    """

    depth: int
    mark: str
    name: str
    time: str = ""
    detail: str = ""
    style: str = ""
    is_aside: bool = False
    is_alarming: bool = False


def append_rows(text: Text, rows: Sequence[Row], width: int, marks: Marks) -> None:
    """Adds the rows to the text, each on a line of its own."""
    named = [row.depth * 2 + 2 + len(row.name) for row in rows if not row.is_aside]
    column = min(max(named, default=0), _WIDEST_NAME, width // 2)
    for row in rows:
        _append(text, row, column, marks)


def _append(text: Text, row: Row, column: int, marks: Marks) -> None:
    indent = row.depth * 2
    text.append(f"\n{' ' * indent}{row.mark} ", "dim" if row.is_aside else row.style)
    if row.is_aside:
        text.append(row.name, "dim")
        return
    room = max(8, column - indent - 2)
    name = row.name if len(row.name) <= room else row.name[: room - 1] + marks["more"]
    if not row.time and not row.detail:
        text.append(name)
        return
    text.append(name.ljust(room))
    text.append(f"  {row.time:>{_TIME}}", "dim")
    if row.detail:
        text.append(f"  {row.detail}", row.style if row.is_alarming else "dim")
