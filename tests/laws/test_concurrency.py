"""Steps run side by side: nothing is lost, nothing waits for what it does not need."""

import asyncio
import threading

import anabranch
from anabranch import pipeline, step


def test_a_map_over_a_map_has_no_barrier(project) -> None:
    """Item 0 of the second map starts before item 1 of the first is done."""
    second_started = threading.Event()

    @step
    def first(x: int) -> int:
        if x == 1:
            assert second_started.wait(20)
        return x

    @step
    def second(x: int) -> int:
        if x == 0:
            second_started.set()
        return x * 10

    @pipeline
    def flow():
        return second.map(first.map([0, 1, 2]))

    assert flow().load() == [0, 10, 20]


def test_sixty_four_sync_steps_wait_at_the_same_time(project) -> None:
    meeting = threading.Barrier(64)

    @step
    def meet(x: int) -> int:
        meeting.wait(20)
        return x

    @pipeline
    def flow():
        return meet.map(range(64))

    assert flow().load() == list(range(64))


def test_thousands_of_sync_and_async_steps_lose_nothing_in_twenty_runs(project) -> None:
    @step
    async def nap(x: int) -> int:
        await asyncio.sleep(0.001 * (x % 5))
        return x

    @step
    def add(x: int) -> int:
        return x + 1

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def flow():
        napping = [nap.submit(i) for i in range(200)]
        added = add.map(napping)
        again = nap.map(added)
        return total(again), total([add.submit(f) for f in napping])

    for _ in range(20):
        expected = sum(range(1, 201))
        assert flow().load() == (expected, expected)


def test_a_chain_of_thousands_of_submitted_steps_needs_no_deep_stack(project) -> None:
    @step
    def add(x: int) -> int:
        return x + 1

    @pipeline
    def flow():
        value = add.submit(0)
        for _ in range(3000):
            value = add.submit(value)
        return value

    assert flow().load() == 3001


def test_no_more_calls_run_at_once_than_a_map_or_a_run_allows(project) -> None:
    running, most = 0, {"flow": 0, "limited": 0}
    lock = threading.Lock()

    def work(kind: str) -> None:
        nonlocal running
        with lock:
            running += 1
            most[kind] = max(most[kind], running)
        threading.Event().wait(0.003)
        with lock:
            running -= 1

    @step
    def one(x: int, kind: str) -> int:
        work(kind)
        return x

    @pipeline
    def flow():
        one.map(range(30), kind=anabranch.unmapped("flow"), max_concurrency=3).wait()

    @pipeline(max_concurrency=2)
    def limited():
        one.map(range(30), kind=anabranch.unmapped("limited")).wait()

    flow()
    limited()
    assert 1 <= most["flow"] <= 3
    assert 1 <= most["limited"] <= 2


def test_a_child_run_keeps_its_own_limit(project) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    @step
    def one(x: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.003)
        with lock:
            running -= 1
        return x

    @pipeline(max_concurrency=2)
    def child():
        return one.map(range(20))

    @pipeline
    def parent():
        return child()

    assert parent().load() == list(range(20))
    assert most <= 2


def test_an_async_body_awaits_gathers_and_iterates(project) -> None:
    @step
    async def nap(x: int) -> int:
        await asyncio.sleep(0.001)
        return x

    @pipeline
    async def flow():
        first = await nap.submit(1)
        several = await asyncio.gather(*(nap.submit(i) for i in range(5)))
        seen = [
            future.load()
            async for future in anabranch.as_completed([nap.submit(i) for i in (7, 8)])
        ]
        return first.load() + sum(a.load() for a in several) + sum(seen)

    assert flow().load() == 1 + 10 + 15


def test_two_runs_in_one_process_do_not_see_each_other(project) -> None:
    @step
    def say(text: str) -> str:
        print(text)
        return text

    @pipeline
    def flow(text: str):
        return [say(text).load() for _ in range(20)]

    runs = {}
    threads = [
        threading.Thread(target=lambda name=name: runs.update({name: flow(name)}))
        for name in ("left", "right")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, run in runs.items():
        assert run.load() == [name] * 20
        assert set(run.logs().split()) == {name}
