"""The journal in one SQLite file: the home of a laptop, and of any machine with a disk of its own.

Segments carry a CRC and events are numbered without gaps, so that a damaged file is an error and not another state.
`sqlite_file` has the connection, and what a commit promises.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from anabranch.errors import LeaseLost, RunBusy, RunNotFound
from anabranch.journal import kept_rows, message_rows, run_rows, segment_rows
from anabranch.journal.events import (
    DriverEnded,
    DriverStarted,
    Event,
    OutcomeRecorded,
    Row,
    RunCreated,
    RunEnded,
    from_row,
)
from anabranch.journal.holders import is_gone
from anabranch.journal.interface import Kept, Lease, Message, RunSummary
from anabranch.journal.kept_rows import Claim
from anabranch.journal.run_rows import RunRow
from anabranch.journal.segment_rows import Stored, containing, stored
from anabranch.journal.segments import all_rows, events, pack
from anabranch.journal.sqlite_file import SqliteFile, undo
from anabranch.model.ids import RunId

_KEPT_SEGMENTS = 4  # data is asked for event by event, in order: so each is read once


class SqliteJournal:
    """A journal at `path`; the file and its folder are made when the first run is."""

    def __init__(self, path: Path, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> None:
        self.path = path
        self._file = SqliteFile(path, synchronous)
        self._lately: deque[tuple[RunId, int, list[Row]]] = deque(maxlen=_KEPT_SEGMENTS)

    # --- writing ---------------------------------------------------------------------------------------------

    def create(self, created: RunCreated, holder: str, ttl_seconds: float) -> "SqliteWriter":
        until = time.time() + ttl_seconds
        with self._file.transaction(makes_file=True) as db:
            number, at = run_rows.next_number(db), float(created.at)
            row = RunRow(number, created.run, created.pipeline, at, 1, holder, until, head=1)
            run_rows.insert(db, row)
            db.executemany(segment_rows.INSERT, stored(number, pack(1, [created])))
        return SqliteWriter(self, created.run, number, epoch=1, head=1, ttl_seconds=ttl_seconds)

    def acquire(
        self, run: RunId, holder: str, ttl_seconds: float, dead_epoch: int | None = None
    ) -> "SqliteWriter":
        now = time.time()
        with self._file.transaction() as db:
            row = self._row(db, run)
            if row.lease is not None and row.lease.epoch != dead_epoch:
                _refuse_while_held(run, row.lease, now)
            head, epoch = self._head(db, row), row.epoch + 1
            run_rows.update(db, row.held(holder, now + ttl_seconds, epoch, head))
        return SqliteWriter(self, run, row.number, epoch, head, ttl_seconds)

    def post(self, run: RunId, message: Message) -> int:
        with self._file.transaction() as db:
            return message_rows.insert(db, self._row(db, run).number, message)

    def delete(self, run: RunId) -> None:
        with self._file.transaction() as db:
            row = self._row(db, run)
            if row.lease is not None and not is_gone(row.lease.holder):
                _refuse_while_held(run, row.lease, time.time())
            db.execute("PRAGMA secure_delete = ON")  # what was in the rows is not left in the file
            segment_rows.delete(db, row.number)
            message_rows.delete(db, row.number)
            run_rows.delete(db, row.number)

    # --- reading ---------------------------------------------------------------------------------------------

    def read(
        self, run: RunId, after: int = 0, without: Collection[type[Event]] = ()
    ) -> Iterator[tuple[int, Event]]:
        with self._file.guarded() as db:
            row = self._row(db, run)
            number, head = row.number, self._head(db, row)
        skipped = frozenset(kind.__name__ for kind in without)
        seen = after
        while seen < head:
            with self._file.guarded() as db:
                found = containing(db, number, seen + 1, limit=100)
            for place, segment in enumerate(found):
                last = segment.first + segment.count - 1
                starts_well = segment.first <= seen + 1 if place == 0 else segment.first == seen + 1
                if not starts_well or last <= seen:
                    raise self._file.damaged(f"event {seen + 1} of run {run} is missing")
                for event_number, event in events(segment, skipped):
                    if event_number > seen:
                        yield event_number, event
                seen = last
            if not found:
                self.summary(run)  # it may have been deleted meanwhile, and then it is not damaged
                raise self._file.damaged(f"event {seen + 1} of run {run} is missing")

    def data(self, run: RunId, number: int) -> bytes:
        row = self._stored_event(run, number)
        if row is None:
            raise self._file.damaged(f"event {number} of run {run} is missing")
        return row.data

    def kept(self, key: str) -> Kept | None:
        with self._file.guarded() as db:
            place = kept_rows.kept(db, key)
            row = None if place is None else run_rows.numbered(db, place.run)
        found = None if place is None or row is None else self._stored_event(row.run, place.event)
        if place is None or row is None or found is None or found.body.get("cache") != key:
            return None
        event = from_row(found)
        if not isinstance(event, OutcomeRecorded):
            return None
        return Kept(run=row.run, number=place.event, outcome=event)

    def find(self, prefix: str) -> RunId:
        with self._file.guarded() as db:
            latest = prefix == "latest"
            rows = run_rows.newest(db, 1) if latest else run_rows.beginning(db, prefix)
        if len(rows) == 1 or (rows and rows[0].run == prefix):
            return rows[0].run
        what = "more than one run" if rows else "no run"
        raise RunNotFound(f"{what} is called {prefix!r}", str(self.path), "see: anabranch runs ls")

    def summary(self, run: RunId) -> RunSummary:
        with self._file.guarded() as db:
            row = self._row(db, run)
            return row.summary(self._head(db, row))

    def runs(self, limit: int | None = 50) -> Sequence[RunSummary]:
        if not self.path.exists():
            return ()
        with self._file.guarded() as db:
            rows = run_rows.newest(db, -1 if limit is None else limit)
            return tuple(row.summary(self._head(db, row)) for row in rows)

    def close(self) -> None:
        self._file.close()

    # --- parts -------------------------------------------------------------------------------------------------

    def _append(
        self, writer: "SqliteWriter", rows: Sequence[Stored], added: Sequence[Event]
    ) -> None:
        """`_transaction` written out: this is the one place where 10 µs of context managers would tell."""
        with self._file.lock:
            db = self._file.opened()
            try:
                db.execute("BEGIN IMMEDIATE")
                writer._fence(db)
                db.executemany(segment_rows.INSERT, rows)
                writer._keep_status(db, added)
                writer._keep_outcomes(db, added)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                undo(db)
                raise self._file.explained(error) from error
            except BaseException:
                undo(db)
                raise

    def _stored_event(self, run: RunId, number: int) -> Row | None:
        """One event that has not been decoded; `None` if it is not there. Raises `RunNotFound` or `JournalCorrupt`."""
        for of_run, first, found in tuple(self._lately):
            if of_run == run and first <= number < first + len(found):
                return found[number - first]
        with self._file.guarded() as db:
            segments = containing(db, self._row(db, run).number, number, limit=1)
        first = segments[0].first if segments else 0
        if not segments or not first <= number < first + segments[0].count:
            return None
        found = all_rows(segments[0])
        self._lately.append((run, first, found))
        return found[number - first]

    def _row(self, db: sqlite3.Connection, run: RunId) -> RunRow:
        row = run_rows.of_run(db, run)
        if row is None:
            raise RunNotFound(f"no run is called {run!r}", str(self.path), "see: anabranch runs ls")
        return row

    def _head(self, db: sqlite3.Connection, row: RunRow) -> int:
        """How many events a run has."""
        head = segment_rows.head(db, row.number)
        if head < row.head:
            raise self._file.damaged(f"events of run {row.run} are missing")
        return head


def _refuse_while_held(run: RunId, lease: Lease, now: float) -> None:
    if lease.until > now:
        raise RunBusy(
            f"run {run} already has a driver: {lease.holder}",
            f"its lease lasts for another {lease.until - now:.0f} s unless it is renewed",
            "wait for that driver, or stop it and try again",
        )


class SqliteWriter:
    """The lease of one run in one SQLite journal."""

    def __init__(
        self,
        journal: SqliteJournal,
        run: RunId,
        number: int,
        epoch: int,
        head: int,
        ttl_seconds: float,
    ) -> None:
        self._journal, self._run, self._number = journal, run, number
        self._epoch, self._head, self._ttl = epoch, head, ttl_seconds

    @property
    def epoch(self) -> int:
        return self._epoch

    def append(self, added: Sequence[Event]) -> int:
        first = self._head + 1
        rows = stored(self._number, pack(first, added))
        self._journal._append(self, rows, added)
        self._head += len(added)
        return first

    def inbox(self, after: int) -> Sequence[tuple[int, Message]]:
        with self._journal._file.guarded() as db:
            return message_rows.of_run(db, self._number, after)

    def claim(self, key: str) -> RunId | None:
        with self._journal._file.transaction() as db:
            self._fence(db)
            other = kept_rows.claim_of(db, key)
            row = None if other is None else run_rows.numbered(db, other.run)
            if row is not None and other != Claim(row.number, row.epoch):
                row = None
            if row is not None and row.number != self._number and row.is_driven:
                return row.run
            kept_rows.claim(db, key, Claim(self._number, self._epoch))
        return None

    def give_up(self, key: str) -> None:
        with self._journal._file.transaction() as db:
            kept_rows.give_up(db, key, Claim(self._number, self._epoch))

    def renew(self) -> None:
        with self._journal._file.transaction() as db:
            row = self._row(db)
            if row is None:
                raise self._lost()
            until = time.time() + self._ttl
            run_rows.update(db, row.held(row.holder, until, self._epoch, self._head))

    def release(self) -> None:
        with self._journal._file.transaction() as db:
            row = self._row(db)
            if row is not None:
                run_rows.update(db, row.held(None, None, self._epoch, self._head))

    def _row(self, db: sqlite3.Connection) -> RunRow | None:
        """The row of the run while it is this writer's, else `None`."""
        row = run_rows.numbered(db, self._number)
        return row if row is not None and row.epoch == self._epoch else None

    def _fence(self, db: sqlite3.Connection) -> None:
        """In the same transaction as the write: a later epoch forbids it (law L4)."""
        epoch = db.execute("SELECT epoch FROM runs WHERE number = ?", (self._number,)).fetchone()
        if epoch is None or epoch[0] != self._epoch:
            raise self._lost()

    def _keep_status(self, db: sqlite3.Connection, added: Sequence[Event]) -> None:
        """The list of runs shows how a run or its driver ended, or that it goes on, without reading its events."""
        if any(isinstance(event, RunEnded | DriverStarted | DriverEnded) for event in added):
            row = self._row(db)
            if row is not None:
                run_rows.update(db, row.after(added, self._head + len(added)))

    def _keep_outcomes(self, db: sqlite3.Connection, added: Sequence[Event]) -> None:
        """Other runs find an outcome as soon as it is recorded, or not at all."""
        entries = [
            (event.cache, self._number, number)
            for number, event in enumerate(added, self._head + 1)
            if type(event) is OutcomeRecorded and event.cache
        ]
        if entries:
            kept_rows.keep(db, entries)

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"this driver no longer holds run {self._run}",
            "another driver has taken it over, or it was deleted; nothing more is written from here",
            f"follow it there: anabranch runs show {self._run}",
        )
