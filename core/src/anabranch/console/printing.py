"""Puts tables and trees on standard output: the only place where a console for that is made.

In a pipe nothing is cut to a width that nobody asked for.
"""

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from anabranch.console.graphs import Format, Graph, render
from anabranch.console.marks import STYLES, marks_for
from anabranch.console.tables import runs_table
from anabranch.console.trees import run_tree
from anabranch.journal.fold import RunState
from anabranch.journal.interface import RunSummary

_PIPE_WIDTH = 200

Cell = str | tuple[str, str]
"""Text, or text with a style: a word of `marks.STYLES`, `"bold"` or `"dim"`."""


def print_runs(summaries: Sequence[RunSummary]) -> None:
    """The list of runs."""
    console = _console()
    console.print(runs_table(summaries, now=time.time(), marks=marks_for(console.encoding)))


def print_run(state: RunState, summary: RunSummary, whole: bool = False) -> None:
    """One run as a tree; then the traceback of its failure, unshortened."""
    console = _console()
    marks = marks_for(console.encoding)
    tree = run_tree(state, summary, width=console.width, whole=whole, marks=marks)
    console.print(tree, soft_wrap=True)
    if state.failure is not None:
        console.print(Text(f"\n{state.failure.traceback.rstrip()}", "dim"), soft_wrap=True)


def print_graph(graph: Graph, form: Format) -> None:
    """The graph of a run, as it is: for people, or for another program."""
    print(render(graph, form, marks_for(sys.stdout.encoding)))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Any small table; the last column may run over several lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.show_header = any(headers)
    for index, header in enumerate(headers):
        table.add_column(header, no_wrap=index < len(headers) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    _console().print(table)


def print_mark(status: str) -> Cell:
    """The sign of a status as a cell of a table."""
    return marks_for(sys.stdout.encoding)[status], status


def _text(cell: Cell) -> Text:
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(text, STYLES.get(style, style))


def _console() -> Console:
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    return console
