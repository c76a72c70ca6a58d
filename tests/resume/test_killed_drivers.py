"""L1, L8: a driver that is killed at any moment, again and again, leaves a run that ends as if nothing had happened."""

import random
import signal
import time
from typing import Any

import pytest

PIPELINES = ["everything", "aeverything"]


def unbroken(drivers: Any, pipeline: str, expected: object) -> tuple[float, int]:
    """How long an unbroken run takes, and how many writes it makes."""
    durations, writes = [], []
    for _ in range(3):
        begin = time.perf_counter()
        assert drivers.drive("new", pipeline=pipeline)
        durations.append(time.perf_counter() - begin)
        value, count = drivers.result()
        assert value == expected
        writes.append(count)
    drivers.told()
    return sorted(durations)[1], min(writes)


def test_an_unbroken_run_obeys_the_laws_that_the_killed_ones_are_held_to(
    drivers, history, expected
) -> None:
    past = history()
    assert drivers.drive("new")
    past.life()
    past.end(expected)


@pytest.mark.parametrize("when", ["before", "within", "after"])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_L1_a_driver_killed_at_a_write_is_resumed_to_the_end(
    pipeline, when, drivers, history, expected
) -> None:
    """At writes all over the run; every second run is killed once more when it is resumed."""
    _, writes = unbroken(drivers, pipeline, expected)
    chance = random.Random(f"{pipeline} {when}")
    moments = sorted({2, 3, writes - 1, writes, *chance.sample(range(2, writes + 1), 8)})
    for write in moments:
        past, runs = history(), drivers.count()
        done = drivers.drive("new", pipeline=pipeline, when=when, write=write)
        past.life()
        assert drivers.count() == runs + 1
        while not done:
            again = chance.choice([0, chance.randrange(1, 20)])
            done = drivers.drive("latest", when=when, write=again)
            past.life()
        past.end(expected)


def lives_cut_short(
    drivers: Any, past: Any, chance: random.Random, duration: float, by: int, expected: Any
) -> int:
    """Drives a run to its end, where `past` judges it, through lives that a signal cuts short; how many these were."""
    runs, cut = drivers.count(), 0
    seconds = chance.uniform(0.02, 1.0) * duration
    done = drivers.drive("new", seconds=seconds, with_signal=by)
    if drivers.count() == runs:
        drivers.told()
        return 0  # it ended before there was a run
    past.life()
    while not done:
        assert drivers.state().status in ENDED_BY[by]
        cut += 1
        seconds = chance.choice([None, chance.uniform(0.02, 1.0) * duration])
        done = drivers.drive("latest", seconds=seconds, with_signal=by)
        past.life()
    past.end(expected)
    return cut


ENDED_BY = {signal.SIGKILL: ("running",), signal.SIGINT: ("running", "interrupted")}
"""What the events say of a run that was cut short: `running` if its driver had no time for a last word."""


@pytest.mark.parametrize(
    ("by", "times"), [(signal.SIGKILL, 50), (signal.SIGINT, 25)], ids=["killed", "interrupted"]
)
def test_L1_L8_L9_a_driver_cut_short_at_random_moments_is_resumed_to_the_end(
    by, times, drivers, history, expected
) -> None:
    """Killed, or by Ctrl-C, which gives the lease back. Nothing that was recorded is lost."""
    chance = random.Random(20261124)
    duration, _ = unbroken(drivers, "everything", expected)
    cut = 0
    while cut < times:
        cut += lives_cut_short(drivers, history(), chance, duration, by, expected)
