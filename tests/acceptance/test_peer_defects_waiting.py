"""What peers cannot do while they wait: async code, limits, clocks, cancelling, completion (PEERS §3: 12, 13, 17)."""

# mypy: disable-error-code="unused-awaitable"

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from anabranch import (
    MapFuture,
    Run,
    StepFuture,
    as_completed,
    context,
    gather,
    log_metadata,
    now,
    pipeline,
    random,
    step,
    uuid4,
    wait_all,
    wait_any,
)
from anabranch.authoring.runs import resume as resume_run
from anabranch.errors import AnabranchWarning, Cancelled, StepTimeout

pytestmark = pytest.mark.usefixtures("project")


@step
def twice(value: int) -> int:
    return 2 * value


@step
async def thrice(value: int) -> int:
    await asyncio.sleep(0)
    return 3 * value


@step
def total(values: Sequence[int]) -> int:
    return sum(values)


def statuses(run: Run) -> dict[str, str]:
    return {known.display: known.status for known in run.state.invocations.values()}


# --- async (12) ------------------------------------------------------------------------------------------------


def test_async_steps_are_called_submitted_and_mapped_like_any_other() -> None:
    @pipeline
    def flow() -> Any:
        return thrice(1), thrice.submit(2), thrice.map([1, 2]), total(thrice.map(twice.map([1, 2])))

    assert flow().load() == (3, 6, [3, 6], 18)


def test_an_async_body_awaits_futures() -> None:
    @pipeline
    async def flow() -> Any:
        one = await thrice.submit(1)
        both = await asyncio.gather(_awaited(thrice.submit(one)), _awaited(twice.submit(3)))
        mapped = await twice.map([1, 2])
        return one, *both, mapped

    assert flow().load() == (3, 9, 6, [2, 4])


def test_an_async_body_goes_on_while_a_step_waits_for_it() -> None:
    """Were the body's loop blocked, this would wait for ever."""
    free = threading.Event()

    @step
    def held() -> int:
        assert free.wait(20)
        return 1

    @pipeline
    async def flow() -> Any:
        future = held.submit()
        waiting = asyncio.ensure_future(_awaited(future))
        await asyncio.sleep(0)
        free.set()
        return await waiting

    assert flow().load() == 1


async def _awaited(future: StepFuture[int]) -> Any:
    return await future


def test_async_for_hands_over_futures_as_they_complete() -> None:
    @pipeline
    async def flow() -> Any:
        seen = [future.load() async for future in as_completed(twice.map(range(10)))]
        return sorted(seen)

    assert flow().load() == [2 * i for i in range(10)]


def test_an_async_body_can_be_a_child_and_be_embedded() -> None:
    @pipeline
    async def inner(value: int) -> Any:
        return await twice.submit(value)

    @pipeline
    def outer() -> Any:
        return inner(1), inner.submit(2).result()

    @pipeline
    async def embedding() -> Any:
        return await inner.embed(3)

    assert outer().load() == (2, 4)
    assert embedding().load() == 6


def test_async_steps_wait_together_and_cost_no_thread_each() -> None:
    count, peak, waiting = 1000, 0, 0

    @step
    async def waits(_: int) -> int:
        nonlocal peak, waiting
        waiting += 1
        peak = max(peak, waiting)
        while peak < count:  # noqa: ASYNC110  (an event would have to know this loop)
            await asyncio.sleep(0.001)
        return threading.active_count()

    @pipeline
    def flow() -> Any:
        return waits.map(range(count))

    assert max(flow().load()) < 40


def test_a_failure_in_an_async_body_fails_the_run_with_its_own_class() -> None:
    @pipeline
    async def flow() -> None:
        await twice.submit(1)
        raise LookupError("mine")

    run = flow.start()
    assert isinstance(run.error, LookupError)
    assert statuses(run) == {"twice": "completed"}


# --- what a body knows of itself (13) --------------------------------------------------------------------------


