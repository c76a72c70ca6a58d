"""How often a step is tried, for which failures, and what is written of it."""

import _thread
import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch import Retry, context, pipeline, step
from anabranch.errors import DefinitionError, JobLost, Preempted, RunBusy
from anabranch.journal.events import AttemptEnded, DriverStarted, Event, OutcomeRecorded


@pytest.fixture
def flaky(notes):
    """A step's inside that fails a number of times and notes each attempt."""

    def make(failures: int, error: type[Exception] = OSError):
        def run() -> int:
            attempt = context().attempt
            notes.add(attempt)
            if len(notes) <= failures:
                raise error(f"attempt {attempt}")
            return len(notes)

        return run

    return make


WAYS = ["call", "submit", "map", "async"]


def called(way: str, inside, **options: Any):
    """A body that runs one step in one of the ways there are."""

    @step(**options)
    def work(x: int) -> int:
        return inside()

    @step(**options)
    async def awork(x: int) -> int:
        await asyncio.sleep(0)
        return inside()

    @pipeline
    def flow() -> Any:
        if way == "call":
            return work(1)
        if way == "submit":
            return work.submit(1)
        if way == "map":
            return work.map([1])[0]
        return awork.submit(1)

    return flow


@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_tried_until_it_succeeds_and_every_attempt_is_written(
    way, flaky, lab, notes
) -> None:
    run = lab.start(called(way, flaky(2), retry=3))

    assert run.load() == 3
    assert notes.take() == [1, 2, 3]
    assert [(e.attempt, e.failure.message) for e in lab.attempts_ended(run)] == [
        (1, "attempt 1"),
        (2, "attempt 2"),
    ]
    (known,) = lab.state(run).invocations.values()
    assert (known.status, known.attempts) == ("completed", 3)


@pytest.mark.parametrize("way", WAYS)
def test_a_step_that_fails_in_all_its_attempts_fails_with_the_last_ones_exception(
    way, flaky, lab, notes
) -> None:
    run = lab.start(called(way, flaky(9), retry=3))

    assert run.status == "failed"
    assert str(run.error) == "attempt 3"
    assert notes.take() == [1, 2, 3]
    (known,) = lab.state(run).invocations.values()
    assert (known.status, known.attempts) == ("failed", 3)


@pytest.mark.parametrize("way", WAYS)
def test_a_resume_gives_a_step_all_its_attempts_again(way, flaky, lab, notes) -> None:
    flow = called(way, flaky(5), retry=3)
    run = lab.start(flow)
    assert run.status == "failed"

    again = lab.resume(run, flow)

    assert again.load() == 6
    assert notes.take() == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [
        (Retry(max_attempts=3, on=(OSError,)), 3),
        (Retry(max_attempts=3, on=(FileNotFoundError,)), 3),
        (Retry(max_attempts=3, on=(ValueError,)), 1),
        (Retry(max_attempts=3, never_on=(OSError,)), 1),
        (Retry(max_attempts=3, on=(OSError,), never_on=(FileNotFoundError,)), 1),
        (Retry(max_attempts=3, on=(OSError,), never_on=(PermissionError,)), 3),
        (Retry(max_attempts=1), 1),
        ({"max_attempts": 2}, 2),
        (None, 1),
    ],
)
def test_only_the_failures_that_were_named_are_tried_again(
    retry, attempts, flaky, lab, notes
) -> None:
    run = lab.start(called("submit", flaky(9, FileNotFoundError), retry=retry))

    assert isinstance(run.error, FileNotFoundError)
    assert notes.take() == list(range(1, attempts + 1))


def test_a_pipelines_retry_is_for_the_steps_that_say_nothing_of_their_own(
    flaky, lab, notes
) -> None:
    inside = flaky(99)

    @step
    def silent() -> int:
        return inside()

    @step(retry=1)
    def outspoken() -> int:
        return inside()

    @pipeline(retry=2)
    def flow() -> None:
        silent.submit().exception()
        outspoken.submit().exception()

    run = lab.start(flow)

    assert run.status == "completed"
    assert notes.take() == [1, 2, 1]


