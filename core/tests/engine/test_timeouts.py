"""Limits of time: of a step, of its wait for its turn, and of a whole pipeline."""

import asyncio
import threading
import time
import warnings
from typing import Any

import pytest

import anabranch
from anabranch import Retry, pipeline, step
from anabranch.engine import bodies
from anabranch.errors import AnabranchWarning, QueueTimeout, RunTimeout, StepTimeout


@step
async def endless() -> int:
    await asyncio.sleep(3600)
    return 1


@step
def quick(x: int = 1) -> int:
    return x


# --- of a step ---------------------------------------------------------------------------------------------------


def test_a_timeout_of_a_sync_step_is_a_warning_where_it_is_defined() -> None:
    """Nobody can stop it, and that should be known before it matters."""
    with pytest.warns(AnabranchWarning, match="'crawl'.*cannot be stopped.*isolated") as told:

        @step(timeout=5)
        def crawl() -> None:
            return

    assert told[0].filename == __file__


def test_a_timeout_that_is_given_later_is_a_warning_there() -> None:
    with pytest.warns(AnabranchWarning, match="'quick'") as told:
        quick.with_options(timeout=5)

    assert told[0].filename == __file__


def test_a_timeout_that_can_be_kept_is_no_warning() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        endless.with_options(timeout=5)

        @step(timeout=5, runtime="isolated")
        def apart() -> None:
            return

    assert told == []


def test_a_sync_step_that_overruns_fails_with_how_long_it_took(lab) -> None:
    with pytest.warns(AnabranchWarning):

        @step(timeout=0.01)
        def crawl() -> int:
            time.sleep(0.03)
            return 1

    @pipeline
    def flow() -> Any:
        return crawl()

    run = lab.start(flow)

    assert isinstance(run.error, StepTimeout)
    assert "cannot be interrupted" in str(run.error)
    (known,) = lab.state(run).invocations.values()
    assert known.seconds >= 0.03


def test_an_async_step_that_overruns_is_tried_again_if_it_may(lab, notes) -> None:
    @step(timeout=0.02, retry=2)
    async def slow_at_first() -> int:
        notes.add(1)
        if len(notes) == 1:
            await asyncio.sleep(3600)
        return 5

    @pipeline
    def flow() -> Any:
        return slow_at_first()

    assert lab.start(flow).load() == 5


# --- of its wait for its turn ------------------------------------------------------------------------------------


def test_a_call_that_does_not_get_its_turn_in_time_fails_and_never_runs(lab, notes) -> None:
    """At the gate of a pipeline that lets one in at a time."""
    done = threading.Event()

    @step
    def holding() -> int:
        done.wait(30)
        return 1

    @step(queue_timeout=0.03)
    def waiting() -> int:
        notes.add("ran")
        return 2

    @pipeline(max_concurrency=1)
    def flow() -> Any:
        first, second = holding.submit(), waiting.submit()
        error = second.exception()
        done.set()
        return first.load(), type(error).__name__

    run = lab.start(flow)

    assert run.load() == (1, "QueueTimeout")
    assert notes.take() == []
    assert lab.statuses(run) == {"holding": "completed", "waiting": "failed"}


def test_a_call_that_waits_too_long_for_a_thread_fails(lab) -> None:
    done = threading.Event()

    @step
    def holding(x: int) -> int:
        done.wait(30)
        return x

    @step(queue_timeout=0.05)
    def waiting() -> int:
        return 2

    @pipeline
    def flow() -> Any:
        held = holding.map(range(64))
        while sum(item.done() or "running" in repr(item) for item in held) < 64:
            threading.Event().wait(0.005)
        error = waiting.submit().exception()
        done.set()
        return type(error).__name__, len(held.load())

    assert lab.start(flow).load() == ("QueueTimeout", 64)


def test_a_call_that_gets_its_turn_in_time_is_not_hurried_afterwards(lab) -> None:
    @step(queue_timeout=0.02)
    def slow() -> int:
        time.sleep(0.05)
        return 1

    @step(queue_timeout=0.02)
    async def slow_too() -> int:
        await asyncio.sleep(0.05)
        return 2

    @pipeline
    def flow() -> Any:
        return slow.submit(), slow_too.submit(), slow()

    assert lab.start(flow).load() == (1, 2, 1)


def test_items_of_a_map_wait_each_for_its_own_turn(lab) -> None:
    done = threading.Event()

    @step(queue_timeout=0.04)
    def item(x: int) -> int:
        done.wait(30)
        return x

    @pipeline
    def flow() -> Any:
        items = item.map(range(6), max_concurrency=2, on_error="collect")
        late = [future.exception() for future in items][2:] if items[2].wait() else []
        done.set()
        return sorted({type(error).__name__ for error in late}), len(items.failures)

    @pipeline
    def patient() -> Any:
        items = item.map(range(6), max_concurrency=2, on_error="collect")
        late = [items[index].exception() for index in range(2, 6)]
        done.set()
        return sorted({type(error).__name__ for error in late}), len(items.failures)

    assert lab.start(patient).load() == (["QueueTimeout"], 4)


