"""Pipelines in pipelines: recursive, side by side, resumed, failing."""

import asyncio
import threading
from typing import Any

import pytest

from anabranch import as_completed, context, gather, now, pipeline, step, uuid4


@step
def add(x: int, y: int) -> int:
    return x + y


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def fibonacci(n: int) -> Any:
    if n < 2:
        return add(n, 0)
    return add(fibonacci(n - 1), fibonacci.submit(n - 2))


@pipeline
async def afibonacci(n: int) -> Any:
    if n < 2:
        return await add.submit(n, 0)
    one, other = await asyncio.gather(afibonacci.submit(n - 1), afibonacci.submit(n - 2))
    return add(one, other)


@pipeline
def nested(depth: int) -> Any:
    return add(depth, 0) if depth == 0 else nested(depth - 1)


@pytest.mark.parametrize("kind", [fibonacci, afibonacci], ids=["sync", "async"])
def test_a_recursive_pipeline_computes(kind, lab) -> None:
    assert lab.start(kind, 8).load() == 21


def test_a_child_may_be_60_levels_deep(lab) -> None:
    run = lab.start(nested, 60)

    assert run.load() == 0
    assert len(lab.state(run).invocations) == 61


def test_20_children_with_20_steps_each_run_beside_each_other(lab) -> None:
    meeting = threading.Barrier(20)

    @step
    def meet(x: int) -> int:
        meeting.wait(60)
        return x

    @pipeline
    def child(x: int) -> Any:
        return total([meet(x), *add.map(range(19), y=[x] * 19)])

    @pipeline
    def flow() -> Any:
        return [child.submit(x) for x in range(20)]

    assert lab.start(flow).load() == [x + sum(range(19)) + 19 * x for x in range(20)]


