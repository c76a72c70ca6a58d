"""What every home of the journal promises. Each home passes the same tests.

A run has one writer at a time. The right to write is a *lease*: it belongs to a holder until a moment, and it has a
number, the epoch, that grows with every change of hands. A write names the epoch that it was begun under and fails
once a later one exists (law L4), so that a driver which was thought dead can do no harm when it wakes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from anabranch.journal.events import Event, OutcomeRecorded, RunCreated
from anabranch.model.ids import RunId
from anabranch.model.records import RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`until` is in unix seconds by the clock of the machine that keeps the journal. `epoch` counts from 1."""

    holder: str
    epoch: int
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A line of `anabranch runs ls`. `lease` is `None` once no driver claims the run."""

    run: RunId
    pipeline: str
    created: float
    status: RunStatus
    ended: float | None
    events: int
    lease: Lease | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody else wants of a run's driver, who alone writes to the run.

    `cancel` ends the run; `answer` gives the wait called `subject` its value, as JSON in `data`. `sender` is a person.
    """

    kind: Literal["cancel", "answer"]
    sender: str
    subject: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An outcome that other runs may use: event `number` of `run`."""

    run: RunId
    number: int
    outcome: OutcomeRecorded


class RunWriter(Protocol):
    """The right to add to one run. Only its holder has one."""

    @property
    def epoch(self) -> int: ...

    def append(self, added: Sequence[Event]) -> int:
        """Adds all of them or none; they outlive this process once it returns.

        Returns the number of the first, counting a run's events from 1. Raises `LeaseLost` if the lease has changed
        hands, `JournalError` if the journal's home refuses (no space left, read-only).
        """
        ...

    def inbox(self, after: int) -> Sequence[tuple[int, Message]]:
        """The messages to this run with a number above `after`, in their order. They stay there."""
        ...

    def claim(self, key: str) -> RunId | None:
        """Says that this run computes the outcome with this cache key; the run that does so already, else `None`.

        Of several that ask at once one gets `None`. A claim counts until it is given up, and no longer than its run's
        lease lasts under the same epoch. A run's own claim does not stand in its way.
        """
        ...

    def give_up(self, key: str) -> None:
        """The outcome is recorded, or will not be. Does nothing if the claim is not this run's any more."""
        ...

    def renew(self) -> None:
        """Keeps the lease for another while. Raises `LeaseLost`."""
        ...

    def release(self) -> None:
        """Gives the lease back; does nothing if it is already lost."""
        ...


class Journal(Protocol):
    """A place that keeps the events of many runs."""

    def create(self, created: RunCreated, holder: str, ttl_seconds: float) -> RunWriter:
        """A new run with its first event, held by `holder`."""
        ...

    def acquire(
        self, run: RunId, holder: str, ttl_seconds: float, dead_epoch: int | None = None
    ) -> RunWriter:
        """The lease of an existing run. Raises `RunNotFound`, or `RunBusy` while another holder's lease lasts.

        The caller knows that the holder of `dead_epoch` is gone: a lease of that epoch is over already.
        """
        ...

    def post(self, run: RunId, message: Message) -> int:
        """Leaves a message for the run's driver, present or future; it needs no lease. Raises `RunNotFound`.

        Returns its number. Numbers grow, and two messages never have the same.
        """
        ...

    def read(
        self, run: RunId, after: int = 0, without: Collection[type[Event]] = ()
    ) -> Iterator[tuple[int, Event]]:
        """Events with their numbers, in order, from the one after `after`; kinds in `without` are passed over.

        Raises `RunNotFound`, `JournalCorrupt` or `JournalVersion`.
        """
        ...

    def data(self, run: RunId, number: int) -> bytes:
        """The data of one event. Raises `JournalCorrupt` if it is not there."""
        ...

    def kept(self, key: str) -> Kept | None:
        """The newest outcome that was recorded under this cache key, if its run is still there."""
        ...

    def find(self, prefix: str) -> RunId:
        """The one run whose id begins with `prefix`. Raises `RunNotFound`; `"latest"` is the newest run."""
        ...

    def summary(self, run: RunId) -> RunSummary: ...

    def runs(self, limit: int | None = 50) -> Sequence[RunSummary]:
        """Newest first; `None` means all of them."""
        ...

    def delete(self, run: RunId) -> None:
        """Removes a run for good: its events, its messages and its lease, all of them or none.

        Raises `RunNotFound`, or `RunBusy` while a driver holds the lease. Whoever still has a writer of the run, such
        as a driver that was thought dead, gets `LeaseLost` from then on, also once there are newer runs (law L4); who
        is reading it gets `RunNotFound`. What the run has in the artifact store stays there.
        """
        ...

    def close(self) -> None: ...
