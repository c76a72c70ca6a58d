"""Hundreds of threads' worth of steps, thousands of coroutines, deep chains, wide fans: nothing is lost, nothing waits."""  # noqa: E501

import asyncio
import random
import threading
from typing import Any

import pytest

import anabranch
from anabranch import as_completed, pipeline, step, unmapped


@step
def add(x: int, y: int = 1) -> int:
    return x + y


@step
def total(values: list[int]) -> int:
    return sum(values)


class Crowd:
    """Counts who is inside at the same time. A fingerprint counts it by its type."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1

    def __reduce__(self) -> str:
        raise TypeError


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


# --- how much at once --------------------------------------------------------------------------------------------


def test_64_blocking_steps_run_at_once_in_each_of_two_waves(lab) -> None:
    meeting = threading.Barrier(64)

    @step
    def meet(x: int) -> int:
        meeting.wait(60)
        return x

    @pipeline
    def flow() -> Any:
        first = meet.map(range(64))
        second = meet.map(range(64, 128))
        return total(first), total(second)

    assert lab.start(flow).load() == (sum(range(64)), sum(range(64, 128)))


def test_64_blocking_steps_and_a_thousand_async_ones_wait_for_each_other(lab) -> None:
    """A step of each kind ends only when all of the other kind have begun."""
    sync_begun, async_begun = threading.Semaphore(0), threading.Semaphore(0)
    all_sync, all_async = threading.Event(), threading.Event()

    @step
    def blocking(x: int) -> int:
        sync_begun.release()
        assert all_async.wait(60)
        return x

    @step
    async def waiting(x: int) -> int:
        async_begun.release()
        while not all_sync.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # a thousand that look more often leave other threads no GIL
        return x

    @pipeline
    def flow() -> Any:
        one = blocking.map(range(64))
        other = waiting.map(range(1000))
        for _ in range(64):
            assert sync_begun.acquire(timeout=60)
        all_sync.set()
        for _ in range(1000):
            assert async_begun.acquire(timeout=60)
        all_async.set()
        return total(one), total(other)

    assert lab.start(flow).load() == (sum(range(64)), sum(range(1000)))


@pytest.mark.parametrize("turn", range(20))
def test_sync_and_async_steps_in_every_mixture_lose_nothing(turn, lab) -> None:
    chance = random.Random(turn)

    @step
    async def anext_(x: int) -> int:
        await asyncio.sleep(0.001 * (x % 3))
        return x + 1

    @step
    async def atotal(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def child(xs: list[int]) -> Any:
        return total(anext_.map(add.map(xs)))

    @pipeline
    def flow() -> Any:
        one, other = chance.sample([add, anext_], 2)
        first = one.map(range(300))
        second = other.map(first)
        third = [chance.choice([add, anext_]).submit(future) for future in second]
        inner = [child.submit(list(range(n))) for n in range(4)]
        seen = sum(future.load() for future in as_completed(third))
        return seen, atotal(third), total(second), total.submit(inner)

    run = lab.start(flow)

    seen, summed, second, inner = run.load()
    assert seen == summed == sum(range(300)) + 3 * 300
    assert second == sum(range(300)) + 2 * 300
    assert inner == sum(sum(range(n)) + 2 * n for n in range(4))
    assert set(lab.statuses(run).values()) == {"completed"}


def test_threads_of_the_users_own_in_a_body_may_submit(lab) -> None:
    """Each thread takes the body's context with it, as `asyncio.to_thread` does."""
    import contextvars

    @pipeline
    def flow() -> Any:
        futures: list[Any] = []
        lock = threading.Lock()

        def submit(start: int) -> None:
            for number in range(start, start + 50):
                made = add.submit(number)
                with lock:
                    futures.append(made)

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(submit, start))
            for start in range(0, 400, 50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return total(futures)

    assert lab.start(flow).load() == sum(range(400)) + 400


# --- no barrier --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", ["sync sync", "async sync", "sync async", "async async"])
def test_item_0_of_a_map_over_a_map_starts_before_item_1_of_the_first_is_done(kinds, lab) -> None:
    first_kind, second_kind = kinds.split()
    started = threading.Event()

    def first(x: int) -> int:
        assert x == 0 or started.wait(30)
        return x

    def second(x: int) -> int:
        if x == 0:
            started.set()
        return x * 10

    async def afirst(x: int) -> int:
        while x and not started.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return x

    async def asecond(x: int) -> int:
        return second(x)

    one: Any = step(first if first_kind == "sync" else afirst)
    two: Any = step(second if second_kind == "sync" else asecond)

    @pipeline
    def flow() -> Any:
        return two.map(one.map([0, 1, 2, 3]))

    assert lab.start(flow).load() == [0, 10, 20, 30]


def test_an_item_goes_through_a_chain_of_maps_before_a_slow_one_is_through_the_first(lab) -> None:
    through = threading.Event()

    @step
    def one(x: int) -> int:
        assert x != 3 or through.wait(30)
        return x

    @step
    def last(x: int) -> int:
        if x == 5:
            through.set()
        return x

    @pipeline
    def flow() -> Any:
        found = one.map(range(6))
        for _ in range(5):
            found = add.map(found, y=unmapped(1))
        return last.map(found)

    assert lab.start(flow).load() == list(range(5, 11))


def test_a_map_of_maps_of_a_product_has_no_barrier(lab) -> None:
    seen = threading.Event()

    @step
    def pair(a: int, b: int) -> int:
        assert (a, b) != (1, 1) or seen.wait(30)
        return a * 2 + b

    @step
    def look(x: int) -> int:
        if x == 0:
            seen.set()
        return x

    @pipeline
    def flow() -> Any:
        return look.map(pair.product([0, 1], [0, 1]))

    assert lab.start(flow).load() == [0, 1, 2, 3]


# --- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 7])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_map_never_runs_more_at_once_than_it_may(kind, limit, lab, crowd) -> None:
    @step
    def work(x: int) -> int:
        with crowd:
            threading.Event().wait(0.002)
        return x

    @step
    async def awork(x: int) -> int:
        with crowd:
            await asyncio.sleep(0.002)
        return x

    @pipeline
    def flow() -> Any:
        return (work if kind == "sync" else awork).map(range(40), max_concurrency=limit)

    assert lab.start(flow).load() == list(range(40))
    assert 1 <= crowd.most <= limit


@pytest.mark.parametrize("limit", [1, 4])
def test_a_run_never_runs_more_at_once_than_it_may_whatever_its_calls_are(
    limit, lab, crowd
) -> None:
    @step
    def work(x: int) -> int:
        with crowd:
            threading.Event().wait(0.001)
        return x

    @step
    async def awork(x: int) -> int:
        with crowd:
            await asyncio.sleep(0.001)
        return x

    @pipeline
    def child() -> Any:
        return total(work.map(range(5)))

    @pipeline(max_concurrency=limit)
    def flow() -> Any:
        mapped = work.map(awork.map(range(15)))
        inner = [child.submit() for _ in range(3)]
        alone = [work(number) for number in range(3)]
        submitted = [awork.submit(number) for number in range(10)]
        return total(mapped), inner, alone, total(submitted)

    assert lab.start(flow).load() == (105, [10, 10, 10], [0, 1, 2], 45)
    assert 1 <= crowd.most <= limit


def test_limits_within_limits_do_not_lock_each_other_out(lab, crowd) -> None:
    @step
    def work(x: int) -> int:
        with crowd:
            return x

    @pipeline(max_concurrency=2)
    def child(n: int) -> Any:
        return total(work.map(range(n), max_concurrency=1))

    @pipeline(max_concurrency=3)
    def flow() -> Any:
        inner = [child.submit(n) for n in range(6)]
        return total(inner), total(
            work.map(work.map(range(20), max_concurrency=2), max_concurrency=5)
        )

    assert lab.start(flow).load() == (sum(sum(range(n)) for n in range(6)), 190)


def test_a_step_that_fails_or_is_reused_gives_its_place_back(lab, notes) -> None:
    @step
    def work(x: int) -> int:
        if x % 2 and len(notes) == 0:
            raise ValueError(x)
        return x

    @pipeline(max_concurrency=1, execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> Any:
        return [work.submit(number) for number in range(20)]

    run = lab.start(flow)
    assert sorted(lab.statuses(run).values()) == ["completed"] * 10 + ["failed"] * 10
    notes.add(1)

    assert lab.resume(run, flow).load() == list(range(20))


# --- depth and width ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["submitted", "waiting for all", "reused", "failing"])
def test_a_chain_of_5000_calls_needs_no_deep_stack(kind, lab, notes) -> None:
    gate = threading.Event()

    @step
    def first() -> int:
        if kind == "waiting for all":
            assert gate.wait(60)
        if kind == "failing":
            assert gate.wait(60)
            raise ValueError("at the root")
        return 0

    @step
    def last(x: int) -> int:
        if kind == "reused" and len(notes) == 0:
            raise OSError("not yet")
        return x

    @pipeline
    def flow() -> Any:
        value = first.submit()
        for _ in range(5000):
            value = add.submit(value)
        gate.set()
        return last(value)

    run = lab.start(flow)
    if kind == "reused":
        notes.add(1)
        run = lab.resume(run, flow)
        assert lab.executed(run) == ["last"]
    if kind == "failing":
        assert run.status == "failed"
        assert list(lab.statuses(run).values()).count("completed") == 0
    else:
        assert run.load() == 5000


def test_a_chain_of_500_maps_needs_no_deep_stack(lab) -> None:
    @pipeline
    def flow() -> Any:
        found = add.map([0, 1])
        for _ in range(499):
            found = add.map(found)
        return found

    assert lab.start(flow).load() == [500, 501]


def test_a_reducer_takes_5000_results_of_calls_and_maps_together(lab) -> None:
    @step
    def together(mapped: list[int], single: list[int], nested: dict[str, list[int]]) -> int:
        return sum(mapped) + sum(single) + sum(nested["inner"])

    @pipeline
    def flow() -> Any:
        mapped = add.map(range(3000))
        single = [add.submit(number) for number in range(1000)]
        nested = {"inner": [add.submit(number, 2) for number in range(1000)]}
        return together(mapped, single, nested)

    expected = sum(range(1, 3001)) + sum(range(1, 1001)) + sum(range(2, 1002))
    assert lab.start(flow).load() == expected


def test_thousands_may_wait_for_one(lab) -> None:
    gate = threading.Event()

    @step
    def first() -> int:
        assert gate.wait(60)
        return 1

    @pipeline
    def flow() -> Any:
        one = first.submit()
        many = [add.submit(one, number) for number in range(3000)]
        after = [add.submit(number, 0, after=one) for number in range(300)]
        gate.set()
        return total(many), total(after)

    assert lab.start(flow).load() == (sum(range(1, 3001)), sum(range(300)))


def test_an_empty_map_and_what_is_made_of_it_end_at_once(lab) -> None:
    @step
    def nothing() -> list[int]:
        return []

    @pipeline
    def flow() -> Any:
        empty = add.map(nothing.submit())
        return total(add.map(empty)), total(add.map([])), len(empty), list(as_completed(empty))

    assert lab.start(flow).load() == (0, 0, 0, [])


# --- waiting -----------------------------------------------------------------------------------------------------


def test_many_threads_of_a_body_may_wait_for_one_future(lab) -> None:
    gate = threading.Event()

    @step
    def held() -> int:
        assert gate.wait(60)
        return 7

    @pipeline
    def flow() -> Any:
        future = held.submit()
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(future.load())) for _ in range(20)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        return found

    assert lab.start(flow).load() == [7] * 20


def test_a_result_that_does_not_come_in_time_is_a_timeout_and_comes_later(lab) -> None:
    gate = threading.Event()

    @step
    def held() -> int:
        assert gate.wait(60)
        return 7

    @pipeline
    def flow() -> Any:
        future = held.submit()
        try:
            future.result(timeout=0.01)
        except TimeoutError as error:
            told = str(error)
        assert not future.done()
        assert future.wait(0.01) is False
        assert anabranch.wait_all([future], timeout=0.01) is False
        gate.set()
        return told, future

    told, value = lab.start(flow).load()
    assert "held" in told
    assert value == 7


def test_as_completed_of_a_mixture_hands_over_each_once_in_the_order_of_completion(lab) -> None:
    gates = [threading.Event() for _ in range(8)]

    @step
    def held(x: int) -> int:
        assert gates[x].wait(60)
        return x

    @pipeline
    def flow() -> Any:
        futures = [held.submit(number) for number in range(8)]
        order, seen = [5, 2, 7, 0, 1, 6, 3, 4], []
        gates[order[0]].set()
        for place, future in enumerate(as_completed([*futures, futures[3]])):
            seen.append(future.load())
            if place + 1 < len(order):
                gates[order[place + 1]].set()
        return order, seen

    order, seen = lab.start(flow).load()
    assert [x for place, x in enumerate(seen) if x not in seen[:place]] == order
    assert seen.count(3) == 2


def test_wait_any_gives_one_that_is_done(lab) -> None:
    gate = threading.Event()

    @step
    def held(x: int) -> int:
        assert x == 1 or gate.wait(60)
        return x

    @pipeline
    def flow() -> Any:
        futures = [held.submit(number) for number in range(3)]
        first = anabranch.wait_any(futures).load()
        gate.set()
        return first, anabranch.gather(*futures)

    assert lab.start(flow).load() == (1, [0, 1, 2])


# --- several runs ------------------------------------------------------------------------------------------------


def test_8_runs_at_once_in_one_process_and_one_journal_keep_apart(lab) -> None:
    @step
    async def nap(x: int) -> int:
        await asyncio.sleep(0)
        return x

    @pipeline
    def flow(base: int) -> Any:
        mapped = nap.map(add.map(range(base, base + 40)))
        return total(mapped), anabranch.context().run_id

    runs: list[Any] = [None] * 8

    def start(place: int) -> None:
        runs[place] = lab.start(flow, place * 1000)

    threads = [threading.Thread(target=start, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [run.load()[0] for run in runs] == [
        sum(range(place * 1000 + 1, place * 1000 + 41)) for place in range(8)
    ]
    assert [run.load()[1] for run in runs] == [run.id for run in runs]
    for run in runs:
        assert len(lab.state(run).invocations) == 81


def test_a_run_inside_a_thread_of_another_runs_step_is_a_run_of_its_own(lab, notes) -> None:
    """A new thread has no context of the step's, so it is code outside a run."""

    @pipeline
    def inner() -> Any:
        return add(1, 1)

    @step
    def outer() -> int:
        thread = threading.Thread(target=lambda: notes.add(lab.start(inner).load()))
        thread.start()
        thread.join()
        return 1

    @pipeline
    def flow() -> Any:
        return outer()

    run = lab.start(flow)

    assert run.load() == 1
    assert notes.take() == [2]
    assert list(lab.statuses(run)) == ["outer"]