def test_equal_calls_in_two_children_are_two_calls(lab, notes) -> None:
    @step
    def work(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def child(who: str) -> Any:
        return work(1)

    @pipeline
    def flow() -> Any:
        return child("a"), child("b"), work(1), child("a")

    run = lab.start(flow)

    assert run.load() == (1, 1, 1, 1)
    assert notes.take() == [1, 1, 1, 1]
    assert len({known.invocation for known in lab.state(run).invocations.values()}) == 7


def test_an_embedded_body_makes_calls_of_its_parent(lab, notes) -> None:
    """So a call in it is the same as one beside it, and has another number."""

    @step
    def work(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def part() -> Any:
        return work(1)

    @pipeline
    def flow() -> Any:
        return part.embed(), work(1)

    run = lab.start(flow)

    assert run.load() == (1, 1)
    assert list(lab.statuses(run)) == ["work", "work_2"]
    assert {known.scope for known in lab.state(run).invocations.values()} == {""}


def test_a_child_that_is_complete_is_reused_whole_and_its_body_does_not_run(lab, notes) -> None:
    switch = type(notes)()

    @pipeline
    def child(x: int) -> Any:
        notes.add(("child", x))
        made = add(x, 1)
        return {"made": made, "plain": [x, "text"], "several": (made, add(x, 2))}

    @step
    def later(found: dict[str, Any]) -> int:
        if len(switch) == 0:
            raise OSError
        return found["made"] + found["several"][1]

    @pipeline
    def flow() -> Any:
        found = child.submit(5)
        return later(found), found

    run = lab.start(flow)
    assert notes.take() == [("child", 5)]
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == (13, {"made": 6, "plain": [5, "text"], "several": (6, 7)})
    assert notes.take() == []
    assert lab.executed(again) == ["later"]


def test_a_child_that_was_in_the_middle_goes_on_with_what_it_had(lab, notes) -> None:
    switch = type(notes)()

    @step
    def part(x: int) -> int:
        notes.add(x)
        if x == 3 and len(switch) == 0:
            raise OSError
        return x

    @pipeline
    def child(n: int) -> Any:
        return total([part(x) for x in range(n)])

    @pipeline
    def flow() -> Any:
        return child(5)

    run = lab.start(flow)
    assert run.status == "failed"
    notes.take()
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == 10
    assert notes.take() == [3, 4]


def test_an_unhandled_failure_three_levels_down_is_tried_again_and_its_handled_sibling_is_not(
    lab, notes
) -> None:
    switch = type(notes)()

    @step
    def fails(who: str) -> int:
        notes.add(who)
        if len(switch) == 0 or who == "handled":
            raise ValueError(who)
        return 1

    @pipeline
    def inner() -> Any:
        assert fails.submit("handled").exception() is not None
        return fails.submit("deep")

    @pipeline
    def middle() -> Any:
        return inner()

    @pipeline
    def flow() -> Any:
        return middle.submit()

    run = lab.start(flow)
    assert str(run.error) == "deep"
    assert notes.take() == ["handled", "deep"]
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == 1
    assert notes.take() == ["deep"]


def test_a_child_whose_failure_is_handled_stays_failed_and_is_not_tried_again(lab, notes) -> None:
    switch = type(notes)()

    @step
    def fails(who: str) -> int:
        notes.add(who)
        if who == "child" or len(switch) == 0:
            raise ValueError(who)
        return 1

    @pipeline
    def child() -> Any:
        return fails("child")

    @pipeline
    def flow() -> Any:
        try:
            child()
        except ValueError as error:
            return str(error), fails("parent")

    run = lab.start(flow)
    assert notes.take() == ["child", "parent"]
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == ("child", 1)
    assert notes.take() == ["parent"]


def test_what_was_skipped_in_a_child_whose_failure_is_handled_stays_skipped(lab, notes) -> None:
    """It does not wait for ever in a run that has completed; if the child runs again, it runs too."""
    switch = type(notes)()

    @step
    def stop() -> int:
        if len(switch) == 0:
            raise OSError("not yet")
        return 1

    def flow_with(version: int) -> Any:
        @step
        def fails(who: str) -> int:
            if version == 1:
                raise ValueError(who)
            return version

        @pipeline(execution_mode="CONTINUE_ON_FAILURE")
        def child() -> None:
            add.submit(fails.submit("child"), 1)

        @pipeline
        def flow() -> Any:
            try:
                child()
            except ValueError:
                notes.add("handled")
            return stop()

        return flow

    first = lab.start(flow_with(1))
    edited = lab.start(flow_with(1))
    switch.add(1)
    again = lab.resume(first, flow_with(1))

    assert lab.statuses(again) == {
        "child": "failed",
        "fails": "failed",
        "add": "skipped",
        "stop": "completed",
    }
    assert "add" not in lab.reasons(again)
    assert notes.take() == ["handled"] * 3
    mended = lab.resume(edited, flow_with(2))
    assert set(lab.statuses(mended).values()) == {"completed"}
    assert lab.reasons(mended)["add"] == "it was skipped"


def test_L8_a_child_draws_values_of_its_own_and_sees_them_again(lab, notes) -> None:
    switch = type(notes)()

    @pipeline
    def child(x: int) -> Any:
        drawn = (str(uuid4()), now().timestamp())
        notes.add(drawn)
        made = add(x, 1)
        if len(switch) == 0:
            raise OSError
        return made

    @pipeline
    def flow() -> Any:
        notes.add((str(uuid4()), now().timestamp()))
        found = [child.submit(x) for x in range(3)]
        return gather(*found)

    run = lab.start(flow)
    before = notes.take()
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == [1, 2, 3]
    assert len(set(before)) == 4
    assert sorted(notes.take()) == sorted(before)


def test_children_are_handed_artifacts_and_futures_as_references(lab, notes) -> None:
    gate = threading.Event()

    @step
    def held() -> list[int]:
        assert gate.wait(30)
        return [1, 2, 3]

    @pipeline
    def child(whole: Any, item: Any, several: Any) -> Any:
        notes.add([type(each).__name__ for each in (whole, item, several["inside"])])
        return total(whole), add(item, 10), total(several["inside"]), total(add.map(whole, y=whole))

    @pipeline
    def flow() -> Any:
        made = held.submit()
        other = add.map([1, 2], y=[3, 4])
        future = child.submit(made, 7, {"inside": other})
        gate.set()
        return future

    assert lab.start(flow).load() == (6, 17, 10, 12)
    assert notes.take() == [["Artifact", "int", "MapFuture"]]


def test_a_child_knows_its_run_and_its_parameters(lab) -> None:
    @pipeline
    def child(x: int) -> Any:
        return context().run_id, dict(context().parameters), context().pipeline

    @pipeline
    def flow() -> Any:
        return context().run_id, child(1), child(2)

    parent, (one, parameters, name), (other, *_) = lab.start(flow).load()
    assert one.startswith(f"{parent}~")
    assert one != other
    assert (parameters, name) == ({"x": 1}, "child")


def test_as_completed_takes_children_and_steps_together(lab) -> None:
    gates = [threading.Event() for _ in range(3)]

    @step
    def held(x: int) -> int:
        assert gates[x].wait(30)
        return x

    @pipeline
    def child(x: int) -> Any:
        return held(x)

    @pipeline
    def flow() -> Any:
        futures = [child.submit(0), held.submit(1), child.submit(2)]
        order = []
        gates[2].set()
        for future in as_completed(futures):
            order.append(future.load())
            gates[{2: 1, 1: 0}.get(order[-1], 0)].set()
        return order

    assert lab.start(flow).load() == [2, 1, 0]


def test_the_output_of_a_child_is_an_edge_for_what_is_downstream(lab) -> None:
    """What depends on a child's output is reused after the child ran again and made the same."""

    def code(version: int, ready: bool):
        @step
        def work(x: int) -> int:
            return x + version - version

        @step
        def down(x: int) -> int:
            return x * 2

        @step
        def stop(go_on: bool) -> int:
            if not go_on:
                raise OSError
            return 0

        @pipeline
        def child() -> Any:
            return work(4)

        @pipeline
        def flow() -> Any:
            made = down(child())
            stop(ready)
            return made

        return flow

    run = lab.start(code(1, ready=False))
    again = lab.resume(run, code(2, ready=True))

    assert again.load() == 8
    assert sorted(lab.executed(again)) == ["child", "stop", "work"]
