"""What a person wants to see of a run that is going on, kept small.

The journal's fold keeps every invocation; a display must not. `Progress` is a fold of its own: it holds what is under
way, the last few that have ended, and counts of all the rest, so that an event costs the same whether it is the tenth
or the hundred-thousandth, and drawing looks at what can be seen and at nothing else.

After a resume the journal does not repeat what it knows. `remember` takes that in: entries that are *not yet on show*,
which join their branch when this life first touches them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anabranch.console.entries import KEEP_FAILED, Branch, Call, Entry, FanOut, State, Tally
from anabranch.console.phrases import brief
from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    DriverEnded,
    DriverStarted,
    Event,
    HookFailed,
    InvocationCreated,
    MapExpanded,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    WaitAnswered,
    WaitOpened,
)
from anabranch.journal.fold import RunState, WaitState
from anabranch.model.ids import ROOT_SCOPE, InvocationId
from anabranch.model.records import RunStatus, Status

KEEP_NOTES = 3
_OUTCOMES: dict[str, Status] = {
    "completed": "completed",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
}


@dataclass(slots=True, eq=False)
class Progress:
    """Only `apply` and `remember` change it; one thread at a time. `origin` is the run that it is a rerun of."""

    run: str = ""
    pipeline: str = ""
    stack: str = ""
    origin: str = ""
    status: RunStatus = "running"
    life: int = 1
    started_at: float = 0.0
    ended_at: float = 0.0
    trouble: str = ""
    tally: Tally = field(default_factory=dict)
    reused: int = 0
    waits: dict[InvocationId, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    root: Branch = field(default_factory=Branch)
    _calls: dict[InvocationId, Call] = field(default_factory=dict)
    _maps: dict[InvocationId, FanOut] = field(default_factory=dict)
    _places: int = 0

    def apply(self, event: Event) -> None:
        """Takes in the next event of the run; kinds that change nothing to be seen are passed over."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def call(self, invocation: InvocationId) -> Call | None:
        """An invocation that has no outcome in this life yet."""
        return self._calls.get(invocation)

    def path(self, entry: Entry | MapExpanded) -> str:
        """Its name within the run: `tune/train_2` for a call in the child run `tune`."""
        names, scope = [entry.display], entry.scope
        while (owner := self._calls.get(scope)) is not None:
            names.append(owner.display)
            scope = owner.scope
        return "/".join(reversed(names))

    def remember(self, state: RunState) -> None:
        """Takes in a run's earlier lives."""
        self.run, self.pipeline = state.run, state.pipeline
        self.waits = {wait.wait: _asked(wait) for wait in state.open_waits()}
        if state.created is not None:
            self.stack, self.origin = state.created.stack, state.created.origin or ""
        for known_map in state.maps.values():
            self._maps[known_map.map] = FanOut(
                display=known_map.display, scope=known_map.scope, count=known_map.count
            )
        for known in state.invocations.values():
            self._calls[known.invocation] = Call(
                display=known.display,
                scope=known.scope,
                map=self._maps.get(known.map) if known.map else None,
                is_pipeline=known.pipeline,
                before=_OUTCOMES.get(known.status),
                trouble=brief(known.failure) if known.failure else "",
            )

    # --- the inside ------------------------------------------------------------------------------------------

    def branch(self, scope: InvocationId) -> Branch:
        """The inside of a body; that of a body which is unknown here is taken for the run's own."""
        owner = self._calls.get(scope) if scope != ROOT_SCOPE else None
        if owner is None:
            return self.root
        if owner.inside is None:
            owner.inside = Branch()
        return owner.inside

    def show(self, entry: Entry) -> None:
        """It is part of this life from here on."""
        if entry.on_show:
            return
        entry.on_show = True
        self._places += 1
        entry.place = self._places
        if isinstance(entry, FanOut):
            entry.tally["pending"] = entry.count
            _add(self.tally, "pending", entry.count)
        elif entry.map is not None:
            self.show(entry.map)
        else:
            _add(self.tally, "pending", 1)
            _add(self.branch(entry.scope).tally, "pending", 1)

    def move(self, call: Call, status: State, at: float) -> None:
        """From one status to another, in every count that it is part of."""
        self.show(call)
        local = call.map.tally if call.map is not None else self.branch(call.scope).tally
        for tally in (self.tally, local):
            _add(tally, call.status, -1)
            _add(tally, status, 1)
        call.status = status
        self.place(call, at)

    def place(self, entry: Entry, at: float) -> None:
        """Where it is shown; an item is part of its map's line."""
        if isinstance(entry, Call):
            if entry.map is not None:
                self.place(entry.map, at)
                return
        else:
            entry.started_at = entry.started_at or at
            entry.ended_at = at if entry.is_done else 0.0
        self.branch(entry.scope).place(entry)


