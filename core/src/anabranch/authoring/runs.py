"""A run as its user holds it: how it ended, what it returned, and what the journal says of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from anabranch import console
from anabranch.authoring.entries import recorded_pipeline
from anabranch.authoring.mistakes import quiet_tracebacks
from anabranch.authoring.parking import in_turn
from anabranch.authoring.reaching import refuse_unsupported_steps
from anabranch.console.phrases import next_command
from anabranch.engine.artifacts import Artifact, Place
from anabranch.engine.futures import loaded
from anabranch.engine.launching import Finished, relaunch
from anabranch.engine.recording import Observer
from anabranch.engine.shapes import rebuilt
from anabranch.engine.values import Values
from anabranch.errors import RunFailed, RunNotFound
from anabranch.journal.events import LogWritten
from anabranch.journal.fold import RunState, read_state
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Output, RunStatus
from anabranch.stacks import Stack, open_stack

_NOWHERE = Output(name="", artifact="", digest="", size=0, codec="", type="")


class Run:
    """A run that has ended, or that was interrupted. It reads from its journal what it is asked for."""

    def __init__(self, stack: Stack, ended: Finished) -> None:
        self._stack = stack
        self.id: RunId = ended.run
        self.status: RunStatus = ended.status
        self.error: BaseException | None = ended.error
        self._values = Values(ended.run, stack.journal, stack.store, stack.codecs)
        self._state: RunState | None = None

    @property
    def state(self) -> RunState:
        """The state that the journal's events add up to."""
        if self._state is None:
            self._state = read_state(self._stack.journal, self.id)
        return self._state

    @property
    def output(self) -> Any:
        """What the body returned: artifacts, plain values, tuples or dicts of these, or `None`.

        Raises the run's error if it failed.
        """
        state = self.state
        if state.shape is None:
            raise self.error or RunFailed(
                f"the run is {self.status}", f"run {self.id}", next_command(self.status, self.id)
            )
        own = Place(InvocationId(""), _NOWHERE, state.end_number, self._values)
        return rebuilt(state.shape, own, state.outputs, self._located)

    def load(self) -> Any:
        """The values of `output`. Raises the run's error if it failed."""
        return loaded(self.output)

    def artifact(self, display: str, output: int = 0) -> Artifact[Any]:
        """An artifact by the display id of its call (`"train_2"`); it can be passed to another run.

        Raises `RunNotFound` if there is none of that name.
        """
        for known in self.state.invocations.values():
            if known.display == display and output < len(known.outputs):
                record, number = known.outputs[output], known.outcome_number
                place = Place(known.invocation, record, number, self._values, external=True)
                return Artifact(place)
        raise RunNotFound(
            f"no call {display!r} made an artifact", f"run {self.id}", "see: anabranch runs show"
        )

    def logs(self, display: str | None = None) -> str:
        """What the steps printed, or one of them by its display id."""
        names = {known.invocation: known.display for known in self.state.invocations.values()}
        events = self._stack.journal.read(self.id)
        return "".join(
            event.data.decode(errors="replace")
            for _, event in events
            if isinstance(event, LogWritten) and display in (None, names.get(event.invocation))
        )

    def _located(self, id: InvocationId) -> tuple[tuple[Output, ...], int]:
        known = self.state.invocations[id]
        return known.outputs, known.outcome_number

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status}>"


def resume(
    run: str,
    *,
    stack: str | None = None,
    observers: Sequence[Observer] | None = None,
    wait: bool = True,
) -> Run:
    """Takes up the run whose id begins with `run` (or `"latest"`), with its pipeline's code as it is now.

    While another process drives the run, this one waits, and goes on with what the other leaves; if that is nothing,
    the run is returned as it ended. `wait=False` raises `RunBusy` instead. `observers` are called with every event;
    `None` shows the run on the terminal. Raises `RunNotFound`, `RunNotResumable` or `EntryError`, and `RunBusy` for a
    run that this process itself drives.
    """
    opened = open_stack(stack)
    try:
        id = opened.journal.find(run)
        definition = recorded_pipeline(opened.journal, id)._definition
        refuse_unsupported_steps(definition, opened.lacks, opened.name)
        with watched(observers) as watching:
            drive = partial(relaunch, id, definition, opened, watching)
            ended = in_turn(id, opened, drive) if wait else drive()
        return Run(opened, ended)
    except BaseException:
        opened.close()
        raise


@contextmanager
def watched(observers: Sequence[Observer] | None) -> Iterator[Sequence[Observer]]:
    """The given observers; `None` stands for a display on this terminal, which also quiets tracebacks."""
    if observers is not None:
        yield observers
        return
    quiet_tracebacks()
    with console.observer() as display:
        yield [display]
