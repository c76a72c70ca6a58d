"""Things one below the other, in columns: `anabranch runs ls`, and every other small table.

Laid out by hand: rich's tables pad every line to the end and cut what is too long, and neither helps a pipe.
"""

from collections.abc import Sequence
from typing import TypeAlias

from rich.text import Text

from anabranch.console.marks import MARKS, STYLES, Marks
from anabranch.console.phrases import duration, moment
from anabranch.journal.interface import RunSummary

Cell: TypeAlias = str | tuple[str, str]
"""Text, or text with a style: a status, `"bold"` or `"dim"`."""

_GAP = "  "
_WIDEST_PIPELINE = 32


def columns(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Text:
    """A table. Only the last column may hold several lines, and only it is as wide as it likes."""
    titled = [[(header, "dim") for header in headers], *rows] if any(headers) else [*rows]
    widths = [max(len(_plain(row[i])) for row in titled) for i in range(len(headers) - 1)]
    indent = " " * (sum(widths) + len(_GAP) * len(widths))
    lines = []
    for row in titled:
        line = Text()
        for cell, width in zip(row[:-1], widths, strict=True):
            line.append(_plain(cell).ljust(width), _style(cell))
            line.append(_GAP)
        line.append(_plain(row[-1]).replace("\n", f"\n{indent}"), _style(row[-1]))
        line.rstrip()
        lines.append(line)
    return Text("\n").join(lines)


def runs_table(summaries: Sequence[RunSummary], *, now: float, marks: Marks = MARKS) -> Text:
    """In the order given. `now` is in unix seconds, for the runs that are still going on."""
    rows: list[list[Cell]] = [
        [
            (marks[summary.status], summary.status),
            summary.run,
            (_cut(summary.pipeline, marks), "bold"),
            (summary.status.replace("_", " "), summary.status),
            _took(summary, now).rjust(9),
            (moment(summary.created)[:-3], "dim"),  # to the minute
        ]
        for summary in summaries
    ]
    return columns(["", "run", "pipeline", "status", "     took", "started"], rows)


def _took(summary: RunSummary, now: float) -> str:
    if summary.ended is not None:
        return duration(summary.ended - summary.created)
    return duration(now - summary.created) if summary.status == "running" else ""


def _cut(name: str, marks: Marks) -> str:
    return name if len(name) <= _WIDEST_PIPELINE else name[: _WIDEST_PIPELINE - 1] + marks["more"]


def _plain(cell: Cell) -> str:
    return cell[0] if isinstance(cell, tuple) else cell


def _style(cell: Cell) -> str:
    return STYLES.get(cell[1], cell[1]) if isinstance(cell, tuple) else ""
