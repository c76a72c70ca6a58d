"""Events that may follow one another in a run: an outcome belongs to a call, an answer to a wait.

What is drawn at random mostly contradicts what came before. `fits` says whether an event may come next, so that a run
of drawn events has a state, and a home of the journal can be asked for it.
"""

from hypothesis import strategies as st

from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    DriverEnded,
    DriverStarted,
    Event,
    InvocationCreated,
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

_ids = st.sampled_from(["a", "b"])
_starts = of_kind(DriverStarted, _ids)
_ends = st.one_of(
    st.builds(
        DriverEnded, at=st.floats(0, 1e10), reason=st.sampled_from(["interrupted", "paused"])
    ),
    st.builds(
        RunEnded,
        at=st.floats(0, 1e10),
        status=st.sampled_from(sorted(FINAL)),
        data=st.binary(max_size=10),
    ),
)
_of_a_call = st.one_of(
    [of_kind(kind, _ids) for kind in (InvocationCreated, OutcomeRecorded, OutcomeDiscarded)]
)
_others = st.one_of(
    [of_kind(kind, _ids) for kind in KINDS if kind not in (RunCreated, DriverEnded, RunEnded)]
)
_between = st.lists(
    st.booleans().flatmap(lambda often: _of_a_call if often else _others), max_size=5
)


def histories() -> st.SearchStrategy[list[Event]]:
    """Some events of two invocations, of all kinds but a run's first one; or a driver life, which may have an end."""
    lives = st.tuples(_starts, _between, st.lists(_ends, max_size=1))
    return st.booleans().flatmap(
        lambda whole: lives.map(lambda life: [life[0], *life[1], *life[2]]) if whole else _between
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
