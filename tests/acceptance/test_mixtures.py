"""Whatever a body mixes, its run comes to an end, and no call has two outcomes (law L1).

Sync, async and retried steps, maps, child runs, limits, failures that are handled or not, and calls that are cancelled
before, while and after they run: drawn from a seed, so that what fails here fails again.
"""

# mypy: disable-error-code="unused-awaitable"

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from anabranch import Pipeline, Retry, pipeline, step, unmapped
from anabranch.errors import Cancelled, NotMappable, UpstreamFailed
from anabranch.model.ids import ROOT_SCOPE

pytestmark = [pytest.mark.usefixtures("project"), pytest.mark.timeout(60)]


class Broken(Exception):
    """The failure of a user's step."""


EXPECTED = (Broken, UpstreamFailed, Cancelled, NotMappable)
MODES = ("STOP_ON_FAILURE", "FAIL_FAST", "CONTINUE_ON_FAILURE")


@step
def sync(value: object, fails: bool) -> list[int]:
    if fails:
        raise Broken
    return [1, 2, 3]


@step
async def coroutine(value: object, fails: bool) -> list[int]:
    await asyncio.sleep(0.001)
    if fails:
        raise Broken
    return [1, 2]


@step(retry=Retry(max_attempts=2, delay=0.002))
def retried(value: object, fails: bool) -> list[int]:
    if fails:
        raise Broken
    return []


class Mixture:
    """Pipelines whose bodies do at random what a body can do."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def pipeline(self, depth: int = 0) -> Pipeline[[], int]:
        made = pipeline(
            name=f"depth_{depth}",
            execution_mode=self._dice.choice(MODES),
            max_concurrency=self._dice.choice([None, 1, 3]),
        )
        return made(lambda: self._body(depth))

    def _body(self, depth: int) -> int:
        dice, futures = self._dice, list[Any]()
        for number in range(dice.randint(1, 12)):
            try:
                self._act(futures, number, depth)
            except EXPECTED:
                if dice.random() < 0.3:
                    raise
        for future in futures:
            if dice.random() < 0.7:
                future.exception()
        return len(futures)

    def _act(self, futures: list[Any], number: int, depth: int) -> None:
        dice = self._dice
        called: Any = dice.choice([sync, coroutine, retried])
        fails = dice.random() < 0.12
        value = dice.choice(futures) if futures and dice.random() < 0.5 else number
        match dice.choice(["submit", "submit", "call", "map", "child", "cancel"]):
            case "submit":
                futures.append(called.submit(value, fails))
            case "call":
                called(value, fails)
            case "map":
                limit, on_error = dice.choice([None, 1, 2]), dice.choice(["raise", "collect"])
                items = sync.submit(number, False)
                futures.append(
                    called.map(
                        items, fails=unmapped(fails), max_concurrency=limit, on_error=on_error
                    )
                )
            case "child" if depth < 2:
                child = self.pipeline(depth + 1)
                futures.append(child.submit()) if dice.random() < 0.6 else child()
            case "cancel" if futures:
                dice.choice(futures).cancel()


@pytest.mark.parametrize("seed", range(60))
def test_every_mixture_ends_and_no_call_has_two_outcomes(seed: int) -> None:
    run = Mixture(seed).pipeline().start()

    state = run.state  # two outcomes of one call are refused while it is folded
    assert run.error is None or isinstance(run.error, EXPECTED)
    assert run.status == state.status
    assert state.status in ("completed", "completed_with_failures", "failed")
    calls = state.invocations.values()
    assert not any(known.status == "running" for known in calls)
    if state.status == "completed":
        assert all(known.has_outcome for known in calls if known.scope == ROOT_SCOPE)
    with suppress(*EXPECTED):
        assert isinstance(run.load(), int)
