"""What a crash must not do to a run, as questions to its journal and to the diaries of its lives. Pure functions.

Each gives the faults that it finds as sentences, the one that explains the others first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from anabranch.journal.events import (
    CompletionObserved,
    Event,
    OutcomeDiscarded,
    OutcomeRecorded,
    ValueDrawn,
)
from anabranch.journal.fold import InvocationState, RunState, fold
from anabranch.model.ids import InvocationId
from anabranch.testing.diaries import Account


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal had of a run when a life had ended."""

    events: Sequence[Event]
    state: RunState

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Record":
        """Raises `JournalCorrupt` if an invocation has two outcomes."""
        return cls(events, fold(enumerate(events, 1)))

    def lasting(self) -> dict[InvocationId, InvocationState]:
        """What has an outcome that a resume has no reason to try again."""
        return {
            id: known
            for id, known in self.state.invocations.items()
            if known.has_outcome and known.status in ("completed", "failed")
        }


NOTHING = Record((), RunState())


def faults_of_life(before: Record, account: Account, after: Record) -> Iterator[str]:
    """Of one life, between what it found and what it left."""
    if list(after.events[: len(before.events)]) != list(before.events):
        yield "an event that was recorded before the crash is gone, or is another one"
    yield from _lost(account, after)
    lasting, added = before.lasting(), after.events[len(before.events) :]
    for event in added:
        if isinstance(event, OutcomeDiscarded) and event.invocation in lasting:
            name = lasting[event.invocation].display
            yield f"the recorded outcome of {name} was discarded: {event.reason}"
    for id, _ in account.executed:
        if id in lasting:
            yield f"{lasting[id].display} was executed again; its outcome was recorded before"
    for (id, attempt), times in Counter(account.executed).items():
        if times > 1:
            yield f"attempt {attempt} at {_name(after, id)} was executed {times} times in one life"
    yield from _seen_otherwise(before, added)


def faults_of_end(record: Record) -> Iterator[str]:
    """Of a run that nobody has disturbed for the whole of its last life."""
    state = record.state
    if state.status != "completed":
        failure = f": {state.failure.type}: {state.failure.message}" if state.failure else ""
        yield f"the run is {state.status}{failure}"
    for known in state.invocations.values():
        if not state.is_current(known):
            yield f"{known.display} was called before the crash, and is not called any more"
        elif not known.has_outcome:
            yield f"{known.display} has no outcome at the end of the run"


def faults_of_calls(reference: Record, record: Record) -> Iterator[str]:
    """Other calls than those of the undisturbed run, for a pipeline that always makes the same."""
    expected, found = _completed(reference), _completed(record)
    lost = [reference.state.known(id).display for id in expected - found]
    extra = [record.state.known(id).display for id in found - expected]
    if lost or extra:
        told = [f"without {_few(lost)}"] * bool(lost) + [f"with {_few(extra)}"] * bool(extra)
        yield f"other calls than in the undisturbed run: {', and '.join(told)}"


def faults_of_result(reference: Record, record: Record) -> Iterator[str]:
    """Another result than that of the undisturbed run."""
    if result_of(reference.state) != result_of(record.state):
        yield "another result than in the undisturbed run"


def result_of(state: RunState) -> object:
    """The shape of what the body returned, with the digest of each value in its place."""

    def digested(shape: Any) -> object:
        kind, *rest = shape
        if kind == "value":
            return state.outputs[rest[0]].digest
        if kind == "artifact":
            producer, name, index = rest
            outputs = state.known(producer).outputs
            return [index, *(output.digest for output in outputs if output.name == name)]
        if kind == "dict":
            return {key: digested(item) for key, item in rest[0].items()}
        return [kind, *(digested(item) for items in rest for item in items)]

    return digested(state.shape or ["none"])


def unfinished(before: Record, earlier: Sequence[Account], account: Account) -> int:
    """The attempts of a life at what an earlier one had begun, and had not brought to an outcome."""
    begun = {id for told in earlier for id, _ in told.executed}
    return len({id for id, _ in account.executed} & begun - set(before.lasting()))


def last_events(record: Record, count: int = 3) -> str:
    """For people."""
    return ", ".join(_told(event, record) for event in record.events[-count:]) or "nothing"


def _lost(account: Account, after: Record) -> Iterator[str]:
    if account.head > len(after.events):
        yield f"event {account.head} was recorded and is not there: there are {len(after.events)}"
    for number, id in account.kept:
        found = after.events[number - 1] if number <= len(after.events) else None
        if not isinstance(found, OutcomeRecorded) or found.invocation != id:
            yield f"the outcome of {_name(after, id)} was recorded, and is not there"


def _seen_otherwise(before: Record, added: Sequence[Event]) -> Iterator[str]:
    """What the body saw it must see again, so none of it is recorded a second time (law L8)."""
    drawn, observed = before.state.drawn, before.state.observed
    for event in added:
        if isinstance(event, ValueDrawn) and (event.scope, event.kind, event.index) in drawn:
            yield f"{event.kind} was drawn again; its value was recorded before"
        if isinstance(event, CompletionObserved) and event.index < len(
            observed.get(event.watch, ())
        ):
            yield f"the body was handed futures in another order at place {event.index + 1}"


def _completed(record: Record) -> set[InvocationId]:
    return {id for id, known in record.state.invocations.items() if known.status == "completed"}


def _name(record: Record, id: InvocationId) -> str:
    known = record.state.invocations.get(id)
    return known.display if known is not None else f"an unknown call {id}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(sorted(names)[:3]) + more


def _told(event: Event, record: Record) -> str:
    id = getattr(event, "invocation", None)
    return type(event).__name__ + (f" {_name(record, id)}" if id else "")
