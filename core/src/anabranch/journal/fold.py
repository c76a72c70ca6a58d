"""From events to the state of a run: a pure function, and the only reader of what events mean.

`fold` takes a run's events from the first and gives its `RunState`; `RunState.apply` adds one more, for whoever
follows a run that is going on. Values stay where they are: the state has their digests and the number of the event
that carries their bytes. An outcome for an invocation that has one already contradicts law L1 and is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anabranch.errors import JournalCorrupt
from anabranch.journal.events import (
    AnswerRefused,
    AttemptEnded,
    AttemptStarted,
    CancelAsked,
    CodeSeen,
    CompletionObserved,
    DriverEnded,
    DriverStarted,
    Event,
    InvocationCreated,
    Json,
    LogWritten,
    MapExpanded,
    MetadataLogged,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    ValueDrawn,
    WaitAnswered,
    WaitOpened,
)
from anabranch.journal.interface import Journal
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Failure, Output, RunStatus, Status


@dataclass(slots=True, kw_only=True)
class InvocationState:
    """What is known of one invocation. `outcome_number` is the event that holds its small outputs, 0 if none.

    `life` is the last driver life that spoke of it: after an edit of the body, a resumed run may no longer make a call
    that an earlier life made. The next attempt is due at `retry_at`, and `retry_seconds` is how long that was to be.
    `spared` counts the attempts that do not count, since the infrastructure ended them.
    """

    invocation: InvocationId
    step: str
    display: str
    scope: InvocationId
    pipeline: bool
    map: InvocationId | None
    after: tuple[InvocationId, ...]
    tags: tuple[str, ...] = ()
    status: Status | Literal["pending", "running", "retrying"] = "pending"
    attempts: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    inputs: str = ""
    code: str = ""
    outputs: tuple[Output, ...] = ()
    shape: Json = None
    failure: Failure | None = None
    cause: InvocationId | None = None
    failed: tuple[InvocationId, ...] = ()
    seconds: float = 0.0
    outcome_number: int = 0
    retry_at: float = 0.0
    retry_seconds: float = 0.0
    reused_in_life: int = 0
    life: int = 0
    discarded: str = ""
    spared: int = 0
    origin: RunId | None = None

    @property
    def has_outcome(self) -> bool:
        return self.outcome_number > 0


@dataclass(slots=True, kw_only=True)
class MapState:
    """A map: how many items it has, and how many have ended."""

    map: InvocationId
    step: str
    display: str
    scope: InvocationId
    after: tuple[InvocationId, ...]
    count: int
    life: int = 0


@dataclass(slots=True, kw_only=True)
class WaitState:
    """A wait for an answer. `answer_number` is the event that holds it, 0 while there is none; `refused` why not."""

    wait: InvocationId
    display: str
    scope: InvocationId
    question: str
    schema: Json
    opened_at: float
    answer_number: int = 0
    sender: str = ""
    refused: str = ""


@dataclass(slots=True)
class RunState:
    """The state of a run. Only `apply` changes it.

    `worked_seconds` is how long drivers have lived for it since it began, or since it last ended, the present life
    left out; `handled` has the numbers of the messages that drivers have dealt with.
    """

    run: RunId = RunId("")
    pipeline: str = ""
    created: RunCreated | None = None
    status: RunStatus = "running"
    life: int = 0
    holder: str = ""
    ended_at: float = 0.0
    failure: Failure | None = None
    failed: tuple[InvocationId, ...] = ()
    shape: Json = None
    outputs: tuple[Output, ...] = ()
    end_number: int = 0
    events: int = 0
    invocations: dict[InvocationId, InvocationState] = field(default_factory=dict)
    maps: dict[InvocationId, MapState] = field(default_factory=dict)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    observed: dict[InvocationId, list[InvocationId]] = field(default_factory=dict)
    drawn: dict[tuple[InvocationId, str, int], float | str] = field(default_factory=dict)
    metadata: dict[InvocationId | None, dict[str, Json]] = field(default_factory=dict)
    waits: dict[InvocationId, WaitState] = field(default_factory=dict)
    handled: set[int] = field(default_factory=set)
    worked_seconds: float = 0.0
    life_started_at: float = 0.0
    last_at: float = 0.0

    def apply(self, number: int, event: Event) -> None:
        """Adds event `number` (from 1)."""
        self.events = number
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, number, event)
        self.last_at = event.at

    def known(self, invocation: InvocationId) -> InvocationState:
        state = self.invocations.get(invocation)
        if state is None:
            raise JournalCorrupt(
                f"an event speaks of invocation {invocation}, which was never created",
                f"run {self.run}",
                "restore the journal from a copy",
            )
        return state

    def is_current(self, item: InvocationState | MapState) -> bool:
        """Whether the call belongs to the run as it is now. Before it is completed, all do: they may be made yet.

        What is in a child whose outcome was reused was not called again, and belongs to it.
        """
        if item.life == self.life or not self.status.startswith("completed"):
            return True
        parent = self.invocations.get(item.scope)
        while parent is not None and parent.reused_in_life != self.life:
            parent = self.invocations.get(parent.scope)
        return parent is not None

    def open_waits(self) -> list[WaitState]:
        """What the run waits for, the longest first; none once it is over."""
        over = self.end_number > 0
        return [] if over else [wait for wait in self.waits.values() if not wait.answer_number]

    def counts(self) -> dict[str, int]:
        """How many of the current invocations are in each status."""
        totals: dict[str, int] = {}
        for state in filter(self.is_current, self.invocations.values()):
            totals[state.status] = totals.get(state.status, 0) + 1
        return totals


def fold(events: Iterable[tuple[int, Event]]) -> RunState:
    """The state that numbered events add up to."""
    state = RunState()
    for number, event in events:
        state.apply(number, event)
    return state


def read_state(journal: Journal, run: RunId) -> RunState:
    """The state of a run as its journal has it. Raises what `Journal.read` does."""
    return fold(journal.read(run, without=(LogWritten,)))


def _run_created(state: RunState, number: int, event: RunCreated) -> None:
    state.run, state.pipeline, state.created = event.run, event.pipeline, event


def _driver_started(state: RunState, number: int, event: DriverStarted) -> None:
    """A new life: what was under way is not any more, and the run is not over."""
    if state.life_started_at:
        state.worked_seconds += max(0.0, state.last_at - state.life_started_at)
    state.life_started_at = event.at
    state.life, state.holder, state.status = event.life, event.holder, "running"
    state.failure, state.failed, state.end_number = None, (), 0
    for invocation in state.invocations.values():
        if not invocation.has_outcome and invocation.status in ("running", "cancelled"):
            invocation.status = "pending"


def _driver_ended(state: RunState, number: int, event: DriverEnded) -> None:
    state.status = "paused" if event.reason == "paused" else "interrupted"
    state.ended_at = event.at


def _run_ended(state: RunState, number: int, event: RunEnded) -> None:
    state.status, state.ended_at, state.end_number = event.status, event.at, number
    state.failure, state.failed = event.failure, event.failed
    state.shape, state.outputs = event.shape, event.outputs
    state.worked_seconds = state.life_started_at = 0.0
    for invocation in state.invocations.values():
        if invocation.status == "running":  # it did not stop when it was told to, and was left
            invocation.status = "cancelled"


def _invocation_created(state: RunState, number: int, event: InvocationCreated) -> None:
    """Once for each identity; a later life may give it another display id."""
    known = state.invocations.get(event.invocation)
    if known is not None:
        known.display, known.after, known.life = event.display, event.after, state.life
        return
    state.invocations[event.invocation] = InvocationState(
        invocation=event.invocation,
        step=event.step,
        display=event.display,
        scope=event.scope,
        pipeline=event.pipeline,
        map=event.map,
        after=event.after,
        tags=event.tags,
        life=state.life,
    )


def _map_expanded(state: RunState, number: int, event: MapExpanded) -> None:
    state.maps[event.map] = MapState(
        map=event.map,
        step=event.step,
        display=event.display,
        scope=event.scope,
        after=event.after,
        count=event.count,
        life=state.life,
    )


def _attempt_started(state: RunState, number: int, event: AttemptStarted) -> None:
    known = state.known(event.invocation)
    known.status, known.attempts, known.started_at = "running", event.attempt, event.at
    known.life = state.life


def _attempt_ended(state: RunState, number: int, event: AttemptEnded) -> None:
    known = state.known(event.invocation)
    known.status, known.attempts, known.retry_at = "retrying", event.attempt, event.retry_at
    known.retry_seconds, known.failure = max(0.0, event.retry_at - event.at), event.failure
    known.spared += event.is_spared


def _outcome_recorded(state: RunState, number: int, event: OutcomeRecorded) -> None:
    known = state.known(event.invocation)
    if known.has_outcome:
        raise JournalCorrupt(
            f"invocation {known.display} has two outcomes, the second at event {number}",
            f"run {state.run}",
            "restore the journal from a copy, and report this: it must not happen",
        )
    known.life = state.life
    known.status, known.attempts, known.ended_at = event.status, event.attempt, event.at
    known.inputs, known.code, known.outputs = event.inputs, event.code, event.outputs
    known.shape, known.failure, known.cause = event.shape, event.failure, event.cause
    known.started_at = known.started_at or event.at - event.seconds
    known.failed, known.seconds, known.outcome_number = event.failed, event.seconds, number
    known.origin = event.origin


def _outcome_reused(state: RunState, number: int, event: OutcomeReused) -> None:
    known = state.known(event.invocation)
    known.reused_in_life = known.life = state.life


def _outcome_discarded(state: RunState, number: int, event: OutcomeDiscarded) -> None:
    known = state.known(event.invocation)
    known.status, known.outcome_number, known.attempts = "pending", 0, 0
    known.started_at, known.spared, known.origin = 0.0, 0, None
    known.outputs, known.failure, known.cause, known.shape = (), None, None, None
    known.discarded = event.reason


def _code_seen(state: RunState, number: int, event: CodeSeen) -> None:
    state.codes[event.code] = event.parts


def _completion_observed(state: RunState, number: int, event: CompletionObserved) -> None:
    order = state.observed.setdefault(event.watch, [])
    del order[event.index :]
    order.append(event.invocation)


def _value_drawn(state: RunState, number: int, event: ValueDrawn) -> None:
    state.drawn[event.scope, event.kind, event.index] = event.value


def _wait_opened(state: RunState, number: int, event: WaitOpened) -> None:
    """Once for each wait; a later life may ask it in other words, as long as it has no answer."""
    known = state.waits.get(event.wait)
    if known is None or not known.answer_number:
        state.waits[event.wait] = WaitState(
            wait=event.wait,
            display=event.display,
            scope=event.scope,
            question=event.question,
            schema=event.schema,
            opened_at=known.opened_at if known is not None else event.at,
        )


def _wait_answered(state: RunState, number: int, event: WaitAnswered) -> None:
    known = state.waits[event.wait]
    known.answer_number, known.sender, known.refused = number, event.sender, ""
    _dealt_with(state, event.message)


def _answer_refused(state: RunState, number: int, event: AnswerRefused) -> None:
    known = state.waits.get(event.wait)
    if known is not None:
        known.refused, known.answer_number = event.reason, 0
    _dealt_with(state, event.message)


def _dealt_with(state: RunState, message: int) -> None:
    """0 is no message: a rerun's answer came to another run, and a refusal may be of one that was recorded."""
    if message:
        state.handled.add(message)


def _cancel_asked(state: RunState, number: int, event: CancelAsked) -> None:
    _dealt_with(state, event.message)


def _metadata_logged(state: RunState, number: int, event: MetadataLogged) -> None:
    state.metadata.setdefault(event.invocation, {}).update(event.values)


_HANDLERS: dict[type[Event], Callable[[RunState, int, Any], None]] = {
    RunCreated: _run_created,
    DriverStarted: _driver_started,
    DriverEnded: _driver_ended,
    RunEnded: _run_ended,
    InvocationCreated: _invocation_created,
    MapExpanded: _map_expanded,
    AttemptStarted: _attempt_started,
    AttemptEnded: _attempt_ended,
    OutcomeRecorded: _outcome_recorded,
    OutcomeReused: _outcome_reused,
    OutcomeDiscarded: _outcome_discarded,
    CodeSeen: _code_seen,
    CompletionObserved: _completion_observed,
    ValueDrawn: _value_drawn,
    WaitOpened: _wait_opened,
    WaitAnswered: _wait_answered,
    AnswerRefused: _answer_refused,
    CancelAsked: _cancel_asked,
    MetadataLogged: _metadata_logged,
}
