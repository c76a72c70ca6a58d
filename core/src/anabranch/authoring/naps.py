"""Sleep that a crash does not lengthen: the moment of waking is recorded, and a resumed body sleeps what is left."""

import math
import time
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta

from anabranch import engine
from anabranch.engine.contexts import checkpoint
from anabranch.engine.current import BodyRun, StepRun, current
from anabranch.errors import CallError

_LOOK_SECONDS = 0.1


def sleep(duration: float | timedelta) -> Awaitable[None]:
    """Lets `duration` pass, a timedelta or seconds; in an `async def` body or step, `await` it.

    In a body it is durable: a run that is resumed wakes when it would have woken, at once if that is past. The `n`-th
    sleep of a duration is the same one after an edit. It ends early when the run is stopped, in a step also when that
    is cancelled. Raises `CallError` for what is no duration.
    """
    seconds = _checked(duration)
    here = current.get()
    is_async = False
    pause = _Pause(seconds, time.time() + seconds, lambda: None)
    if isinstance(here, BodyRun):
        home, scope = here.home, here.scope
        until = home.draw(scope, f"sleep {seconds!r}", lambda: pause.until)
        pause.until, pause.check = float(until), lambda: home.check_going_on(scope)
        is_async = scope.definition.is_async
    elif isinstance(here, StepRun):
        pause.check = checkpoint
        is_async = here.invocation.definition.is_async
    if is_async:
        return engine.paused(pause)
    while (left := pause()) > 0:
        time.sleep(left)
    return _Over()


class _Pause:
    """Called again and again: how long to sleep before the next call, in seconds; 0 when it is over.

    It never lasts longer than `seconds` from now, so that a clock which is set back does not lengthen it.
    """

    def __init__(self, seconds: float, until: float, check: Callable[[], None]) -> None:
        self.until, self.check = until, check
        self._latest = time.monotonic() + seconds

    def __call__(self) -> float:
        left = min(self.until - time.time(), self._latest - time.monotonic())
        if left <= 0:
            return 0.0
        self.check()
        return min(left, _LOOK_SECONDS)


class _Over:
    """To await it is to wait for nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


def _checked(duration: object) -> float:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= float(seconds) < math.inf:  # type: ignore[arg-type]
        raise CallError(
            f"{duration!r} is no duration", "sleep()", "pass seconds, from 0, or a timedelta"
        )
    return float(seconds)  # type: ignore[arg-type]