@pytest.mark.parametrize("way", WAYS)
def test_the_next_attempt_comes_after_the_delay(way, flaky, lab) -> None:
    run = lab.start(called(way, flaky(2), retry=Retry(max_attempts=3, delay=0.03, backoff=2.0)))
    events = lab.events(run)
    first, second = lab.attempts_ended(run)
    (outcome,) = (event for event in events if isinstance(event, OutcomeRecorded))

    assert first.retry_at - first.at == pytest.approx(0.03, abs=0.01)
    assert second.retry_at - second.at == pytest.approx(0.06, abs=0.01)
    assert second.at >= first.retry_at
    assert outcome.at >= second.retry_at


def test_a_step_that_waits_for_its_next_attempt_takes_no_thread_and_no_place_from_others(
    lab, notes
) -> None:
    """70 steps wait at once, and there are 64 threads; the free one must come before them."""
    together = threading.Event()

    @step(retry=Retry(max_attempts=2, delay=0.3))
    def waiting(x: int) -> int:
        if context().attempt == 1:
            raise OSError
        assert together.is_set()
        return x

    @step
    def free() -> int:
        together.set()
        return 1

    @pipeline
    def flow() -> Any:
        later = waiting.map(range(70))
        return free.submit(), later

    assert lab.start(flow).load() == (1, list(range(70)))


@pytest.mark.parametrize("way", ["submit", "map", "async"])
def test_a_call_that_waits_for_its_next_attempt_can_be_cancelled(way, flaky, lab) -> None:
    """It would wait for an hour."""
    flow = called(way, flaky(9), retry=Retry(max_attempts=2, delay=3600))

    @pipeline
    def cancelling() -> str:
        future = flow.embed()
        while not future.wait(0.01):
            if lab.attempts_ended_in(future):
                assert future.cancel()
        return type(future.exception()).__name__

    run = lab.start(cancelling)

    assert run.load() == "Cancelled"


@pytest.mark.parametrize("way", ["submit", "map", "async"])
def test_a_run_that_stops_does_not_wait_for_the_attempts_that_would_come(way, flaky, lab) -> None:
    """They would come in an hour; a resume finds out that they are due."""
    inner = called(way, flaky(9), retry=Retry(max_attempts=2, delay=3600))

    @step
    def breaking() -> None:
        raise ValueError("the end")

    @pipeline
    def flow() -> Any:
        future = inner.embed()
        while not lab.attempts_ended_in(future):
            future.wait(0.01)
        return breaking()

    run = lab.start(flow)

    assert isinstance(run.error, ValueError)
    assert run.status == "failed"


@pytest.mark.parametrize("way", ["call", "submit"])
def test_after_a_resume_an_attempt_still_comes_after_its_delay(way, flaky, lab, notes) -> None:
    """The driver is gone while a step waits for its next attempt."""
    flow = called(way, flaky(1), retry=Retry(max_attempts=2, delay=0.2))

    def interrupt(number: int, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            _thread.interrupt_main()

    run = lab.start(flow, observers=[interrupt])
    assert run.status == "interrupted"
    (ended,) = lab.attempts_ended(run)

    again = lab.resume(run, flow)

    assert again.load() == 2
    outcome = next(e for e in lab.events(again) if isinstance(e, OutcomeRecorded))
    assert outcome.at >= ended.retry_at
    assert [e.life for e in lab.events(again) if isinstance(e, DriverStarted)] == [1, 2]
    assert notes.take() == [1, 2]


# --- the rule itself ---------------------------------------------------------------------------------------------


@given(
    delay=st.floats(0, 100),
    backoff=st.floats(0, 10),
    max_delay=st.floats(0, 500),
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 30),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_wait_is_never_negative_and_never_longer_than_the_longest_with_its_jitter(
    delay: float, backoff: float, max_delay: float, jitter: float, attempt: int, chance: float
) -> None:
    retry = Retry(max_attempts=31, delay=delay, backoff=backoff, max_delay=max_delay, jitter=jitter)

    wait = retry.wait_seconds(OSError(), attempt, 0, chance)

    assert 0 <= wait <= max_delay * (1 + jitter) + 1e-9


@pytest.mark.parametrize("attempt", [1, 2, 50, 1000, 100_000])
def test_the_wait_of_a_very_late_attempt_can_be_told(attempt: int) -> None:
    retry = Retry(max_attempts=10**6, delay=1.0, backoff=2.0, max_delay=60.0)

    assert 0 < retry.wait_seconds(OSError(), attempt, 0, 0.5) <= 60.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": 1.5},
        {"delay": -1},
        {"backoff": "fast"},
        {"jitter": -0.1},
        {"max_delay": None},
    ],
)
def test_L11_a_retry_that_makes_no_sense_is_refused_when_it_is_written(wrong) -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(**wrong)
    assert len(str(caught.value).splitlines()) == 3


