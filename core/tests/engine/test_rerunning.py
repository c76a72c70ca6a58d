"""`rerun` begins a new run with what another has recorded; what is named, and what depends on it, runs again."""

from collections.abc import Callable
from typing import Any

import pytest

import anabranch
from anabranch import as_completed, pipeline, step, unmapped
from anabranch.authoring.runs import Run
from anabranch.engine.launching import relaunch
from anabranch.engine.rerunning import branch_off
from anabranch.errors import CallError, NotSerializable, RunNotResumable, UserMistake
from anabranch.journal.events import (
    DriverStarted,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    WaitAnswered,
    WaitOpened,
)
from anabranch.journal.holders import this_holder
from anabranch.journal.names import paths_of


@step
def one(x: Any = 1) -> Any:
    return x


@step
def twice(x: Any, y: Any = 0) -> Any:
    return x * 2


@step
def numbers(n: int) -> list[int]:
    return list(range(n))


@step
def large(x: int) -> bytes:
    return bytes([x]) * 100_000


@step
def size(data: Any) -> int:
    return len(data)


@pipeline
def inner(x: Any) -> Any:
    return twice(one(x))


@pipeline
def outer(x: Any) -> Any:
    other = one(x)
    return twice(inner(x)), other


@pytest.fixture
def again(lab) -> Callable[..., tuple[Run, set[str]]]:
    """Reruns a run from a step; gives the new run and the paths of the calls that were executed in it."""

    def made(run: Run, from_step: str, flow: Any, **parameters: Any) -> tuple[Run, set[str]]:
        definition = flow._definition
        new = branch_off(run.id, from_step, definition, parameters, lab.stack)
        made = Run(lab.stack, relaunch(new, definition, lab.stack))
        events = lab.events(made)
        started = next(i for i, event in enumerate(events) if isinstance(event, DriverStarted))
        paths = paths_of(made.state)
        executed = {paths[e.invocation] for e in events[started:] if isinstance(e, OutcomeRecorded)}
        return made, executed

    return made


@pipeline
def wide() -> Any:
    """Of everything a little: chains, maps of maps, children, options that only order."""
    start = one(1)
    mapped = twice.map(numbers(4), unmapped(start))
    both = twice.map(mapped)
    child = outer(start)
    beside = one.submit("beside")
    later = one.submit("later", after=beside)
    listed = twice.map([one.submit("a"), one.submit("b")], id="listed")
    return size(both), child, later, listed, size(large(3))


MAPS = {*(f"twice[{i}]" for i in range(4)), *(f"twice_2[{i}]" for i in range(4)), "size"}

FROM: dict[str, set[str]] = {
    "size": {"size", "size_2"},
    "size_2": {"size_2"},
    "large": {"large", "size_2"},
    "numbers": {"numbers", *MAPS},
    "twice[2]": {"twice[2]", "twice_2[2]", "size"},
    "twice_2": {*(f"twice_2[{i}]" for i in range(4)), "size"},
    "one_2": {"one_2", "one_3"},
    "one_4": {"one_4", "listed[0]"},
    "outer": {
        *("outer", "outer/one", "outer/inner", "outer/twice"),
        *("outer/inner/one", "outer/inner/twice"),
    },
    "inner": {
        *("outer", "outer/inner", "outer/twice", "outer/inner/one", "outer/inner/twice"),
    },
    "outer/inner/twice": {"outer", "outer/inner", "outer/twice", "outer/inner/twice"},
    "outer/one": {"outer", "outer/one"},
}


@pytest.mark.parametrize("from_step", FROM)
def test_what_is_named_runs_again_and_what_depends_on_it_and_nothing_else(
    from_step, lab, again
) -> None:
    run = lab.start(wide)
    assert run.status == "completed"

    new, executed = again(run, from_step, wide)

    assert executed == FROM[from_step]
    assert new.status == "completed"
    assert new.load() == run.load()