def test_a_resume_gives_a_call_another_turn(lab, notes) -> None:
    hold = threading.Event()

    @step
    def holding() -> int:
        hold.wait(30)
        return 1

    @step(queue_timeout=0.03)
    def waiting() -> int:
        return 2

    @pipeline(max_concurrency=1)
    def flow() -> Any:
        first, second = holding.submit(), waiting.submit()
        second.wait()
        hold.set()
        return first.load(), second.load()

    run = lab.start(flow)
    assert isinstance(run.error, QueueTimeout)

    assert lab.resume(run, flow).load() == (1, 2)


# --- of a pipeline -----------------------------------------------------------------------------------------------


def waits_for_a_step() -> None:
    endless()


def waits_for_a_future() -> None:
    anabranch.gather(quick.submit(), endless.submit())


def sleeps() -> None:
    anabranch.sleep(3600)


def sleeps_by_itself() -> None:
    time.sleep(3600)


def waits_at_its_end() -> None:
    endless.submit()


async def awaits() -> None:
    await endless.submit()


async def sleeps_in_its_loop() -> None:
    await asyncio.sleep(3600)


def counts_to_infinity() -> None:
    number = 0
    while True:
        number += 1


def catches_everything() -> None:
    while True:
        try:
            endless()
        except Exception:  # noqa: BLE001
            continue


BODIES = [
    waits_for_a_step,
    waits_for_a_future,
    sleeps,
    sleeps_by_itself,
    waits_at_its_end,
    awaits,
    sleeps_in_its_loop,
    counts_to_infinity,
    catches_everything,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_a_run_that_takes_longer_than_its_timeout_fails_whatever_its_body_does(body, lab) -> None:
    run = lab.start(pipeline(timeout=0.1)(body))

    assert run.status == "failed"
    assert isinstance(run.error, RunTimeout)
    assert "0.1 s" in str(run.error)


@pytest.mark.parametrize(
    "body",
    [waits_for_a_step, waits_for_a_future, sleeps, awaits, sleeps_in_its_loop, catches_everything],
    ids=lambda body: body.__name__,
)
def test_a_child_that_takes_longer_than_its_timeout_fails_and_its_parent_goes_on(body, lab) -> None:
    child = pipeline(timeout=0.1)(body)

    @pipeline
    def flow() -> Any:
        error = child.submit().exception()
        return type(error).__name__, quick(2)

    assert lab.start(flow).load() == ("RunTimeout", 2)


def test_a_parent_that_runs_out_of_time_takes_its_children_along(lab) -> None:
    @pipeline
    def child() -> Any:
        return endless()

    @pipeline(timeout=0.1)
    def flow() -> Any:
        return child()

    run = lab.start(flow)

    assert isinstance(run.error, RunTimeout)
    assert set(lab.statuses(run).values()) == {"cancelled"}


def test_a_run_in_time_is_left_alone(lab) -> None:
    @pipeline(timeout=30)
    def flow() -> Any:
        return quick(1)

    assert lab.start(flow).load() == 1


def test_a_resume_has_all_the_time_again_and_what_is_recorded(lab, notes) -> None:
    @step
    async def slow_at_first() -> int:
        if len(notes) == 1:
            await asyncio.sleep(3600)
        return 7

    @step
    def before() -> int:
        notes.add("before")
        return 1

    @pipeline(timeout=0.3)
    def flow() -> Any:
        return before().load() + slow_at_first().load()

    run = lab.start(flow)
    assert isinstance(run.error, RunTimeout)
    notes.add("mended")

    assert lab.resume(run, flow).load() == 8
    assert notes.take() == ["before", "mended"]


def test_the_time_that_earlier_drivers_have_worked_counts(lab, notes) -> None:
    """One that was killed does not give a run its whole time again."""
    import _thread

    @step
    async def slow() -> int:
        notes.add(1)
        if len(notes) == 1:
            await asyncio.sleep(0.2)
            _thread.interrupt_main()
        await asyncio.sleep(3600)
        return 1

    @pipeline(timeout=0.5)
    def flow() -> Any:
        return slow()

    run = lab.start(flow)
    assert run.status == "interrupted"
    begun = time.monotonic()

    again = lab.resume(run, flow)

    assert isinstance(again.error, RunTimeout)
    assert time.monotonic() - begun < 0.45


def test_a_sync_step_that_does_not_stop_is_left_and_its_result_dropped(
    lab, notes, monkeypatch
) -> None:
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.1)
    hold, returned = threading.Event(), threading.Event()

    @step
    def deaf() -> int:
        hold.wait(30)
        notes.add("returned")
        returned.set()
        return 1

    @pipeline(timeout=0.1)
    def flow() -> Any:
        return deaf.submit().result()

    run = lab.start(flow)
    before = lab.events(run)
    hold.set()
    returned.wait(30)
    threading.Event().wait(0.05)

    assert isinstance(run.error, RunTimeout)
    assert lab.statuses(run) == {"deaf": "cancelled"}
    assert lab.events(run) == before


def test_a_timeout_ends_the_wait_between_two_attempts(lab) -> None:
    @step(retry=Retry(max_attempts=2, delay=3600))
    def failing() -> int:
        raise OSError

    @pipeline(timeout=0.1)
    def flow() -> Any:
        return failing()

    assert isinstance(lab.start(flow).error, RunTimeout)


def test_a_body_that_waits_in_a_task_group_runs_out_of_time_like_any_other(lab) -> None:
    @pipeline(timeout=0.1)
    async def flow() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(3600))
            tasks.create_task(one())

    async def one() -> None:
        await endless.submit()

    assert isinstance(lab.start(flow).error, RunTimeout)
