"""A plan and an explanation on a screen: maps are a line, long lists are cut, and what matters is never cut first."""

from anabranch.console.explanations import Explanation, explanation_text
from anabranch.console.plans import MOST_REUSED, plan_document, plan_text
from anabranch.journal.fold import InvocationState, MapState, RunState
from anabranch.journal.history import Episode
from anabranch.model.ids import ROOT_SCOPE, InvocationId, RunId
from anabranch.model.plans import Decision, Plan, PlannedCall
from anabranch.model.records import Failure

RUN = RunId("20261124-035512-k7qf3m")


def planned(
    path: str, decision: Decision = "reuse", reason: str = "why", map: str | None = None
) -> PlannedCall:
    return PlannedCall(
        invocation=InvocationId(path),
        path=path,
        step="work",
        pipeline=False,
        scope=ROOT_SCOPE,
        map=None if map is None else InvocationId(map),
        decision=decision,
        reason=reason,
    )


def plan(*calls: PlannedCall, **more: str) -> Plan:
    maps = {InvocationId("m"): "score"}
    return Plan(run=RUN, pipeline="train", status="failed", calls=calls, maps=maps, **more)


def lines(text: object) -> list[str]:
    return str(text).splitlines()


def test_a_map_of_which_all_items_are_reused_is_one_line() -> None:
    items = [planned(f"score[{i}]", map="m") for i in range(10_000)]

    assert lines(plan_text(plan(*items))) == [
        "reuse  score[0..9999]  10,000 reuse: why",
        "10,000 calls: 10,000 reuse",
    ]


def test_items_that_are_not_reused_are_named_below_their_map() -> None:
    items = [planned(f"score[{i}]", map="m") for i in range(100)]
    items[17] = planned("score[17]", "run", "it failed", map="m")

    assert lines(plan_text(plan(planned("load"), *items))) == [
        "reuse  load          why",
        "run    score[0..99]  99 reuse, 1 run",
        "run      score[17]   it failed",
        "101 calls: 100 reuse, 1 run",
    ]


def test_of_many_such_items_the_first_are_named_and_the_others_counted() -> None:
    items = [planned(f"score[{i}]", "run", f"after {i}", map="m") for i in range(100)]

    told = lines(plan_text(plan(*items)))

    assert told[0] == "run  score[0..99]  100 run"
    assert len(told) == 1 + 10 + 1 + 1
    assert "90 more" in told[-2]


def test_a_single_item_has_no_range() -> None:
    assert "score[3]  1 run: why" in str(plan_text(plan(planned("score[3]", "run", map="m"))))


def test_of_many_calls_that_are_reused_the_first_are_shown_and_all_that_run() -> None:
    calls = [planned(f"work_{i}") for i in range(500)]
    runs = [planned("last", "run", "it is new"), planned("gone", "orphan", "no longer")]

    told = lines(plan_text(plan(*calls, *runs)))

    assert sum(line.startswith("reuse   work_") for line in told) == MOST_REUSED
    assert any("460 more" in line for line in told)
    assert any(line.startswith("run     last") for line in told)
    assert any(line.startswith("orphan  gone") for line in told)
    assert told[-1] == "502 calls: 500 reuse, 1 run, 1 orphan"


def test_a_plan_says_how_far_it_could_see_and_who_is_at_work() -> None:
    told = lines(plan_text(plan(planned("a"), beyond="b", driver="laptop:7")))
    assert told[-2].startswith("the body was followed up to b")
    assert told[-1].endswith("laptop:7")

    assert lines(plan_text(plan(planned("a"), failure="KeyError: 'x'")))[-1] == (
        "the body would fail: KeyError: 'x'"
    )


def test_a_run_that_is_over_and_one_without_calls_are_told_in_words() -> None:
    over = Plan(run=RUN, pipeline="train", status="completed")
    assert str(plan_text(over)) == f"run {RUN} is completed: there is nothing left to do"
    assert plan_document(over)["nothing_left"] is True
    assert str(plan_text(plan())) == "no calls are known"


def explained(*calls: InvocationState, **episodes: list[Episode]) -> Explanation:
    state = RunState(run=RUN, pipeline="train", life=2)
    state.invocations = {call.invocation: call for call in calls}
    map = InvocationId("m")
    state.maps[map] = MapState(
        map=map, step="score", display="score", scope=ROOT_SCOPE, after=(), count=len(calls)
    )
    return Explanation(
        state=state,
        calls=[call.invocation for call in calls],
        histories={InvocationId(id): told for id, told in episodes.items()},
        changes={},
    )


def call(id: str, display: str, map: str | None = None) -> InvocationState:
    return InvocationState(
        invocation=InvocationId(id),
        step="work",
        display=display,
        scope=ROOT_SCOPE,
        pipeline=False,
        map=None if map is None else InvocationId(map),
        after=(),
    )


NO = Failure(type="builtins:OSError", message="no route", traceback="")
RAN = Episode(life=1, status="completed", attempts=1, seconds=0.2)


def test_attempts_that_were_tried_again_have_lines_of_their_own() -> None:
    episode = Episode(life=1, status="completed", attempts=3, seconds=0.2, retried=(NO, NO))

    assert lines(explanation_text(explained(call("a", "work"), a=[episode]), in_full=True)) == [
        "work",
        "  life 1: ran, completed in 0.20 s at attempt 3",
        *["          an attempt failed, and was followed by another: OSError: no route"] * 2,
    ]


def test_what_was_taken_skipped_cancelled_and_left_without_an_outcome_is_told() -> None:
    told = {
        "a": [Episode(life=0, status="completed", attempts=1, origin=RunId("older"))],
        "b": [Episode(life=1, status="skipped", cause=InvocationId("a"))],
        "c": [Episode(life=1, status="cancelled"), Episode(life=2, again="it was cancelled")],
        "d": [Episode(life=0), RAN],
        "e": [
            Episode(life=1, status="failed", attempts=1, failure=NO),
            Episode(life=2, is_reused=True),
        ],
    }
    explanation = explained(*(call(id, f"work_{id}") for id in told), **told)

    assert lines(explanation_text(explanation, in_full=False)) == [
        "work_a  at first: taken from run older",
        "work_b  life 1: skipped, because work_a failed",
        "work_c  life 1: cancelled · life 2: to run, since it was cancelled, without an outcome",
        "work_d  at first: not taken over, so that it runs again · life 1: ran, completed in 0.20 s",
        "work_e  life 1: ran, failed in 0.00 s: OSError: no route · life 2: reused",
        "5 calls: 0 ran again, 1 reused",
    ]


def test_long_explanations_are_cut_and_say_so() -> None:
    calls = [call(f"c{i}", f"work_{i}") for i in range(1000)]
    explanation = explained(*calls, **{c.invocation: [RAN] for c in calls})

    for in_full in (True, False):
        told = lines(explanation_text(explanation, in_full))
        assert len(told) < 200
        assert any("940 more" in line for line in told)
