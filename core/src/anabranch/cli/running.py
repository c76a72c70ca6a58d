"""`anabranch run`, `resume` and `rerun`: start it, show it, and say how it ended."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from anabranch import console
from anabranch.authoring.entries import load_pipeline
from anabranch.authoring.reruns import rerun as start_rerun
from anabranch.authoring.runs import Run
from anabranch.authoring.runs import resume as resume_run
from anabranch.cli import exits
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.cli.parameters import arguments
from anabranch.console.documents import ended_document
from anabranch.console.observing import Quiet
from anabranch.console.phrases import next_command
from anabranch.journal.events import Event, RunEnded
from anabranch.stacks import open_stack

Observer: TypeAlias = Callable[[int, Event], None]


def run(request: Request, output: Output) -> int:
    """Runs the target from the beginning."""
    given = arguments(request.parameters)
    with output.reserved():
        pipeline = load_pipeline(request.target)

    def start(observers: Sequence[Observer]) -> Run:
        return pipeline.start(
            given,
            stack=request.stack,
            observers=observers,
            config=request.config,
            caching=request.caching,
        )

    return shown(start, request.stack, output)


def resume(request: Request, output: Output) -> int:
    """Takes up a run where it stopped."""

    def start(observers: Sequence[Observer]) -> Run:
        return resume_run(request.run, stack=request.stack, observers=observers, wait=request.wait)

    return shown(start, request.stack, output)


def rerun(request: Request, output: Output) -> int:
    """Starts a new run with what another has done before a step."""
    given = arguments(request.parameters)

    def start(observers: Sequence[Observer]) -> Run:
        return start_rerun(
            request.run,
            request.from_step,
            parameters=given,
            stack=request.stack,
            observers=observers,
        )

    return shown(start, request.stack, output)


def shown(start: Callable[[Sequence[Observer]], Run], stack: str | None, output: Output) -> int:
    """Has a run driven while it is shown, and says how it ended. Returns the exit code."""
    display, ending = console.observer(hint=False), _Ending()
    with output.reserved(), display:
        ended = start([display, ending])
    if ending.traceback:
        output.note(f"\n{ending.traceback.rstrip()}\n")
    if not isinstance(display, Quiet) or ending.traceback:
        output.note(next_command(ended.status, ended.id))
    if output.is_json:
        with open_stack(stack) as opened:
            output.document(ended_document(ended.state, opened.journal.summary(ended.id)))
    return exits.of_run(ended.status)


class _Ending:
    """Keeps the traceback of the run's failure as it was recorded: the user's own, unshortened."""

    traceback = ""

    def __call__(self, number: int, event: Event) -> None:
        if isinstance(event, RunEnded) and event.failure is not None:
            self.traceback = event.failure.traceback
