"""The moments in a driver's life at which it is killed, and the kill.

A moment is just before, or just after, something that outlives the process. `marked` says what that is; to have another
kind of moment, such as the submission of a job, it wraps another part of the stack in the same way.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from anabranch.journal.events import Event, RunCreated
from anabranch.journal.interface import Journal, RunWriter
from anabranch.model.ids import RunId
from anabranch.stacks import Stack
from anabranch.testing.diaries import Diary

T = TypeVar("T")


class Moments:
    """Counts the moments of a life, from 1, and ends the process by SIGKILL at the one numbered `last`; 0 is none."""

    def __init__(self, last: int, diary: Diary) -> None:
        self._last, self._diary = last, diary
        self._lock = threading.Lock()
        self.count = 0

    def around(self, act: Callable[[], T], named: Callable[[], str]) -> T:
        """What `act` gives. `named` is asked for a name only if the process dies here."""
        self._reach("before", named)
        made = act()
        self._reach("after", named)
        return made

    def _reach(self, side: str, named: Callable[[], str]) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._last:
                self._diary.dies(f"{side} {named()}")
                os.kill(os.getpid(), signal.SIGKILL)


def marked(stack: Stack, moments: Moments, diary: Diary) -> Stack:
    """The stack, with a moment before and after each write to its journal."""
    return replace(stack, journal=cast(Journal, MarkedJournal(stack.journal, moments, diary)))


class MarkedJournal:
    """A journal with moments around its writes. What is not written here it leaves to the journal itself."""

    def __init__(self, journal: Journal, moments: Moments, diary: Diary) -> None:
        self._journal, self._moments, self._diary = journal, moments, diary

    def create(self, created: RunCreated, holder: str, ttl_seconds: float) -> RunWriter:
        self._diary.begins(created.run)

        def create() -> RunWriter:
            writer = self._journal.create(created, holder, ttl_seconds)
            self._diary.keeps(1, [created])
            return writer

        return self._marked(self._moments.around(create, lambda: "the creation of the run"))

    def acquire(
        self, run: RunId, holder: str, ttl_seconds: float, dead_epoch: int | None = None
    ) -> RunWriter:
        def acquire() -> RunWriter:
            return self._journal.acquire(run, holder, ttl_seconds, dead_epoch)

        return self._marked(self._moments.around(acquire, lambda: "taking the lease"))

    def _marked(self, writer: RunWriter) -> RunWriter:
        return cast(RunWriter, MarkedWriter(writer, self._moments, self._diary))

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)


class MarkedWriter:
    """The same for a writer."""

    def __init__(self, writer: RunWriter, moments: Moments, diary: Diary) -> None:
        self._writer, self._moments, self._diary = writer, moments, diary

    def append(self, added: Sequence[Event]) -> int:
        def append() -> int:
            first = self._writer.append(added)
            self._diary.keeps(first, added)
            return first

        return self._moments.around(append, lambda: f"the write of {_kinds(added)}")

    def release(self) -> None:
        self._moments.around(self._writer.release, lambda: "giving the lease back")

    def __getattr__(self, name: str) -> object:
        return getattr(self._writer, name)


def _kinds(events: Sequence[Event]) -> str:
    counts = Counter(type(event).__name__ for event in events)
    return ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in counts.items())
