"""Runs one below the other: `anabranch runs ls`."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from anabranch.console.marks import MARKS, STYLES, Marks
from anabranch.console.phrases import duration, moment
from anabranch.journal.interface import RunSummary


def runs_table(summaries: Sequence[RunSummary], *, now: float, marks: Marks = MARKS) -> Table:
    """Newest first, as they are given. `now` is in unix seconds, for the runs that are still going on."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("run", no_wrap=True)
    table.add_column("pipeline", overflow="ellipsis", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("started", no_wrap=True, style="dim")
    for summary in summaries:
        style = STYLES[summary.status]
        table.add_row(
            Text(marks[summary.status], style),
            summary.run,
            Text(summary.pipeline, "bold"),
            Text(summary.status.replace("_", " "), style),
            _took(summary, now),
            moment(summary.created),
        )
    return table


def _took(summary: RunSummary, now: float) -> str:
    if summary.ended is not None:
        return duration(summary.ended - summary.created)
    return duration(now - summary.created) if summary.status == "running" else ""
