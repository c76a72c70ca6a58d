"""What goes on after a failure that nobody has handled, in each of the three modes."""

import asyncio
import threading
from typing import Any

import pytest

import anabranch
from anabranch import as_completed, checkpoint, context, pipeline, step


@step
def good(x: int) -> int:
    return x


@step
def breaking(x: object = None) -> int:
    raise ValueError("broken")


def until_the_run_stops() -> None:
    """In a sync step: returns once nothing new starts any more."""
    while not context().cancelled:
        threading.Event().wait(0.005)


def test_after_a_failure_nothing_new_starts_and_what_runs_ends(lab, notes) -> None:
    begun = threading.Event()

    @step
    def running() -> int:
        begun.set()
        until_the_run_stops()
        notes.add("running")
        return 1

    @step
    def after(x: int) -> int:
        notes.add("after")
        return x

    @step
    def fails(x: int) -> int:
        raise ValueError("broken")

    @pipeline
    def flow() -> Any:
        future = running.submit()
        after.submit(future)
        after.map([future, future])
        begun.wait(30)
        fails(good(1))

    run = lab.start(flow)

    assert run.status == "failed"
    assert notes.take() == ["running"]
    assert lab.statuses(run)["running"] == "completed"
    assert lab.statuses(run)["after"] == "pending"


def test_what_was_not_started_is_started_by_a_resume(lab, notes) -> None:
    begun, switch = threading.Event(), type(notes)()

    @step
    def running() -> int:
        begun.set()
        if len(switch) == 0:
            until_the_run_stops()
        return 1

    @step
    def after(x: int) -> int:
        notes.add(x)
        return x

    @step
    def fails() -> int:
        if len(switch) == 0:
            raise ValueError("broken")
        return 5

    @pipeline
    def flow() -> Any:
        late = after.submit(running.submit())
        begun.wait(30)
        fails()
        return late

    run = lab.start(flow)
    assert run.status == "failed"
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == 1
    assert sorted(lab.executed(again)) == ["after", "fails"]


def test_continue_on_failure_runs_what_does_not_depend_on_it(lab) -> None:
    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> Any:
        broken = breaking.submit()
        good.submit(broken)
        for number in range(20):
            good.submit(number)

    run = lab.start(flow)
    statuses = list(lab.statuses(run).values())

    assert run.status == "completed_with_failures"
    assert statuses.count("completed") == 20
    assert statuses.count("failed") == statuses.count("skipped") == 1
    assert isinstance(run.error, ValueError)


def test_continue_on_failure_goes_on_when_the_body_itself_ends_with_a_failure(lab, notes) -> None:
    gate = threading.Event()

    @step
    def slow() -> int:
        gate.wait(30)
        return 1

    @step
    def after(x: int) -> int:
        notes.add("after")
        return x

    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> Any:
        after.submit(slow.submit())
        try:
            breaking()
        finally:
            gate.set()

    run = lab.start(flow)

    assert run.status == "completed_with_failures"
    assert notes.take() == ["after"]


def test_fail_fast_cancels_async_steps_at_their_next_await(lab, notes) -> None:
    @step
    async def endless() -> int:
        notes.add("begun")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            notes.add("cancelled")
            raise
        return 1

    @step
    def wait_for_all() -> int:
        while len(notes) < 5:
            threading.Event().wait(0.005)
        raise ValueError("broken")

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        for number in range(5):
            endless.with_options(name=f"endless_{number}").submit()
        return wait_for_all()

    run = lab.start(flow)

    assert run.status == "failed"
    assert isinstance(run.error, ValueError)
    told = notes.take()
    assert told == ["begun"] * 5 + ["cancelled"] * 5
    assert [s for n, s in lab.statuses(run).items() if n.startswith("endless")] == ["cancelled"] * 5


def test_fail_fast_drops_the_result_of_a_sync_step_that_stops_at_a_checkpoint(lab, notes) -> None:
    begun = threading.Event()

    @step
    def long() -> int:
        begun.set()
        while not context().cancelled:
            threading.Event().wait(0.005)
        checkpoint()
        notes.add("beyond the checkpoint")
        return 1

    @step
    def fails() -> int:
        begun.wait(30)
        raise ValueError("broken")

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        long.submit()
        return fails()

    run = lab.start(flow)

    assert lab.statuses(run) == {"long": "cancelled", "fails": "failed"}
    assert notes.take() == []


