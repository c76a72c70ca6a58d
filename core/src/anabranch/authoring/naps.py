"""Sleep that a crash does not lengthen: the moment of waking is recorded, and a resumed body sleeps what is left."""

import time
from collections.abc import Awaitable, Generator
from datetime import timedelta

from anabranch import engine
from anabranch.engine.contexts import checkpoint
from anabranch.engine.current import BodyRun, StepRun, current
from anabranch.engine.resting import Pause
from anabranch.errors import CallError
from anabranch.model.durations import seconds_of


def sleep(duration: float | timedelta) -> Awaitable[None]:
    """Lets `duration` pass, a timedelta or seconds; in an `async def` body or step, `await` it.

    In a body it is durable: a run that is resumed wakes when it would have woken, at once if that is past. The `n`-th
    sleep of a duration is the same one after an edit. It ends early when the run is stopped, in a step also when that
    is cancelled. Raises `CallError` for what is no duration.
    """
    seconds = seconds_of(duration)
    if seconds is None or seconds < 0:
        raise CallError(
            f"{duration!r} is no duration", "sleep()", "pass seconds, from 0, or a timedelta"
        )
    here = current.get()
    pause = _pause(seconds, here)
    if here is not None and here.is_async:
        return engine.paused(pause)
    while (left := pause()) > 0:
        time.sleep(left)
    return _Over()


def _pause(seconds: float, here: BodyRun | StepRun | None) -> Pause:
    until = time.time() + seconds
    if isinstance(here, BodyRun):
        home, scope = here.home, here.scope
        drawn = home.draw(scope, f"sleep {seconds!r}", lambda: until)
        return Pause(seconds, float(drawn), lambda: home.check_going_on(scope))
    return Pause(seconds, until, checkpoint)


class _Over:
    """To await it is to wait for nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()
