"""Puts tables and trees on standard output: the only place where a console for that is made.

In a pipe nothing is cut to a width that nobody asked for.
"""

import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from anabranch.console.difference_tables import difference_text
from anabranch.console.differences import Difference
from anabranch.console.explanations import Explanation, explanation_text
from anabranch.console.graphs import Format, Graph, render
from anabranch.console.marks import marks_for
from anabranch.console.plans import plan_text
from anabranch.console.tables import Cell, columns, runs_table
from anabranch.console.trees import run_tree
from anabranch.journal.events import Json
from anabranch.journal.fold import RunState, WaitState
from anabranch.journal.interface import RunSummary
from anabranch.model.plans import Plan

_PIPE_WIDTH = 200


def print_runs(summaries: Sequence[RunSummary]) -> None:
    """The list of runs."""
    console = _console()
    table = runs_table(summaries, now=time.time(), marks=marks_for(console.encoding))
    console.print(table, soft_wrap=True)


def print_run(state: RunState, summary: RunSummary, whole: bool = False) -> None:
    """One run as a tree; then the traceback of its failure, unshortened."""
    console = _console()
    marks = marks_for(console.encoding)
    tree = run_tree(
        state,
        summary,
        width=console.width if console.is_terminal else _PIPE_WIDTH,
        whole=whole,
        marks=marks,
    )
    console.print(tree, soft_wrap=True)
    if state.failure is not None:
        console.print(Text(f"\n{state.failure.traceback.rstrip()}", "dim"), soft_wrap=True)


def print_difference(difference: Difference) -> None:
    """Two runs side by side."""
    console = _console()
    console.print(difference_text(difference, marks_for(console.encoding)), soft_wrap=True)


def print_explanation(explanation: Explanation, in_full: bool) -> None:
    """What became of calls: a line for each life, or for each call."""
    _console().print(explanation_text(explanation, in_full), soft_wrap=True)


def print_plan(plan: Plan) -> None:
    """What a resume would do, call by call; then what that comes to."""
    _console().print(plan_text(plan), soft_wrap=True)


def print_graph(graph: Graph, form: Format) -> None:
    """The graph of a run, as it is: for people, or for another program."""
    sys.stdout.write(render(graph, form, marks_for(sys.stdout.encoding)) + "\n")


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Any small table; the last column may run over several lines."""
    if rows:
        _console().print(columns(headers, rows), soft_wrap=True)


def print_waits(waits: Sequence[WaitState]) -> None:
    """What a run waits for, and what JSON fits."""
    rows: list[list[Cell]] = [
        [(wait.display, "bold"), wait.question, (_expected(wait.schema), "dim")] for wait in waits
    ]
    print_table(["wait", "question", "answer"], rows)


def _expected(schema: Json) -> str:
    return json.dumps(schema) if schema else "anything"


def print_mark(status: str) -> Cell:
    """The sign of a status as a cell of a table."""
    return marks_for(sys.stdout.encoding)[status], status


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
