"""Asking a call to stop: whatever it is doing then, it has one outcome and nobody waits for ever."""

import asyncio
import random
import threading
from typing import Any

import pytest

import anabranch
from anabranch import context, pipeline, step
from anabranch.errors import Cancelled, UpstreamFailed


@step
def good(x: int) -> int:
    return x


def test_a_call_that_waits_for_its_upstream_is_cancelled_at_once_and_never_runs(lab, notes) -> None:
    gate = threading.Event()

    @step
    def held() -> int:
        gate.wait(30)
        return 1

    @step
    def later(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def flow() -> Any:
        first = held.submit()
        second = later.submit(first)
        assert second.cancel()
        assert second.done()
        assert isinstance(second.exception(), Cancelled)
        gate.set()
        return first

    run = lab.start(flow)

    assert run.load() == 1
    assert notes.take() == []
    assert lab.statuses(run) == {"held": "completed", "later": "cancelled"}


def test_what_depends_on_a_cancelled_call_is_skipped(lab) -> None:
    gate = threading.Event()

    @step
    def held() -> int:
        gate.wait(30)
        return 1

    @pipeline
    def flow() -> Any:
        first = held.submit()
        second = good.submit(first)
        third = good.submit(second)
        second.cancel()
        error = third.exception()
        gate.set()
        return type(error) is UpstreamFailed, type(error.__cause__).__name__

    run = lab.start(flow)

    assert run.load() == (True, "Cancelled")
    assert lab.statuses(run)["good_2"] == "skipped"


def test_a_running_async_step_is_cancelled_and_may_clean_up(lab, notes) -> None:
    begun = threading.Event()

    @step
    async def endless() -> int:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            notes.add("cleaned")
        return 1

    @pipeline
    def flow() -> Any:
        future = endless.submit()
        begun.wait(30)
        assert future.cancel()
        return type(future.exception()).__name__

    assert lab.start(flow).load() == "Cancelled"
    assert notes.take() == ["cleaned"]


def test_a_running_sync_step_learns_that_it_is_to_stop(lab, notes) -> None:
    begun = threading.Event()

    @step
    def long() -> int:
        begun.set()
        while not context().cancelled:
            threading.Event().wait(0.002)
        anabranch.checkpoint()
        notes.add("not reached")
        return 1

    @pipeline
    def flow() -> Any:
        future = long.submit()
        begun.wait(30)
        assert future.cancel()
        return type(future.exception()).__name__

    assert lab.start(flow).load() == "Cancelled"
    assert notes.take() == []


def test_what_is_done_is_not_cancelled(lab) -> None:
    @pipeline
    def flow() -> Any:
        future = good.submit(1)
        future.wait()
        return future.cancel(), future.load()

    assert lab.start(flow).load() == (False, 1)


def test_cancelling_a_map_cancels_its_items_and_those_that_are_done_stay(lab) -> None:
    gate, begun = threading.Event(), threading.Event()

    @step
    def item(x: int) -> int:
        if x == 1:
            begun.set()
            gate.wait(30)
        return x

    @pipeline
    def flow() -> Any:
        found = item.map(range(50), max_concurrency=1)
        begun.wait(30)
        assert found.cancel()
        gate.set()
        return [type(future.exception()).__name__ for future in found]

    names = lab.start(flow).load()

    assert names[0] == "NoneType"
    assert names[2:] == ["Cancelled"] * 48


def test_a_map_that_has_no_items_yet_can_be_cancelled(lab, notes) -> None:
    gate = threading.Event()

    @step
    def several() -> list[int]:
        gate.wait(30)
        return [1, 2, 3]

    @step
    def item(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def flow() -> Any:
        made = several.submit()
        found = item.map(made)
        asked = found.cancel()
        gate.set()
        made.wait()
        found.wait()
        return asked, type(found.exception()).__name__

    assert lab.start(flow).load() == (True, "Cancelled")
    assert notes.take() == []


def test_cancelling_a_child_stops_what_it_would_do_next(lab, notes) -> None:
    begun, gate = threading.Event(), threading.Event()

    @step
    def item(x: int) -> int:
        notes.add(x)
        begun.set()
        gate.wait(30)
        return x

    @pipeline
    def child() -> Any:
        for number in range(100):
            item(number)

    @pipeline
    def flow() -> Any:
        future = child.submit()
        begun.wait(30)
        assert future.cancel()
        gate.set()
        return type(future.exception()).__name__

    run = lab.start(flow)

    assert run.load() == "Cancelled"
    assert len(notes) <= 2
    assert lab.statuses(run)["child"] == "cancelled"


def test_an_async_step_that_is_cancelled_before_its_second_attempt_begins_is_not_lost(lab) -> None:
    """Between the moment when the attempt is put into the event loop and its first line."""
    blocked, gate = threading.Event(), threading.Event()

    @step
    async def blocker() -> int:
        blocked.set()
        gate.wait(30)  # holds the whole loop
        return 1

    @step(retry=2)
    async def twice() -> int:
        if context().attempt == 1:
            raise OSError
        await asyncio.sleep(3600)
        return 1

    @pipeline
    def flow() -> Any:
        future = twice.submit()
        while not lab.attempts_ended_in(future):
            future.wait(0.001)
        other = blocker.submit()
        blocked.wait(30)
        future.cancel()
        gate.set()
        return type(future.exception()).__name__, other

    assert lab.start(flow).load() == ("Cancelled", 1)


@pytest.mark.parametrize("seed", range(3))
def test_cancelling_an_async_step_at_any_moment_of_its_attempts_leaves_it_with_one_outcome(
    seed, lab
) -> None:
    chance = random.Random(seed)

    @step(retry=5)
    async def restless(x: int) -> int:
        if context().attempt < 4:
            await asyncio.sleep(0)
            raise OSError
        await asyncio.sleep(0.001)
        return x

    @pipeline
    def flow() -> Any:
        futures = [restless.submit(number) for number in range(60)]
        for future in chance.sample(futures, 60):
            if chance.random() < 0.7:
                future.cancel()
            threading.Event().wait(chance.random() * 0.0005)
        return [type(future.exception()).__name__ for future in futures]

    run = lab.start(flow)

    assert set(run.load()) <= {"NoneType", "Cancelled"}
    assert set(lab.statuses(run).values()) <= {"completed", "cancelled"}


@pytest.mark.parametrize("seed", range(3))
def test_L1_cancelling_sync_and_async_calls_at_random_leaves_each_with_one_outcome(
    seed, lab
) -> None:
    chance = random.Random(seed)

    @step
    def sync(x: int, y: int = 0) -> int:
        return x

    @step
    async def asynchronous(x: int, y: int = 0) -> int:
        await asyncio.sleep(0.0005 * (x % 3))
        return x

    @pipeline
    def flow() -> Any:
        futures: list[Any] = []
        for number in range(150):
            upstream = chance.choice(futures) if futures and chance.random() < 0.3 else number
            made = chance.choice([sync, asynchronous]).submit(number, upstream)
            futures.append(made)
            if chance.random() < 0.3:
                chance.choice(futures).cancel()
        return [type(future.exception()).__name__ for future in futures]

    run = lab.start(flow)
    names = run.load()

    assert run.status == "completed"
    assert set(names) <= {"NoneType", "Cancelled", "UpstreamFailed"}
    statuses = list(lab.statuses(run).values())
    assert len(statuses) == 150
    assert statuses.count("completed") == names.count("NoneType")


def test_a_cancelled_call_is_tried_again_by_a_resume(lab, notes) -> None:
    begun, gate, switch = threading.Event(), threading.Event(), type(notes)()

    @step
    def held() -> int:
        begun.set()
        gate.wait(30)
        return 1

    @step
    def later(x: int) -> int:
        return x + 1

    @step
    def fails() -> int:
        if len(switch) == 0:
            raise OSError
        return 0

    @pipeline
    def flow() -> Any:
        second = later.submit(held.submit())
        if len(switch) == 0:
            second.cancel()
            second.exception()
        begun.wait(30)
        gate.set()
        fails()
        return second

    run = lab.start(flow)
    assert lab.statuses(run)["later"] == "cancelled"
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == 2
    assert sorted(lab.executed(again)) == ["fails", "later"]
