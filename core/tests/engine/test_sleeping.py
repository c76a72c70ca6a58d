"""A sleep is over when it would have been, however often its run was resumed (law L8)."""

import asyncio
import itertools
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from anabranch import pipeline, sleep, step
from anabranch.authoring import naps
from anabranch.engine import resting
from anabranch.errors import CallError


class Time:
    """A clock that moves when somebody sleeps, and when it is told to."""

    def __init__(self) -> None:
        self.wall = self.steady = 1000.0
        self.slept = 0.0
        self.interrupted_after = float("inf")

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> None:
        if self.slept >= self.interrupted_after:
            raise KeyboardInterrupt
        self.slept += seconds
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    patched = SimpleNamespace(time=clock.time, monotonic=clock.monotonic, sleep=clock.sleep)
    for module in (naps, resting):
        monkeypatch.setattr(module, "time", patched)
    return clock


def interrupted(lab: Any, clock: Time, flow: Any, after: float) -> Any:
    clock.interrupted_after = after
    run = lab.start(flow)
    assert run.status == "interrupted"
    clock.interrupted_after, clock.slept = float("inf"), 0.0
    return run


@pytest.mark.parametrize("duration", [90, timedelta(seconds=90)])
def test_a_body_sleeps_as_long_as_it_says(duration, lab, clock) -> None:
    @pipeline
    def flow() -> None:
        sleep(duration)

    assert lab.start(flow).status == "completed"
    assert clock.slept == pytest.approx(90)


def test_L8_a_resumed_body_sleeps_what_is_left(lab, clock) -> None:
    @pipeline
    def flow() -> None:
        sleep(90)

    run = interrupted(lab, clock, flow, after=30)
    clock.wall += 40

    assert lab.resume(run, flow).status == "completed"
    assert clock.slept == pytest.approx(20)


def test_L8_a_body_that_should_have_woken_long_ago_does_not_sleep_again(lab, clock) -> None:
    @pipeline
    def flow() -> None:
        sleep(90)
        sleep(90)

    run = interrupted(lab, clock, flow, after=100)
    clock.wall += 10_000

    assert lab.resume(run, flow).status == "completed"
    assert clock.slept == 0


def test_an_edit_of_one_duration_leaves_the_other_sleeps_alone(lab, clock) -> None:
    durations = [50, 70]

    @pipeline
    def flow() -> None:
        for duration in durations:
            sleep(duration)

    run = interrupted(lab, clock, flow, after=60)
    durations[0] = 5

    assert lab.resume(run, flow).status == "completed"
    assert clock.slept == pytest.approx(5 + 60 - 5)


def test_a_clock_that_is_set_back_does_not_lengthen_a_sleep(lab, clock) -> None:
    @pipeline
    def flow() -> None:
        sleep(90)

    run = interrupted(lab, clock, flow, after=30)
    clock.wall -= 1_000_000

    assert lab.resume(run, flow).status == "completed"
    assert clock.slept == pytest.approx(90)


def test_steps_and_plain_code_sleep_too(lab, clock) -> None:
    @step
    def work() -> int:
        sleep(3)
        return 1

    @pipeline
    def flow() -> Any:
        return work()

    assert lab.start(flow).load() == 1
    sleep(4)
    assert clock.slept == pytest.approx(7)


def test_async_bodies_and_steps_await_it_and_others_go_on(lab) -> None:
    """All twenty sleep at once: each wakes only after all have gone to sleep."""
    asleep = itertools.count(1)
    woken: list[int] = []

    @step
    async def work(x: int) -> int:
        begun = next(asleep)
        await sleep(0.3)
        woken.append(begun)
        return x

    @pipeline
    async def flow() -> Any:
        futures = work.map(range(20))
        await asyncio.gather(sleep(0.01), sleep(timedelta(seconds=0.02)))
        return [future.result() for future in futures]

    assert len(lab.start(flow).load()) == 20
    assert len(woken) == 20


def test_a_sync_body_inside_an_async_one_and_hooks_sleep_without_await(lab, clock) -> None:
    @step(on_success=lambda: sleep(3))
    async def work() -> int:
        return 1

    @pipeline
    def inner() -> None:
        sleep(4)

    @pipeline(on_end=lambda: sleep(5))
    async def flow() -> Any:
        inner.embed()
        return await work.submit()

    assert lab.start(flow).status == "completed"
    assert clock.slept == pytest.approx(12)


def test_a_step_that_sleeps_can_be_cancelled(lab) -> None:
    begun = threading.Event()

    @step
    def work() -> int:
        begun.set()
        sleep(3600)
        return 1

    @pipeline
    def flow() -> str:
        future = work.submit()
        assert begun.wait(60)
        future.cancel()
        return type(future.exception()).__name__

    assert lab.start(flow).load() == "Cancelled"


def test_a_child_that_sleeps_ends_when_its_run_stops(lab) -> None:
    @step
    def fails() -> int:
        raise ValueError("as told")

    @pipeline
    def child() -> None:
        sleep(3600)

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> Any:
        child.submit()
        return fails()

    assert lab.start(flow).status == "failed"


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "5", None, True])
def test_L11_what_is_no_duration_is_refused(wrong) -> None:
    with pytest.raises(CallError) as caught:
        sleep(wrong)
    assert len(str(caught.value).splitlines()) == 3
