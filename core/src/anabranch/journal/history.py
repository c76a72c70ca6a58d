"""What became of each call in each life of a run's driver: a pure function over the run's events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from anabranch.journal.events import (
    AttemptEnded,
    AttemptStarted,
    DriverStarted,
    Event,
    InvocationCreated,
    OutcomeDiscarded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
)
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Failure, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A call in one life; `life` counts from 1, and 0 stands for what a rerun took over.

    `status` is `None` while it has no outcome; `again` says why an earlier outcome was discarded in this life, and
    `is_repeated` whether that was one of an attempt, so that the call runs a second time.
    `attempts` counts those of the recorded outcome, `retried` are the failures that another attempt followed. `cause`
    is the call whose failure made it be skipped, `origin` the run that its outcome was taken from.
    """

    life: int
    status: Status | None = None
    is_reused: bool = False
    again: str = ""
    is_repeated: bool = False
    seconds: float = 0.0
    attempts: int = 0
    retried: tuple[Failure, ...] = ()
    failure: Failure | None = None
    cause: InvocationId | None = None
    origin: RunId | None = None

    @property
    def ran(self) -> bool:
        """Whether the call itself was at work in this life, and came to an end."""
        return self.attempts > 0 and self.origin is None and not self.is_reused


def histories(events: Iterable[tuple[int, Event]]) -> dict[InvocationId, list[Episode]]:
    """For each call, in the order of their creation, its episodes by life. Lives that do not speak of it have none."""
    found: dict[InvocationId, list[Episode]] = {}
    life, source = 0, None
    for _, event in events:
        match event:
            case RunCreated():
                source = event.origin
            case DriverStarted():
                life = event.life
            case (
                InvocationCreated()
                | AttemptStarted()
                | AttemptEnded()
                | OutcomeDiscarded()
                | OutcomeRecorded()
                | OutcomeReused()
            ):
                episodes = found.setdefault(event.invocation, [])
                if not episodes or episodes[-1].life != life:
                    repeated = any(episode.attempts for episode in episodes)
                    episodes.append(Episode(life=life, is_repeated=repeated))
                episodes[-1] = _told(episodes[-1], event, source if life == 0 else None)
    return found


def _told(here: Episode, event: Event, source: RunId | None) -> Episode:
    match event:
        case AttemptEnded():
            return replace(here, retried=(*here.retried, event.failure))
        case OutcomeDiscarded():
            return replace(here, again=event.reason, status=None, is_reused=False)
        case OutcomeReused():
            return replace(here, is_reused=True)
        case OutcomeRecorded():
            return replace(
                here,
                status=event.status,
                seconds=event.seconds,
                attempts=event.attempt,
                failure=event.failure,
                cause=event.cause,
                origin=event.origin or source,
            )
    return here
