"""Events that may follow one another in a run: an outcome belongs to a call, an answer to a wait.

What is drawn at random mostly contradicts what came before. `fits` says whether an event may come next, so that a run
of drawn events has a state, and a home of the journal can be asked for it.
"""

from collections.abc import Mapping

from hypothesis import strategies as st

from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    DriverEnded,
    Event,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    WaitAnswered,
)
from anabranch.journal.fold import RunState
from anabranch.model.records import FINAL
from anabranch.testing.events import KINDS, of_kind

_ids = st.sampled_from(["a", "b", "c"])
_reasons = st.sampled_from(["interrupted", "paused"])
_SPECIAL: Mapping[type[Event], st.SearchStrategy[Event]] = {
    DriverEnded: st.builds(DriverEnded, at=st.floats(0, 1e10), reason=_reasons),
    RunEnded: st.builds(
        RunEnded,
        at=st.floats(0, 1e10),
        status=st.sampled_from(sorted(FINAL)),
        data=st.binary(max_size=10),
    ),
}


def events_of_a_run() -> st.SearchStrategy[Event]:
    """Events of a few invocations, of all kinds but the first one."""
    kinds = [kind for kind in KINDS if kind is not RunCreated]
    return st.one_of(
        [_SPECIAL[kind] if kind in _SPECIAL else of_kind(kind, _ids) for kind in kinds]
    )


def fits(event: Event, state: RunState, is_driven: bool) -> bool:
    """Whether the event may come next; `is_driven` tells whether a driver life is going on."""
    if isinstance(event, DriverEnded | RunEnded):
        return is_driven
    if isinstance(event, WaitAnswered):
        return event.wait in state.waits
    if isinstance(event, OutcomeRecorded):
        known = state.invocations.get(event.invocation)
        return known is not None and not known.has_outcome
    if isinstance(event, AttemptStarted | AttemptEnded | OutcomeReused | OutcomeDiscarded):
        return event.invocation in state.invocations
    return True
