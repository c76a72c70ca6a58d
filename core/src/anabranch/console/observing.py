"""What a display is to the engine and to whoever opens one.

The engine calls an observer with each event once it is durable, in the order of the journal, from the thread that has
just written it; so a display only takes the event in there and draws elsewhere, or writes a line. It never raises: a
terminal that has gone away is no reason for a run to fail.
"""

from types import TracebackType
from typing import Protocol, Self

from anabranch.journal.events import Event
from anabranch.journal.fold import RunState


class Display(Protocol):
    """An observer that is opened before the run starts and closed after it has ended.

    Opened before, because the engine puts its own streams before those that it finds.
    """

    def __call__(self, number: int, event: Event) -> None:
        """Event `number` of the run (from 1) is durable."""
        ...

    def remember(self, state: RunState) -> None:
        """What earlier lives of the run have recorded; called before the first event of a resumed run."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Quiet:
    """Shows nothing."""

    def __call__(self, number: int, event: Event) -> None:
        return None

    def remember(self, state: RunState) -> None:
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None