def _add(tally: Tally, status: str, count: int) -> None:
    tally[status] = tally.get(status, 0) + count


# --- what each event changes -------------------------------------------------------------------------------------


def _run_created(here: Progress, event: RunCreated) -> None:
    here.run, here.pipeline, here.stack = event.run, event.pipeline, event.stack
    here.started_at = event.at


def _driver_started(here: Progress, event: DriverStarted) -> None:
    here.life, here.status, here.ended_at, here.trouble = event.life, "running", 0.0, ""
    if event.life > 1 or not here.started_at:
        here.started_at = event.at


def _driver_ended(here: Progress, event: DriverEnded) -> None:
    is_paused = event.reason == "paused"
    here.status, here.ended_at = ("paused" if is_paused else "interrupted"), event.at
    here.trouble = "it waits for an answer" if is_paused else event.reason


def _run_ended(here: Progress, event: RunEnded) -> None:
    here.status, here.ended_at = event.status, event.at
    here.trouble = brief(event.failure) if event.failure else ""


def _invocation_created(here: Progress, event: InvocationCreated) -> None:
    call = here._calls.get(event.invocation)
    if call is None:
        call = here._calls[event.invocation] = Call(
            display=event.display,
            scope=event.scope,
            map=here._maps.get(event.map) if event.map else None,
            is_pipeline=event.pipeline,
        )
    call.display = event.display
    here.show(call)


def _map_expanded(here: Progress, event: MapExpanded) -> None:
    """A map may be told of again, in a later life or with more items: its items know the first one."""
    fan_out = here._maps.get(event.map)
    if fan_out is None:
        fan_out = here._maps[event.map] = FanOut(
            display=event.display, scope=event.scope, count=event.count
        )
    if fan_out.on_show:
        for tally in (here.tally, fan_out.tally):
            _add(tally, "pending", event.count - fan_out.count)
    fan_out.display, fan_out.count = event.display, event.count
    here.show(fan_out)
    here.place(fan_out, event.at)


def _attempt_started(here: Progress, event: AttemptStarted) -> None:
    call = here._calls.get(event.invocation)
    if call is not None:
        call.attempt, call.started_at = event.attempt, event.at
        here.move(call, "running", event.at)


def _attempt_ended(here: Progress, event: AttemptEnded) -> None:
    call = here._calls.get(event.invocation)
    if call is not None:
        call.trouble, call.retry_at = brief(event.failure), event.retry_at
        here.move(call, "retrying", event.at)


def _outcome_recorded(here: Progress, event: OutcomeRecorded) -> None:
    call = here._calls.get(event.invocation)
    if call is not None:
        call.trouble = brief(event.failure) if event.failure else ""
        call.attempt, call.seconds = event.attempt, event.seconds
        if event.origin is not None:
            call.is_reused, call.origin = True, event.origin
            here.reused += 1
        _ended(here, event.invocation, call, event.status, event.at)


def _outcome_reused(here: Progress, event: OutcomeReused) -> None:
    call = here._calls.get(event.invocation)
    if call is not None:
        call.is_reused = True
        here.reused += 1
        _ended(here, event.invocation, call, call.before or "completed", event.at)


def _ended(here: Progress, id: InvocationId, call: Call, status: Status, at: float) -> None:
    here.move(call, status, at)
    if call.map is not None and status == "failed" and len(call.map.failures) < KEEP_FAILED:
        call.map.failures.append((call.display, call.trouble))
    if status != "failed":
        call.inside = None
    del here._calls[id]


def _outcome_discarded(here: Progress, event: OutcomeDiscarded) -> None:
    call = here._calls.get(event.invocation)
    if call is not None:
        call.before, call.trouble = None, ""


def _wait_opened(here: Progress, event: WaitOpened) -> None:
    here.waits[event.wait] = _asked(event)


def _asked(wait: WaitOpened | WaitState) -> str:
    return f"{wait.display}: {wait.question}" if wait.question else wait.display


def _wait_answered(here: Progress, event: WaitAnswered) -> None:
    here.waits.pop(event.wait, None)


def _hook_failed(here: Progress, event: HookFailed) -> None:
    if len(here.notes) < KEEP_NOTES:
        call = here._calls.get(event.invocation) if event.invocation else None
        owner = call.display if call is not None else here.pipeline
        here.notes.append(f"{event.hook} of {owner} failed: {brief(event.failure)}")


_HANDLERS: dict[type[Event], Callable[[Progress, Any], None]] = {
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
    WaitOpened: _wait_opened,
    WaitAnswered: _wait_answered,
    HookFailed: _hook_failed,
}
