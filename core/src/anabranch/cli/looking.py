"""`anabranch runs ls`, `show` and `graph`: what the journal says of runs, without a line of user code."""

from typing import Literal, cast

from anabranch import console
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.documents import run_document, runs_document
from anabranch.console.graphs import graph_document, graph_of
from anabranch.errors import UserMistake
from anabranch.journal.fold import read_state
from anabranch.stacks import open_stack


def runs_ls(request: Request, output: Output) -> int:
    """The newest runs."""
    if request.limit < 1:
        raise UserMistake("--limit is not a number from 1", "anabranch runs ls", "see: --help")
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        found = stack.journal.runs(request.limit)
    if output.is_json:
        output.document(runs_document(found))
    elif found:
        console.print_runs(found)
    else:
        output.note("no runs yet; start one with: anabranch run FILE.py")
    return COMPLETED


def runs_show(request: Request, output: Output) -> int:
    """One run."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        id = stack.journal.find(request.run)
        state, summary = read_state(stack.journal, id), stack.journal.summary(id)
    if output.is_json:
        output.document(run_document(state, summary))
    else:
        console.print_run(state, summary, whole=request.whole)
    return COMPLETED


def runs_graph(request: Request, output: Output) -> int:
    """The graph of one run."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        state = read_state(stack.journal, stack.journal.find(request.run))
    graph = graph_of(state)
    if output.is_json:
        output.document(graph_document(graph))
    else:
        console.print_graph(graph, cast(Literal["text", "mermaid", "dot"], request.format))
    return COMPLETED