def test_a_run_that_another_driver_has_is_not_resumed_beside_it(lab, notes) -> None:
    """L4, also within one process."""

    @step
    def work() -> int:
        try:
            lab.resume_latest(flow)
        except RunBusy as error:
            notes.add(str(error))
        return 1

    @pipeline
    def flow() -> Any:
        return work()

    assert lab.start(flow).load() == 1
    (told,) = notes.take()
    assert "already has a driver" in told


SOON = {"infrastructure_delay": 0.001}


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_of_the_infrastructure_spends_none_of_the_users_attempts(way, lab, notes) -> None:
    """Two machines go away, and the one attempt that the user allows is still there."""
    troubles = [Preempted("spot"), JobLost("node gone"), None]

    def inside() -> int:
        notes.add(context().attempt)
        trouble = troubles[len(notes) - 1]
        if trouble is not None:
            raise trouble
        return 7

    run = lab.start(called(way, inside, retry=Retry(**SOON)))

    assert run.load() == 7
    assert notes.take() == [1, 2, 3]
    assert [event.is_spared for event in lab.attempts_ended(run)] == [True, True]


def test_the_infrastructures_budget_ends_too(lab, notes) -> None:
    def inside() -> int:
        notes.add(1)
        raise Preempted("spot")

    run = lab.start(called("call", inside, retry=Retry(infrastructure_retries=2, **SOON)))

    assert isinstance(run.error, Preempted)
    assert len(notes) == 3


def test_both_budgets_are_counted_apart(lab, notes) -> None:
    """The user's second attempt is the fourth in all: two machines went away in between."""
    troubles = [OSError(), Preempted("a"), JobLost("b"), OSError()]

    def inside() -> int:
        notes.add(context().attempt)
        raise troubles[len(notes) - 1]

    run = lab.start(called("submit", inside, retry=Retry(max_attempts=2, **SOON)))

    assert isinstance(run.error, OSError)
    assert notes.take() == [1, 2, 3, 4]


def test_what_the_user_never_wants_tried_again_is_not(lab, notes) -> None:
    def inside() -> int:
        notes.add(1)
        raise Preempted("spot")

    run = lab.start(called("call", inside, retry=Retry(never_on=Preempted)))

    assert isinstance(run.error, Preempted)
    assert len(notes) == 1


def test_the_infrastructures_budget_outlives_the_driver(lab, notes) -> None:
    """Law L1: what earlier lives have spent of it stays spent."""

    def inside() -> int:
        notes.add(context().attempt)
        raise Preempted("spot")

    def interrupt(number: int, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            _thread.interrupt_main()

    flow = called("call", inside, retry=Retry(infrastructure_retries=1, infrastructure_delay=0.2))
    run = lab.start(flow, observers=[interrupt])
    assert run.status == "interrupted"

    again = lab.resume(run, flow)

    assert isinstance(again.error, Preempted)
    assert notes.take() == [1, 2]


@pytest.mark.parametrize(("spared", "wait"), [(0, 1.0), (1, 2.0), (2, 4.0), (20, 60.0)])
def test_the_wait_for_another_machine_doubles(spared: int, wait: float) -> None:
    retry = Retry(max_delay=60.0)

    assert retry.wait_seconds(Preempted("spot"), spared + 1, spared, 0.5) == wait