def test_a_body_and_a_step_know_their_run_and_what_they_are() -> None:
    seen: dict[str, object] = {}

    @step(retry=2)
    def asks() -> None:
        here = context()
        seen[f"attempt {here.attempt}"] = (here.run_id, here.step, here.pipeline)
        if here.attempt == 1:
            raise OSError

    @pipeline
    def flow(size: int) -> None:
        here = context()
        seen["body"] = (here.run_id, here.step, here.attempt, here.parameters["size"])
        asks()

    run = flow(3)
    assert seen == {
        "body": (run.id, None, None, 3),
        "attempt 1": (run.id, "asks", "flow"),
        "attempt 2": (run.id, "asks", "flow"),
    }


def test_metadata_belongs_to_the_step_or_to_the_run() -> None:
    @step
    def measures() -> None:
        log_metadata(accuracy=0.5, classes=["a"])

    @pipeline
    def flow() -> None:
        log_metadata(owner="me")
        measures()

    state = flow().state
    (measured,) = state.invocations
    assert state.metadata == {None: {"owner": "me"}, measured: {"accuracy": 0.5, "classes": ["a"]}}


def test_a_logger_writes_to_the_log_of_its_step() -> None:
    @step
    def tells() -> None:
        context().logger.warning("%d left", 3)
        print("printed")

    @pipeline
    def flow() -> None:
        tells()

    assert flow().logs("tells") == "WARNING tells: 3 left\nprinted\n"


def test_logs_of_steps_that_run_at_once_do_not_mix() -> None:
    meeting = threading.Barrier(4, timeout=20)

    @step
    def tells(name: int) -> None:
        for _ in range(20):
            meeting.wait()
            print(name)

    @pipeline
    def flow() -> None:
        tells.map(range(4))

    run = flow()
    assert [run.logs(f"tells[{i}]") for i in range(4)] == [f"{i}\n" * 20 for i in range(4)]


# --- clocks (17) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "timeout", [0.02, timedelta(milliseconds=20)], ids=["seconds", "timedelta"]
)
def test_an_async_step_is_stopped_when_its_time_is_over(timeout: Any) -> None:
    ended = []

    @step(timeout=timeout)
    async def endless() -> None:
        await asyncio.sleep(60)
        ended.append(1)

    @pipeline
    def flow() -> str:
        try:
            endless()
        except StepTimeout as error:
            return str(error)
        return ""

    told = flow().load().splitlines()
    assert (len(told), ended) == (3, [])
    assert "0.02 s" in told[0]


def test_a_sync_step_that_overran_has_timed_out_although_it_returned() -> None:
    with pytest.warns(AnabranchWarning, match="cannot be stopped"):

        @step(timeout=0.01)
        def slow() -> int:
            time.sleep(0.03)
            return 1

    @pipeline
    def flow() -> str:
        try:
            slow.submit().result()
        except StepTimeout as error:
            return str(error)
        return ""

    assert "cannot be interrupted" in flow().load().splitlines()[0]


def test_a_timeout_of_the_users_own_is_not_taken_for_ours() -> None:
    @step(timeout=60)
    async def connects() -> None:
        raise TimeoutError("no answer")

    @pipeline
    def flow() -> None:
        connects()

    run = flow.start()
    assert type(run.error) is TimeoutError


def test_a_result_can_be_waited_for_with_a_limit() -> None:
    free = threading.Event()

    @step
    def held() -> int:
        assert free.wait(20)
        return 1

    @pipeline
    def flow() -> Any:
        future = held.submit()
        assert future.wait(0.01) is False
        assert wait_all([future], timeout=0.01) is False
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        free.set()
        assert future.wait(20) is True
        return future

    assert flow().load() == 1


# --- limits (17) -----------------------------------------------------------------------------------------------


class Crowd:
    """Counts who is inside at once."""

    def __init__(self) -> None:
        self.inside = self.peak = 0
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.peak = max(self.peak, self.inside)
        time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


CROWD = Crowd()


@step
def enters(value: int) -> int:
    with CROWD:
        return value


@step
async def enters_async(value: int) -> int:
    with CROWD:
        await asyncio.sleep(0.002)
        return value