def test_the_name_of_a_step_stands_for_all_its_calls_in_children_too(lab, again) -> None:
    run = lab.start(wide)

    _, executed = again(run, "twice", wide)

    assert {"outer", "outer/inner/twice", "twice[0]", "twice_2[3]", "listed[1]", "size"} <= executed
    assert "numbers" not in executed
    assert "large" not in executed


def test_the_old_run_is_left_as_it_is_and_the_new_one_says_where_it_comes_from(lab, again) -> None:
    run = lab.start(wide)
    before = lab.events(run)

    new, _ = again(run, "size", wide)

    assert lab.events(run) == before
    created = lab.events(new)[0]
    assert isinstance(created, RunCreated)
    assert (created.run, created.origin) == (new.id, run.id)
    assert new.id != run.id


def test_large_values_are_shared_and_small_ones_are_read_from_the_new_journal(
    lab, again, stack
) -> None:
    run = lab.start(wide)
    stored = sorted((stack.home / "artifacts").rglob("*"))

    new, _ = again(run, "size_2", wide)

    assert sorted((stack.home / "artifacts").rglob("*")) == stored
    assert new.artifact("large").load() == bytes([3]) * 100_000
    assert new.artifact("numbers").load() == [0, 1, 2, 3]


def test_a_rerun_can_be_rerun(lab, again) -> None:
    run = lab.start(wide)
    second, _ = again(run, "large", wide)
    third, executed = again(second, "one_2", wide)

    assert executed == {"one_2", "one_3"}
    assert third.state.created.origin == second.id
    assert third.load() == run.load()


def test_what_comes_before_is_judged_like_in_a_resume(lab, again) -> None:
    """L3: taken over is not the same as believed."""

    def flow_with(factor: int) -> Any:
        @step
        def scale(x: int) -> int:
            return x * factor

        @pipeline
        def flow() -> Any:
            return twice(scale(one(2))), one("last")

        return flow

    run = lab.start(flow_with(2))
    new, executed = again(run, "one_2", flow_with(3))

    assert executed == {"scale", "twice", "one_2"}
    assert new.load() == (12, "last")


def test_failed_calls_are_tried_again_handled_or_not(lab, again, notes) -> None:
    def flow_with(ready: bool) -> Any:
        @step
        def risky(x: int) -> int:
            notes.add(x)
            if not ready:
                raise ValueError(x)
            return x

        @pipeline
        def flow() -> Any:
            try:
                risky(1)
            except ValueError:
                twice("handled")
            return one("end"), risky(2)

        return flow

    run = lab.start(flow_with(False))
    assert run.status == "failed"
    notes.take()

    new, executed = again(run, "one", flow_with(True))

    assert new.load() == ("end", 2)
    assert sorted(notes.take()) == [1, 2]
    assert executed == {"risky", "one", "risky_2"}


def test_what_the_body_saw_it_sees_again(lab, again, notes) -> None:
    """L8: draws and the order of completion are taken over."""

    @pipeline
    def flow() -> Any:
        seen = [anabranch.now(), anabranch.uuid4(), anabranch.random()]
        order = [found.load() for found in as_completed([one.submit(i) for i in range(8)])]
        notes.add((seen, order))
        return one("end")

    run = lab.start(flow)
    again(run, "one_9", flow)

    first, second = notes.take()
    assert first == second


def test_arguments_can_be_replaced_and_the_others_stay(lab, again) -> None:
    @pipeline
    def flow(rows: int, *more: int, label: str = "a", **rest: Any) -> Any:
        return numbers(rows), one([rows, more, label, rest])

    run = lab.start(flow, 2, 3, label="b", extra=1)
    new, executed = again(run, "one", flow, label="c", other=2)

    assert new.load() == ([0, 1], [2, (3,), "c", {"extra": 1, "other": 2}])
    assert executed == {"one"}
    unchanged, _ = again(run, "one", flow)
    assert unchanged.load() == run.load()


