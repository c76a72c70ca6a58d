"""What events add up to."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import JournalCorrupt
from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    CodeSeen,
    CompletionObserved,
    DriverEnded,
    DriverStarted,
    Event,
    InvocationCreated,
    MapExpanded,
    MetadataLogged,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    ValueDrawn,
)
from anabranch.journal.fold import RunState, fold
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Failure, Output

FAILURE = Failure(type="builtins:ValueError", message="no", traceback="...")
OUTPUT = Output(name="output", artifact="output", digest="d", size=1, codec="json", type="int")


def numbered(*events: Event) -> list[tuple[int, Event]]:
    return list(enumerate(events, 1))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Event]]:
    """A few driver lives of a run whose calls are started, fail, are tried again, end and are discarded."""
    made: dict[str, bool] = {}
    run = RunCreated(at=0.0, run=RunId("r"), pipeline="p", entry={}, stack="local", version="0")
    events: list[Event] = [run, DriverStarted(at=0.0, life=1, holder="h1", python="3")]
    life, at = 1, 0.0
    for _ in range(draw(st.integers(0, 40))):
        at += 1.0
        id = InvocationId(draw(st.sampled_from("abcdef")))
        choice = draw(st.integers(0, 9))
        if id not in made:
            events.append(InvocationCreated(at=at, invocation=id, step="s", display=f"s_{id}"))
            made[id] = False
        elif choice < 2:
            events.append(AttemptStarted(at=at, invocation=id, attempt=draw(st.integers(1, 3))))
        elif choice < 3:
            events.append(
                AttemptEnded(at=at, invocation=id, attempt=1, failure=FAILURE, retry_at=at + 1)
            )
        elif choice < 5 and not made[id]:
            status = draw(st.sampled_from(("completed", "failed", "skipped", "cancelled")))
            events.append(OutcomeRecorded(at=at, invocation=id, attempt=1, status=status))
            made[id] = True
        elif choice < 6 and made[id]:
            events.append(OutcomeDiscarded(at=at, invocation=id, reason="because"))
            made[id] = False
        elif choice < 7:
            watch = InvocationId("w")
            index = draw(st.integers(0, 3))
            events.append(CompletionObserved(at=at, watch=watch, index=index, invocation=id))
        elif choice < 8:
            events.append(ValueDrawn(at=at, scope=id, kind="now", index=0, value=at))
        elif choice < 9:
            events.append(MetadataLogged(at=at, invocation=id, values={"x": [at]}))
        else:
            life += 1
            events.append(DriverStarted(at=at, life=life, holder=f"h{life}", python="3"))
    return numbered(*events)


@given(histories())
def test_folding_twice_gives_equal_states_and_leaves_the_events_alone(
    history: list[tuple[int, Event]],
) -> None:
    before = deepcopy(history)

    assert fold(history) == fold(history)
    assert history == before


@given(histories(), st.data())
def test_following_a_run_gives_the_state_that_reading_it_whole_does(
    history: list[tuple[int, Event]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    state = fold(history[:cut])
    for number, event in history[cut:]:
        state.apply(number, event)

    assert state == fold(history)


@given(histories())
def test_two_states_of_one_run_share_nothing(history: list[tuple[int, Event]]) -> None:
    untouched = fold(history)
    state = fold(history)
    for known in list(state.invocations.values()):
        state.apply(1000, MetadataLogged(at=0.0, invocation=known.invocation, values={"y": 1}))
    state.apply(1001, DriverStarted(at=0.0, life=99, holder="x", python="3"))

    assert fold(history) == untouched


@given(histories())
def test_L1_no_history_gives_an_invocation_two_outcomes(history: list[tuple[int, Event]]) -> None:
    state = fold(history)
    for known in state.invocations.values():
        second = OutcomeRecorded(at=0.0, invocation=known.invocation, attempt=2, status="completed")
        if known.has_outcome:
            with pytest.raises(JournalCorrupt, match="two outcomes"):
                state.apply(len(history) + 1, second)


def test_L1_the_refusal_of_a_second_outcome_names_the_call_and_the_event(
    created, life, call, outcome, three_lines
) -> None:
    with pytest.raises(JournalCorrupt, match=r"work_a has two outcomes, .* event 5") as caught:
        fold(numbered(created(), life(), call("a"), outcome("a"), outcome("a")))
    three_lines(caught.value)


def test_L1_an_outcome_that_was_discarded_may_be_followed_by_another(
    created, life, call, outcome
) -> None:
    discarded = OutcomeDiscarded(at=2.0, invocation=InvocationId("a"), reason="its code changed")
    again = outcome("a", outputs=(OUTPUT,), seconds=0.5)

    known = fold(
        numbered(created(), life(), call("a"), outcome("a", failure=FAILURE), discarded, again)
    ).invocations[InvocationId("a")]

    assert (known.status, known.outputs, known.outcome_number) == ("completed", (OUTPUT,), 6)
    assert known.failure is None
    assert known.discarded == "its code changed"


@pytest.mark.parametrize(
    "event",
    [
        AttemptStarted(at=0.0, invocation=InvocationId("ghost"), attempt=1),
        AttemptEnded(
            at=0.0, invocation=InvocationId("ghost"), attempt=1, failure=FAILURE, retry_at=0.0
        ),
        OutcomeRecorded(at=0.0, invocation=InvocationId("ghost"), attempt=1, status="completed"),
        OutcomeReused(at=0.0, invocation=InvocationId("ghost")),
        OutcomeDiscarded(at=0.0, invocation=InvocationId("ghost"), reason=""),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_about_a_call_that_never_was_is_refused(
    event: Event, created, three_lines
) -> None:
    with pytest.raises(JournalCorrupt, match="ghost") as caught:
        fold(numbered(created(), event))
    three_lines(caught.value)


def test_L9_a_new_life_puts_back_what_was_running_and_reopens_a_run_that_failed(
    created, life, call, outcome
) -> None:
    running = AttemptStarted(at=2.0, invocation=InvocationId("b"), attempt=2)
    failed = RunEnded(at=3.0, status="failed", failure=FAILURE, failed=(InvocationId("a"),))
    history = [created(), life(), call("a"), call("b"), outcome("a", status="failed"), running]

    over = fold(numbered(*history, failed))
    again = fold(numbered(*history, failed, life(2)))

    assert (over.status, over.failed) == ("failed", (InvocationId("a"),))
    assert (again.status, again.failed, again.failure, again.life) == ("running", (), None, 2)
    assert again.invocations[InvocationId("b")].status == "pending"
    assert again.invocations[InvocationId("b")].attempts == 2
    assert again.invocations[InvocationId("a")].status == "failed"


def test_L9_a_driver_that_left_in_good_order_leaves_an_interrupted_run(created, life) -> None:
    assert fold(numbered(created(), life(), DriverEnded(at=2.0, reason="stop"))).status == (
        "interrupted"
    )


def test_an_attempt_that_failed_and_will_be_tried_again_is_retrying(created, life, call) -> None:
    ended = AttemptEnded(
        at=2.0, invocation=InvocationId("a"), attempt=2, failure=FAILURE, retry_at=9.0
    )

    known = fold(numbered(created(), life(), call("a"), ended)).invocations[InvocationId("a")]

    assert (known.status, known.attempts, known.retry_at) == ("retrying", 2, 9.0)
    assert known.failure == FAILURE
    assert not known.has_outcome


def test_L8_an_order_that_is_observed_again_replaces_what_followed(created) -> None:
    def seen(index: int, id: str) -> CompletionObserved:
        return CompletionObserved(
            at=0.0, watch=InvocationId("w"), index=index, invocation=InvocationId(id)
        )

    state = fold(numbered(created(), seen(0, "a"), seen(1, "b"), seen(2, "c"), seen(1, "d")))

    assert state.observed[InvocationId("w")] == ["a", "d"]


def test_maps_codes_metadata_and_draws_are_kept(created) -> None:
    map_id = InvocationId("m")
    state = fold(
        numbered(
            created(),
            MapExpanded(at=0.0, map=map_id, step="s", display="s", count=3),
            CodeSeen(at=0.0, code="c", parts={"flow.s": "1"}),
            MetadataLogged(at=0.0, invocation=None, values={"x": 1, "y": 1}),
            MetadataLogged(at=0.0, invocation=None, values={"y": 2}),
            ValueDrawn(at=0.0, scope=InvocationId(""), kind="random", index=0, value=0.5),
        )
    )

    assert state.maps[map_id].count == 3
    assert state.codes == {"c": {"flow.s": "1"}}
    assert state.metadata == {None: {"x": 1, "y": 2}}
    assert state.drawn == {("", "random", 0): 0.5}


def test_a_call_that_is_made_again_keeps_its_outcome_under_its_new_name(
    created, life, call, outcome
) -> None:
    renamed = InvocationCreated(at=5.0, invocation=InvocationId("a"), step="work", display="work_9")

    known = fold(
        numbered(created(), life(), call("a"), outcome("a"), life(2), renamed)
    ).invocations[InvocationId("a")]

    assert (known.display, known.status) == ("work_9", "completed")


def test_the_counts_of_a_run_add_up(created, life, call, outcome) -> None:
    state = fold(numbered(created(), life(), call("a"), call("b"), call("c"), outcome("b")))

    assert state.counts() == {"pending": 2, "completed": 1}


def test_no_events_are_the_empty_state() -> None:
    assert fold([]) == RunState()