@pytest.mark.parametrize("entering", [enters, enters_async], ids=["sync", "async"])
@pytest.mark.parametrize("limit", [1, 3])
def test_a_map_runs_no_more_at_once_than_it_says(entering: Any, limit: int) -> None:
    CROWD.peak = 0

    @pipeline
    def flow() -> Any:
        return entering.map(range(20), max_concurrency=limit)

    assert flow().load() == list(range(20))
    assert CROWD.peak <= limit


@pytest.mark.parametrize("limit", [1, 3])
def test_a_run_runs_no_more_steps_at_once_than_it_says(limit: int) -> None:
    CROWD.peak = 0

    @pipeline(max_concurrency=limit)
    def flow() -> Any:
        first = enters.map(range(10))
        second = enters_async.map(first, max_concurrency=2)
        single = [enters.submit(i) for i in range(5)]
        return total(second), enters(7), total(single)

    assert flow().load() == (45, 7, 10)
    assert CROWD.peak <= limit


def test_a_map_over_a_map_has_no_barrier() -> None:
    """Item 0 of the second map starts before item 1 of the first is done."""
    second_started = threading.Event()

    @step
    def first(index: int) -> int:
        if index == 1:
            assert second_started.wait(20)
        return index

    @step
    def second(index: int) -> int:
        if index == 0:
            second_started.set()
        return index

    @pipeline
    def flow() -> Any:
        return second.map(first.map([0, 1]))

    assert flow().load() == [0, 1]


# --- cancelling (17) -------------------------------------------------------------------------------------------


def outcome(future: StepFuture[Any] | MapFuture[Any]) -> str:
    try:
        future.result()
    except Cancelled:
        return "cancelled"
    return "completed"


def test_a_running_async_step_is_cancelled_at_its_next_await() -> None:
    started = threading.Event()

    @step
    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    @pipeline
    def flow() -> Any:
        future = endless.submit()
        assert started.wait(20)
        assert future.cancel()
        return outcome(future)

    run = flow()
    assert run.load() == "cancelled"
    assert statuses(run) == {"endless": "cancelled"}


def test_a_step_that_waits_for_another_is_cancelled_and_never_runs() -> None:
    free = threading.Event()

    @step
    def held() -> int:
        assert free.wait(20)
        return 1

    @pipeline
    def flow() -> Any:
        first = held.submit()
        second = twice.submit(first)
        third = twice.submit(second)
        assert second.cancel()
        assert second.cancel() in (True, False)
        free.set()
        return first, outcome(second), third.exception() is not None

    run = flow()
    assert run.load() == (1, "cancelled", True)
    assert statuses(run) == {"held": "completed", "twice": "cancelled", "twice_2": "skipped"}


def test_a_queue_goes_on_when_those_in_it_are_cancelled() -> None:
    """Whoever is cancelled at a gate must not keep its place there."""
    started, free = threading.Event(), threading.Event()

    @step
    def held(value: int) -> int:
        started.set()
        assert free.wait(20)
        return value

    @pipeline(max_concurrency=1)
    def flow() -> Any:
        futures = [held.submit(i) for i in range(6)]
        assert started.wait(20)
        for future in futures[1:4]:
            assert future.cancel()
        free.set()
        return [outcome(future) for future in futures]

    run = flow()
    assert run.load() == ["completed", *["cancelled"] * 3, "completed", "completed"]


def test_cancelling_a_map_stops_what_has_not_started() -> None:
    started, free = threading.Event(), threading.Event()

    @step
    def held(value: int) -> int:
        started.set()
        assert free.wait(20)
        return value

    @pipeline
    def flow() -> Any:
        made = held.map(range(10), max_concurrency=1)
        assert len(made) == 10
        assert started.wait(20)
        assert made.cancel()
        free.set()
        return [outcome(item) for item in made]

    run = flow()
    assert run.load() == ["completed", *["cancelled"] * 9]
    assert run.status == "completed"


def test_cancelling_what_is_done_does_nothing() -> None:
    @pipeline
    def flow() -> Any:
        future = twice.submit(1)
        future.result()
        return future.cancel(), future

    assert flow().load() == (False, 2)


