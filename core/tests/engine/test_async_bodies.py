"""`async def` bodies: await, gather, async for; and the same answers after a resume."""

import asyncio
import threading
from typing import Any

import pytest

from anabranch import as_completed, pipeline, step


@step
async def nap(x: int) -> int:
    await asyncio.sleep(0.001 * ((x * 3) % 4))
    return x


@step
def add(x: int, y: int = 1) -> int:
    return x + y


def test_a_body_awaits_steps_maps_and_children(lab) -> None:
    @pipeline
    async def child(x: int) -> Any:
        return await add.submit(x)

    @pipeline
    async def flow() -> Any:
        one = await nap.submit(1)
        several = await nap.map(range(5))
        inner = await child.submit(7)
        return one, several, inner

    assert lab.start(flow).load() == (1, [0, 1, 2, 3, 4], 8)


def test_a_body_gathers_hundreds_of_futures_of_both_kinds(lab) -> None:
    @pipeline
    async def flow() -> Any:
        return await asyncio.gather(*(step_.submit(x) for x in range(150) for step_ in (nap, add)))

    assert lab.start(flow).load() == [value for x in range(150) for value in (x, x + 1)]


def test_tasks_of_a_body_work_beside_each_other(lab) -> None:
    """Two loops in one body, each of which waits for what the other has done."""
    gate = threading.Event()

    @step
    def held() -> int:
        assert gate.wait(30)
        return 1

    @step
    def opens() -> int:
        gate.set()
        return 2

    @pipeline
    async def flow() -> Any:
        async def one() -> Any:
            return (await held.submit()).load()

        async def other() -> Any:
            return (await opens.submit()).load()

        return list(await asyncio.gather(one(), other()))

    assert lab.start(flow).load() == [1, 2]


def test_async_for_hands_over_what_is_done_and_does_not_hold_the_loop(lab) -> None:
    ticks: list[int] = []

    @pipeline
    async def flow() -> Any:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        found = [future.load() async for future in as_completed([nap.submit(x) for x in range(20)])]
        ticking.cancel()
        return sorted(found)

    assert lab.start(flow).load() == list(range(20))
    assert len(ticks) > 20


def test_async_for_may_be_left_early(lab) -> None:
    @pipeline
    async def flow() -> Any:
        futures = [nap.submit(x) for x in range(10)]
        async for future in as_completed(futures):
            return future
        return None

    assert lab.start(flow).load() in range(10)


def test_a_failure_arrives_at_the_await_with_its_own_class(lab) -> None:
    @step
    async def fails(x: int) -> int:
        raise LookupError(x)

    @pipeline
    async def flow() -> Any:
        told = []
        try:
            await fails.submit(1)
        except LookupError as error:
            told.append(error.args[0])
        found = await asyncio.gather(fails.submit(2), nap.submit(3), return_exceptions=True)
        return [*told, type(found[0]).__name__, found[1]]

    assert lab.start(flow).load() == [1, "LookupError", 3]


def test_awaiting_twice_and_after_the_end_gives_the_same(lab) -> None:
    @pipeline
    async def flow() -> Any:
        future = nap.submit(4)
        return await future, await future, future.load()

    assert lab.start(flow).load() == (4, 4, 4)


def test_L8_an_async_body_sees_the_same_order_again(lab, notes) -> None:
    switch = type(notes)()

    @step
    def last(x: list[int]) -> list[int]:
        if len(switch) == 0:
            raise OSError
        return x

    @pipeline
    async def flow() -> Any:
        order = [future.load() async for future in as_completed([nap.submit(x) for x in range(12)])]
        notes.add(order)
        return last(order)

    run = lab.start(flow)
    switch.add(1)
    again = lab.resume(run, flow)

    before, after = notes.take()
    assert before == after == again.load()
    assert lab.executed(again) == ["last"]


@pytest.mark.parametrize("ends", ["by an exception", "by returning"])
def test_what_a_body_left_running_in_its_loop_does_not_keep_the_run(ends, lab) -> None:
    @pipeline
    async def flow() -> Any:
        async def for_ever() -> None:
            await asyncio.sleep(3600)

        task = asyncio.create_task(for_ever())
        await asyncio.sleep(0)
        assert not task.done()
        if ends == "by an exception":
            raise ValueError("the end")
        return add(1)

    run = lab.start(flow)

    assert run.status == ("failed" if ends == "by an exception" else "completed")


def test_a_blocking_call_in_an_async_body_is_recorded_like_any_other(lab) -> None:
    @pipeline
    async def flow() -> Any:
        return add(add(add(0)))

    assert lab.start(flow).load() == 3


def test_5000_async_steps_wait_in_one_thread(lab) -> None:
    threads: set[int] = set()
    together = asyncio.Event()
    count = 0

    @step
    async def wait(x: int) -> int:
        nonlocal count
        threads.add(threading.get_ident())
        count += 1
        if count == 5000:
            together.set()
        await together.wait()
        return x

    @pipeline
    def flow() -> Any:
        return len(wait.map(range(5000)).result())

    assert lab.start(flow).load() == 5000
    assert len(threads) == 1
