"""What became of a call, life by life."""

import pytest

from anabranch.errors import UserMistake
from anabranch.journal.events import (
    AttemptEnded,
    DriverStarted,
    Event,
    InvocationCreated,
    MapExpanded,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
)
from anabranch.journal.fold import RunState, fold
from anabranch.journal.history import Episode, histories
from anabranch.journal.names import called, paths_of
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Failure

A, B = InvocationId("a"), InvocationId("b")
NO = Failure(type="builtins:OSError", message="no", traceback="")


def created(origin: str | None = None) -> RunCreated:
    return RunCreated(
        at=0.0,
        run=RunId("r"),
        pipeline="p",
        entry={},
        stack="local",
        version="0",
        origin=None if origin is None else RunId(origin),
    )


def life(number: int) -> DriverStarted:
    return DriverStarted(at=0.0, life=number, holder="h", python="3")


def call(id: InvocationId, display: str = "", **more: object) -> InvocationCreated:
    return InvocationCreated(
        at=0.0, invocation=id, step="work", display=display or f"work_{id}", **more
    )


def outcome(id: InvocationId, status: str = "completed", **more: object) -> OutcomeRecorded:
    given = {"attempt": 1, "seconds": 0.5, **more}
    return OutcomeRecorded(at=0.0, invocation=id, status=status, **given)


def told(*events: Event) -> dict[InvocationId, list[Episode]]:
    return histories(enumerate(events, 1))


def test_a_call_that_ran_was_reused_and_ran_again_has_an_episode_for_each_life() -> None:
    found = told(
        created(),
        life(1),
        call(A),
        outcome(A),
        life(2),
        OutcomeReused(at=0.0, invocation=A),
        life(3),
        OutcomeDiscarded(at=0.0, invocation=A, reason="its code has changed"),
        outcome(A, seconds=0.7),
    )

    assert found[A] == [
        Episode(life=1, status="completed", attempts=1, seconds=0.5),
        Episode(life=2, is_reused=True, is_repeated=True),
        Episode(
            life=3,
            status="completed",
            attempts=1,
            seconds=0.7,
            again="its code has changed",
            is_repeated=True,
        ),
    ]
    assert [episode.ran for episode in found[A]] == [True, False, True]


def test_attempts_that_were_followed_by_others_are_kept_with_their_failures() -> None:
    failed = AttemptEnded(at=0.0, invocation=A, attempt=1, failure=NO, retry_at=1.0)
    found = told(created(), life(1), call(A), failed, outcome(A, attempt=2))

    assert found[A] == [Episode(life=1, status="completed", attempts=2, seconds=0.5, retried=(NO,))]


def test_a_skipped_call_names_what_it_was_skipped_for_and_did_not_run() -> None:
    found = told(
        created(),
        life(1),
        call(A),
        call(B),
        outcome(A, "failed", failure=NO),
        outcome(B, "skipped", attempt=0, cause=A),
    )

    assert (found[A][0].failure, found[A][0].ran) == (NO, True)
    assert (found[B][0].cause, found[B][0].ran) == (A, False)


def test_a_call_that_was_skipped_and_then_runs_does_not_run_again() -> None:
    found = told(
        created(),
        life(1),
        call(A),
        outcome(A, "skipped", attempt=0),
        life(2),
        OutcomeDiscarded(at=0.0, invocation=A, reason="it was skipped; resume tries again"),
        outcome(A),
    )

    assert [episode.is_repeated for episode in found[A]] == [False, False]


def test_a_life_that_ended_before_the_outcome_leaves_an_episode_without_one() -> None:
    found = told(created(), life(1), call(A), life(2), outcome(A))

    assert [episode.status for episode in found[A]] == [None, "completed"]


def test_what_a_rerun_took_over_comes_from_its_origin_and_a_cache_hit_from_its_own() -> None:
    found = told(
        created("older"), call(A), outcome(A), life(1), call(B), outcome(B, origin=RunId("other"))
    )

    assert [(episode.life, episode.origin) for episode in found[A]] == [(0, "older")]
    assert [(episode.life, episode.origin) for episode in found[B]] == [(1, "other")]
    assert not found[A][0].ran
    assert not found[B][0].ran


# --- names -----------------------------------------------------------------------------------------------------


def named() -> RunState:
    return fold(
        enumerate(
            (
                created(),
                life(1),
                call(A, "tune", pipeline=True),
                MapExpanded(
                    at=0.0, map=InvocationId("m"), step="score", display="score_2", count=2, scope=A
                ),
                call(InvocationId("m0"), "score_2[0]", scope=A, map=InvocationId("m")),
                call(InvocationId("m1"), "score_2[1]", scope=A, map=InvocationId("m")),
                call(B, "work"),
            ),
            1,
        )
    )


def test_a_path_leads_through_the_child_runs() -> None:
    assert paths_of(named()) == {
        "a": "tune",
        "m": "tune/score_2",
        "m0": "tune/score_2[0]",
        "m1": "tune/score_2[1]",
        "b": "work",
    }


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("tune", {"a"}),
        ("score", {"m", "m0", "m1"}),
        ("score_2", {"m", "m0", "m1"}),
        ("tune/score_2", {"m", "m0", "m1"}),
        ("score_2[1]", {"m1"}),
        ("tune/score_2[0]", {"m0"}),
        ("work", {"a", "b", "m0", "m1"}),
    ],
)
def test_a_word_stands_for_a_step_a_call_a_map_or_a_path(word: str, ids: set[str]) -> None:
    assert called(named(), word) == ids


def test_a_word_that_stands_for_nothing_is_a_mistake_with_the_nearest() -> None:
    with pytest.raises(UserMistake) as refused:
        called(named(), "scroe")

    assert "did you mean 'score'?" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 3