def test_cancelling_a_submitted_child_stops_it() -> None:
    started, free = threading.Event(), threading.Event()

    @step
    def held(value: int) -> int:
        started.set()
        assert free.wait(20)
        return value

    @pipeline
    def child() -> None:
        for i in range(5):
            held(i)

    @pipeline
    def flow() -> Any:
        future = child.submit()
        assert started.wait(20)
        assert future.cancel()
        free.set()
        return outcome(future)

    run = flow()
    assert run.load() == "cancelled"
    assert statuses(run) == {"child": "cancelled", "held": "completed"}


def test_cancelling_many_at_random_leaves_every_call_with_one_outcome() -> None:
    """L1. Cancelling races with starting; whoever wins, there is one outcome, which the journal agrees with."""

    @pipeline(max_concurrency=4)
    def flow() -> Any:
        futures: list[StepFuture[Any]] = []
        for i in range(200):
            made = twice.submit(i) if i % 2 else thrice.submit(i)
            futures.append(twice.submit(made) if i % 3 else made)
            if i % 5 == 0:
                futures[i // 2].cancel()
                futures[i].cancel()
        return [future.exception() is None for future in futures]

    run = flow()
    assert run.status == "completed"
    assert all(known.has_outcome for known in run.state.invocations.values())


# --- completion (17, L8) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0]])
def test_as_completed_follows_the_order_in_which_steps_end(order: list[int]) -> None:
    turns = [threading.Event() for _ in order]

    @step
    def held(index: int) -> int:
        assert turns[index].wait(20)
        return index

    @pipeline
    def flow() -> Any:
        seen: list[int] = []
        turns[order[0]].set()
        for future in as_completed([held.submit(i) for i in range(3)]):
            seen.append(future.load())
            if len(seen) < 3:
                turns[order[len(seen)]].set()
        return seen

    assert flow().load() == order


def test_wait_any_gives_the_first_and_the_others_go_on() -> None:
    free = threading.Event()

    @step
    def held(index: int) -> int:
        assert index == 1 or free.wait(20)
        return index

    @pipeline
    def flow() -> Any:
        futures = [held.submit(i) for i in range(3)]
        first = wait_any(futures)
        free.set()
        return first, gather(*futures)

    assert flow().load() == (1, [0, 1, 2])


RACE = """
import threading
from anabranch import as_completed, now, pipeline, random, step, uuid4, wait_any

ORDER = {order}
TURNS = [threading.Event() for _ in ORDER]

@step
def runner(index: int) -> int:
    return index

@step
def gated(index: int) -> int:
    assert TURNS[index].wait(20)
    return index

@step
def last(seen: list) -> list:
    {last}

@pipeline
def race():
    drawn = [now().isoformat(), str(uuid4()), random()]
    seen = []
    TURNS[ORDER[0]].set()
    for future in as_completed([gated.submit(i) for i in range(4)]):
        seen.append(future.load())
        if len(seen) < 4:
            TURNS[ORDER[len(seen)]].set()
    return last([*seen, *drawn])
"""


def test_a_resumed_body_sees_the_order_and_the_draws_that_it_saw_before(project: Any) -> None:
    """L8."""
    log = project.folder / "seen"
    fails = f"import pathlib; pathlib.Path({str(log)!r}).write_text(repr(seen)); raise OSError"
    first = project.load(RACE.format(order=[3, 1, 0, 2], last=fails)).race.start()
    assert isinstance(first.error, OSError)

    project.load(RACE.format(order=[0, 1, 2, 3], last="return seen"))
    second = resume_run(first.id, observers=())

    assert second.load()[:4] == [3, 1, 0, 2]
    assert repr(second.load()) == log.read_text()


@pytest.mark.parametrize("draw", [now, uuid4, random], ids=["now", "uuid4", "random"])
def test_draws_differ_from_each_other_within_a_run(draw: Callable[[], object]) -> None:
    @pipeline
    def flow() -> int:
        return len({draw() for _ in range(3)})

    assert flow().load() == 3
