"""What counts as harm: faults that no engine here makes, so the journals are written by hand."""

from anabranch.journal.events import (
    DriverStarted,
    Event,
    InvocationCreated,
    OutcomeRecorded,
    OutcomeReused,
    RunEnded,
    ValueDrawn,
)
from anabranch.model.ids import ROOT_SCOPE, InvocationId
from anabranch.model.records import Output
from anabranch.testing.diaries import Account
from anabranch.testing.judging import (
    Record,
    faults_of_calls,
    faults_of_end,
    faults_of_life,
    faults_of_result,
    unfinished,
)

ONE, TWO, THREE = InvocationId("1"), InvocationId("2"), InvocationId("3")


def life(number: int) -> Event:
    return DriverStarted(at=0, life=number, holder="me", python="3")


def call(id: InvocationId, scope: InvocationId = ROOT_SCOPE) -> Event:
    return InvocationCreated(at=0, invocation=id, step="step", display=f"call {id}", scope=scope)


def outcome(id: InvocationId, digest: str = "d") -> Event:
    made = Output(name="output", artifact="output", digest=digest, size=1, codec="json", type="int")
    return OutcomeRecorded(at=0, invocation=id, attempt=1, status="completed", outputs=(made,))


def ended(id: InvocationId) -> Event:
    return RunEnded(at=0, status="completed", shape=["artifact", id, "output", None])


def record(*events: Event) -> Record:
    return Record.of(events)


def test_a_run_without_harm_has_no_faults() -> None:
    before = record(life(1), call(ONE), outcome(ONE), call(TWO))
    after = record(
        *before.events, life(2), OutcomeReused(at=0, invocation=ONE), outcome(TWO), ended(TWO)
    )
    account = Account(executed=((TWO, 1),), kept=((7, TWO),), head=8)

    assert list(faults_of_life(before, account, after)) == []
    assert list(faults_of_end(after)) == []
    assert list(faults_of_calls(after, after)) == list(faults_of_result(after, after)) == []


def test_an_event_that_is_another_one_after_the_crash_is_lost() -> None:
    before, after = record(life(1), call(ONE)), record(life(1), call(TWO))

    assert list(faults_of_life(before, Account(), after)) == [
        "an event that was recorded before the crash is gone, or is another one"
    ]


def test_an_outcome_that_was_reported_and_is_not_there_is_lost() -> None:
    after = record(life(1), call(ONE))
    account = Account(executed=((ONE, 1),), kept=((3, ONE),), head=3)

    assert list(faults_of_life(record(), account, after)) == [
        "event 3 was recorded and is not there: there are 2",
        "the outcome of call 1 was recorded, and is not there",
    ]


def test_an_attempt_that_a_life_makes_twice_is_named() -> None:
    after = record(life(1), call(ONE), outcome(ONE))
    account = Account(executed=((ONE, 1), (ONE, 2), (ONE, 2)))

    assert list(faults_of_life(record(), account, after)) == [
        "attempt 2 at call 1 was executed 2 times in one life"
    ]


def test_a_step_that_no_journal_knows_is_named_if_it_ran_twice() -> None:
    account = Account(executed=((ONE, 1), (ONE, 1)))

    assert list(faults_of_life(record(), account, record(life(1)))) == [
        "attempt 1 at an unknown call 1 was executed 2 times in one life"
    ]


def test_a_value_may_be_drawn_once() -> None:
    drawn = ValueDrawn(at=0, scope=ROOT_SCOPE, kind="now", index=0, value=1.0)
    before = record(life(1), drawn)

    after = record(*before.events, life(2), drawn)

    assert list(faults_of_life(before, Account(), after)) == [
        "now was drawn again; its value was recorded before"
    ]


def test_calls_of_a_child_that_is_reused_are_not_made_again_however_deep_they_are() -> None:
    child, inner, deep = call(ONE), call(TWO, scope=ONE), call(THREE, scope=TWO)
    before = [life(1), child, inner, deep, outcome(THREE), outcome(TWO), outcome(ONE)]

    reused = record(*before, life(2), OutcomeReused(at=0, invocation=ONE), ended(ONE))
    forgotten = record(*before, life(2), ended(ONE))

    assert list(faults_of_end(reused)) == []
    assert [fault.partition(" was ")[0] for fault in faults_of_end(forgotten)] == [
        "call 1",
        "call 2",
        "call 3",
    ]


def test_a_call_without_an_outcome_is_lost() -> None:
    assert list(faults_of_end(record(life(1), call(ONE), call(TWO), outcome(TWO), ended(TWO)))) == [
        "call 1 has no outcome at the end of the run"
    ]


def test_results_are_compared_by_what_they_are_and_not_by_who_made_them() -> None:
    one = record(life(1), call(ONE), outcome(ONE, "same"), ended(ONE))
    two = record(life(1), call(TWO), outcome(TWO, "same"), ended(TWO))
    other = record(life(1), call(ONE), outcome(ONE, "other"), ended(ONE))

    assert list(faults_of_result(one, two)) == []
    assert list(faults_of_result(one, other)) == ["another result than in the undisturbed run"]
    assert list(faults_of_calls(one, two)) == [
        "other calls than in the undisturbed run: without call 1, and with call 2"
    ]


def test_what_was_begun_and_had_no_outcome_counts_as_unfinished_once() -> None:
    before = record(life(1), call(ONE), call(TWO), outcome(ONE))
    first = Account(executed=((ONE, 1), (TWO, 1)))

    assert unfinished(before, [first], Account(executed=((TWO, 1), (THREE, 1)))) == 1