def test_fail_fast_drops_the_result_of_a_sync_step_that_returns(lab) -> None:
    begun = threading.Event()

    @step
    def long() -> int:
        begun.set()
        while not context().cancelled:
            threading.Event().wait(0.005)
        return 1

    @step
    def fails() -> int:
        begun.wait(30)
        raise ValueError("broken")

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        long.submit()
        return fails()

    run = lab.start(flow)

    assert lab.statuses(run)["long"] == "cancelled"


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "FAIL_FAST"])
def test_a_failure_among_futures_that_nobody_looks_at_stops_a_body_that_has_ended(
    mode, lab, notes
) -> None:
    @step
    def item(x: int) -> int:
        if x == 3:
            raise ValueError("three")
        return x

    @pipeline(execution_mode=mode)
    def flow() -> Any:
        for number in range(50):
            item.submit(number)

    run = lab.start(flow)

    assert run.status == "failed"
    assert str(run.error) == "three"


def test_a_handled_failure_stops_nothing_in_any_mode(lab) -> None:
    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        try:  # noqa: SIM105
            breaking()
        except ValueError:
            pass
        return [good.submit(number) for number in range(5)]

    assert lab.start(flow).load() == [0, 1, 2, 3, 4]


def test_a_child_that_fails_in_its_own_mode_leaves_its_parent_going(lab) -> None:
    @pipeline(execution_mode="FAIL_FAST")
    def child() -> Any:
        breaking.submit()
        return good(1)

    @pipeline
    def flow() -> Any:
        error = child.submit().exception()
        return str(error), good(2)

    assert lab.start(flow).load() == ("broken", 2)


def test_a_parent_that_fails_stops_its_children(lab, notes) -> None:
    inside, failed = threading.Event(), threading.Event()

    @step
    def slow(x: int) -> int:
        inside.set()
        failed.wait(30)
        notes.add(x)
        return x

    @pipeline
    def child() -> Any:
        value = 0
        for number in range(1000):
            value = slow(number)
        return value

    @pipeline
    def flow() -> Any:
        child.submit()
        inside.wait(30)
        try:
            breaking()
        finally:
            failed.set()

    run = lab.start(flow)

    assert run.status == "failed"
    assert len(notes) < 1000
    assert isinstance(run.error, ValueError)


def test_what_the_body_has_seen_as_completed_before_a_failure_is_seen_again(lab, notes) -> None:
    """L8 across a run that failed in the middle of its watching."""
    switch = type(notes)()

    @step
    async def nap(x: int) -> int:
        await asyncio.sleep(0.002 * ((x * 7) % 5))
        return x

    @step
    def fails() -> int:
        if len(switch) == 0:
            raise ValueError("broken")
        return 0

    @pipeline
    def flow() -> Any:
        order: list[int] = []
        for future in as_completed(nap.map(range(10))):
            order.append(future.load())
            if len(order) == 5:
                notes.add(list(order))
                fails()
        notes.add(list(order))
        return order

    run = lab.start(flow)
    (before,) = notes.take()
    switch.add(1)
    again = lab.resume(run, flow)
    half, whole = notes.take()

    assert half == before
    assert whole[:5] == before
    assert sorted(again.load()) == list(range(10))


def test_the_failure_that_a_run_is_told_by_is_the_root_and_not_one_that_followed(lab) -> None:
    @pipeline
    def flow() -> Any:
        return good(good.submit(good.submit(breaking.submit())))

    run = lab.start(flow)

    assert type(run.error).__name__ in ("UpstreamFailed", "ValueError")
    state = lab.state(run)
    failed = {state.invocations[id].display for id in state.failed if id in state.invocations}
    assert "breaking" in failed


def test_gather_raises_the_first_failure_by_the_order_of_its_arguments(lab) -> None:
    @step
    def fails(x: int) -> int:
        raise ValueError(x)

    @pipeline
    def flow() -> Any:
        futures = [fails.submit(number) for number in range(5)]
        try:
            anabranch.gather(*futures)
        except ValueError as error:
            return error.args[0], len([f.exception() for f in futures])

    assert lab.start(flow).load() == (0, 5)


# --- fail fast while the body waits ------------------------------------------------------------------------------


