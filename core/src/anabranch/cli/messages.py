"""`anabranch answer` and `anabranch runs cancel`: what is said to a run from outside."""

from collections.abc import Sequence

from anabranch.authoring.messages import answer as give_answer
from anabranch.authoring.messages import cancel
from anabranch.authoring.runs import Run
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.cli.parameters import value_of
from anabranch.cli.running import Observer, shown
from anabranch.console import print_waits
from anabranch.console.documents import wait_document
from anabranch.errors import UserMistake
from anabranch.journal.fold import read_state
from anabranch.stacks import open_stack


def answer(request: Request, output: Output) -> int:
    """Answers a wait, and resumes the run if nobody drives it. Without a name it lists what the run waits for."""
    if request.name is None:
        return _listed(request, output)
    if request.value is None:
        raise UserMistake(
            "there is no value",
            f"wait {request.name!r}",
            "give it: anabranch answer RUN NAME VALUE",
        )
    name, value = request.name, value_of(request.value)

    def start(observers: Sequence[Observer]) -> Run:
        return give_answer(
            request.run,
            name,
            value,
            stack=request.stack,
            observers=observers,
            resume=request.resume,
        )

    return shown(start, request.stack, output)


def runs_cancel(request: Request, output: Output) -> int:
    """Ends a run for good."""
    run = cancel(request.run, stack=request.stack)
    if output.is_json:
        output.document({"run": run, "status": "cancelled"})
    else:
        output.note(f"run {run} is cancelled")
    return COMPLETED


def _listed(request: Request, output: Output) -> int:
    with open_stack(request.stack) as stack:
        state = read_state(stack.journal, stack.journal.find(request.run))
    waits = state.open_waits()
    if output.is_json:
        output.document({"run": state.run, "waits": [wait_document(wait) for wait in waits]})
    elif waits:
        print_waits(waits)
    else:
        output.note("the run waits for no answer")
    return COMPLETED
