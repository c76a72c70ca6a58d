"""One writer for a run, fed by many threads.

Whoever has something to record puts it in the buffer. If nobody is writing, that thread writes all that the buffer
holds in one transaction and tells those concerned; if somebody is, that one will take it along. So a lone sequential
step pays for one commit and no change of threads, and a thousand that end at once share a few commits. What is noted
(rather than committed) waits for the next commit or for the clock's next tick. Nothing is told before it is durable.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from anabranch.errors import JournalError, LeaseLost
from anabranch.journal.events import Event
from anabranch.journal.interface import Message, RunWriter
from anabranch.model.ids import RunId

_LOOK_SECONDS = 0.5
Told = Callable[[int], None]
Observer = Callable[[int, Event], None]


class Recorder:
    """Feeds a `RunWriter`. Once a write has failed, `failure` says why, and nothing more is written."""

    def __init__(self, writer: RunWriter, observers: Sequence[Observer] = ()) -> None:
        self._writer = writer
        self._observers = tuple(observers)
        self._buffer: list[Event] = []
        self._told: list[tuple[int, Told]] = []
        self._buffer_lock = threading.Lock()
        self._writing = threading.Lock()
        self.failure: JournalError | None = None

    @property
    def is_writing(self) -> bool:
        """Whether a thread is at it just now."""
        return self._writing.locked()

    def note(self, *events: Event) -> None:
        """Written with the next commit."""
        with self._buffer_lock:
            self._buffer.extend(events)

    def record(self, events: Sequence[Event], told: Told) -> None:
        """Written soon; `told` is then called with the number of the last event, by whichever thread wrote it.

        After a failed write `told` is never called.
        """
        with self._buffer_lock:
            self._buffer.extend(events)
            self._told.append((len(self._buffer) - 1, told))
        self.flush()

    def commit(self, *events: Event) -> int:
        """Written when this returns: the number of the last event. Raises the `JournalError` of a failed write."""
        number = 0
        written: threading.Lock | None = None

        def told(last: int) -> None:
            nonlocal number
            number = last
            if written is not None:
                written.release()

        if self._writing.acquire(blocking=False):
            try:
                with self._buffer_lock:
                    self._buffer.extend(events)
                    self._told.append((len(self._buffer) - 1, told))
                self._write()
            finally:
                self._writing.release()
            self.flush()
        else:
            written = threading.Lock()
            written.acquire()
            self.record(events, told)
            while not written.acquire(timeout=_LOOK_SECONDS) and self.failure is None:
                self.flush()
        if self.failure is not None and not number:
            raise self.failure
        return number

    def flush(self) -> None:
        """Writes what is in the buffer unless another thread is at it already."""
        while self._buffer and self.failure is None and self._writing.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._writing.release()

    def show(self, first: int, events: Sequence[Event]) -> None:
        """Tells the observers of durable events, the first of which has number `first`.

        Whoever only watches may not disturb the run: one that raises is told no more.
        """
        for observer in self._observers:
            try:
                for place, event in enumerate(events):
                    observer(first + place, event)
            except Exception as error:  # noqa: BLE001  (a stranger's code)
                self._observers = tuple(each for each in self._observers if each is not observer)
                what = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"an observer of the run is told no more; {what}\n")

    def refuse(self, error: JournalError) -> None:
        """Something else that the record needs has failed, such as the artifact store: it ends here."""
        self.flush()
        if self.failure is None:
            self._fail(error)

    def check(self) -> None:
        """Raises what made a write fail."""
        if self.failure is not None:
            raise self.failure

    def inbox(self, after: int) -> Sequence[tuple[int, Message]]:
        """The messages to the run with a number above `after`. Raises a `JournalError`."""
        return self._writer.inbox(after)

    def claim(self, key: str) -> RunId | None:
        """As `RunWriter.claim`. Raises the `JournalError` of a journal that refuses."""
        return self._writer.claim(key)

    def give_up(self, key: str) -> None:
        """As `RunWriter.give_up`. What a journal that refuses keeps of a claim ends with this run's lease."""
        with suppress(JournalError):
            self._writer.give_up(key)

    def renew(self) -> None:
        """Keeps the lease. A lost one is the end of this writer."""
        with self._writing:
            try:
                self._writer.renew()
            except LeaseLost as error:
                self._fail(error)
            except JournalError:
                return  # the next tick tries again; only the lease's end is final

    def close(self) -> None:
        """Writes what is left and gives the lease back, after a failure too if the journal lets it.

        What a thread that was left behind brings later is not written.
        """
        self.flush()
        with self._writing:
            self._writer.release()
            self.failure = self.failure or LeaseLost(
                "the driver has left this run", "what comes too late", "resume the run"
            )

    def _write(self) -> None:
        with self._buffer_lock:
            events, self._buffer = self._buffer, []
            told, self._told = self._told, []
        if not events or self.failure is not None:
            return
        try:
            first = self._writer.append(events)
        except JournalError as error:
            self._fail(error)
            return
        except Exception as error:  # noqa: BLE001  (a fault of ours must not leave those who wait waiting)
            what = f"an event cannot be written: {type(error).__name__}: {error}"
            self._fail(JournalError(what, "the journal of this run", "report it; resume the run"))
            return
        self.show(first, events)
        for place, tell in told:
            tell(first + place)

    def _fail(self, error: JournalError) -> None:
        self.failure = error