@step
async def endless() -> int:
    await asyncio.sleep(3600)
    return 1


@step
def late_failure(x: int = 0) -> int:
    raise ValueError("late")


WAYS_TO_WAIT = {
    "result": lambda future: future.result(),
    "gather": anabranch.gather,
    "wait_all": lambda future: anabranch.wait_all([future]),
    "as_completed": lambda future: list(as_completed([future])),
}


@pytest.mark.parametrize("way", WAYS_TO_WAIT)
def test_fail_fast_does_not_wait_for_a_body_that_waits_for_something_else(way, lab) -> None:
    """The body would be shown the failure an hour later."""

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> None:
        slow = endless.submit()
        late_failure.submit()
        WAYS_TO_WAIT[way](slow)

    run = lab.start(flow)

    assert run.status == "failed"
    assert str(run.error) == "late"
    assert lab.statuses(run) == {"endless": "cancelled", "late_failure": "failed"}


def test_fail_fast_stops_an_async_body_that_waits_for_something_else(lab, notes) -> None:
    @pipeline(execution_mode="FAIL_FAST")
    async def flow() -> None:
        slow = endless.submit()
        late_failure.submit()
        try:
            await slow
        finally:
            notes.add("cleaned up")

    run = lab.start(flow)

    assert (run.status, str(run.error)) == ("failed", "late")
    assert notes.take() == ["cleaned up"]


def test_a_body_that_swallows_every_exception_is_stopped_all_the_same(lab, notes) -> None:
    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> None:
        slow = endless.submit()
        late_failure.submit()
        try:
            slow.result()
        except Exception:  # noqa: BLE001
            notes.add("swallowed")
        good(1)
        notes.add("went on")

    run = lab.start(flow)

    assert (run.status, str(run.error)) == ("failed", "late")
    assert notes.take() == []


def test_fail_fast_gives_a_body_the_failure_that_it_waits_for(lab) -> None:
    """It may handle it, whether the failure is that of the call itself or of what the call depends on."""

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        first = late_failure.submit()
        behind = good.submit(late_failure.submit(1))
        return [type(first.exception()).__name__, type(behind.exception()).__name__, good(3)]

    assert lab.start(flow).load() == ["ValueError", "UpstreamFailed", 3]


def test_fail_fast_ends_a_map_with_its_first_failure_and_lets_the_body_handle_it(lab) -> None:
    """The other items would take an hour."""

    @step
    async def item(x: int) -> int:
        if x == 7:
            raise ValueError("seven")
        await asyncio.sleep(3600)
        return x

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        try:
            item.map(range(20)).result()
        except ValueError as error:
            return [str(error), good(1)]

    run = lab.start(flow)

    assert run.load() == ["seven", 1]
    assert list(lab.statuses(run).values()).count("cancelled") == 19


def test_fail_fast_in_a_child_ends_the_child_and_not_its_parent(lab) -> None:
    @pipeline(execution_mode="FAIL_FAST")
    def child() -> Any:
        slow = endless.submit()
        late_failure.submit()
        return slow.result()

    @pipeline
    def flow() -> Any:
        error = child.submit().exception()
        return str(error), good(2)

    assert lab.start(flow).load() == ("late", 2)


def test_a_resume_of_a_run_that_failed_fast_finishes_it(lab, notes) -> None:
    @step
    async def slow() -> int:
        if len(notes) == 0:
            await asyncio.sleep(3600)
        return 1

    @step
    def fails_once() -> int:
        if len(notes) == 0:
            raise ValueError("once")
        return 2

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        first, second = slow.submit(), fails_once.submit()
        return first.load() + second.load()

    run = lab.start(flow)
    assert run.status == "failed"
    notes.add("mended")

    again = lab.resume(run, flow)

    assert again.load() == 3


def test_after_a_failure_what_is_queued_for_a_thread_does_not_start(lab, notes) -> None:
    """More sync steps than there are threads, all of them ready."""

    @step
    def item(x: int) -> int:
        notes.add(x)
        until_the_run_stops()
        return x

    @pipeline
    def flow() -> Any:
        for number in range(500):
            item.submit(number)
        while not len(notes):
            threading.Event().wait(0.005)
        raise ValueError("body")

    run = lab.start(flow)

    assert run.status == "failed"
    assert len(notes) < 500
    assert "pending" in lab.statuses(run).values()