def test_an_argument_that_does_not_exist_is_refused_before_there_is_a_run(lab) -> None:
    run = lab.start(inner, 3)

    with pytest.raises(CallError, match="no parameter 'y'") as refused:
        branch_off(run.id, "one", inner._definition, {"y": 1}, lab.stack)

    assert len(str(refused.value).splitlines()) == 3
    assert len(lab.stack.journal.runs()) == 1


@pytest.mark.parametrize(("word", "hint"), [("twcie", "'twice'"), ("zzz", "known: one, twice")])
def test_a_step_that_the_run_does_not_have_is_refused_with_the_nearest(word, hint, lab) -> None:
    run = lab.start(inner, 3)

    with pytest.raises(UserMistake) as refused:
        branch_off(run.id, word, inner._definition, {}, lab.stack)

    assert len(str(refused.value).splitlines()) == 3
    assert hint in str(refused.value)
    assert len(lab.stack.journal.runs()) == 1


def test_a_run_that_goes_on_is_not_rerun(lab) -> None:
    @pipeline
    def flow() -> None:
        one()
        run = lab.stack.journal.find("latest")
        with pytest.raises(RunNotResumable, match="is going on") as refused:
            branch_off(run, "one", flow._definition, {}, lab.stack)
        assert len(str(refused.value).splitlines()) == 3

    assert lab.start(flow).error is None


def test_an_empty_map_can_be_named(lab, again) -> None:
    @pipeline
    def flow() -> Any:
        return size(twice.map(numbers(0)))

    run = lab.start(flow)
    _, executed = again(run, "twice", flow)

    assert executed == {"size"}


def test_answers_are_taken_over_without_the_numbers_of_their_messages(lab) -> None:
    """Messages are numbered by run: the new run must not take its own for dealt with."""
    run = lab.start(inner, 3)
    writer = lab.stack.journal.acquire(run.id, this_holder(), 60)
    wait = WaitOpened(at=1.0, wait="w" * 32, display="approve", question="?", schema=None)
    answer = WaitAnswered(at=2.0, wait=wait.wait, message=17, sender="anna", data=b"true")
    writer.append([wait, answer])
    writer.release()

    new = branch_off(run.id, "one", inner._definition, {}, lab.stack)

    state = lab.state(Run(lab.stack, relaunch(new, inner._definition, lab.stack)))
    assert state.waits[wait.wait].sender == "anna"
    assert state.handled == set()


def test_a_rerun_of_thousands_of_items_copies_them_in_pieces(lab, again) -> None:
    @pipeline
    def flow() -> Any:
        return size(twice.map(numbers(2500)))

    run = lab.start(flow)
    new, executed = again(run, "size", flow)

    assert executed == {"size"}
    assert sum(isinstance(event, OutcomeReused) for event in lab.events(new)) == 2501
    assert sum(isinstance(event, OutcomeRecorded) for event in lab.events(new)) == 2502


def test_an_artifact_of_another_run_can_be_an_argument_and_what_cannot_be_kept_is_refused(
    lab, again
) -> None:
    run = lab.start(inner, 3)
    made = lab.start(inner, 5).output

    new, _ = again(run, "one", inner, x=made)
    assert new.load() == 20

    with pytest.raises(NotSerializable, match="in: an argument of pipeline 'inner'"):
        branch_off(run.id, "one", inner._definition, {"x": lab.stack.journal}, lab.stack)


def test_what_was_told_to_come_after_an_artifact_or_before_a_map_is_downstream_too(
    lab, again
) -> None:
    """No value flows, and yet the author has said that one comes after the other."""

    @pipeline
    def flow() -> Any:
        first = one("first")
        twice.with_options(name="told")(5, after=first)
        size.with_options(name="each").map([[1], [2]], after=[one.submit("second")])
        twice.with_options(name="aside")(7)

    run = lab.start(flow)
    _, executed = again(run, "one", flow)

    assert executed == {"one", "one_2", "told", "each[0]", "each[1]"}
