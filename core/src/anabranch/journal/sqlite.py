"""The journal in one SQLite file: the home of a laptop, and of any machine with a disk of its own.

WAL mode, so that readers never wait for the writer. With `synchronous = NORMAL` a commit outlives the process,
whatever kills it, and costs about 20 µs; a power cut may cost the last moments before it, never consistency. `FULL`
also waits for the disk at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous). Every row carries a
CRC of its content and runs are numbered without gaps, so that a damaged file is an error and not another state.

One connection serves all threads of a process under a lock; other processes have their own.
"""

import sqlite3
import threading
import time
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from anabranch.errors import (
    JournalCorrupt,
    JournalError,
    JournalVersion,
    LeaseLost,
    RunBusy,
    RunNotFound,
)
from anabranch.journal.events import Event, Row, RunCreated, RunEnded, from_row, to_row
from anabranch.journal.interface import Lease, RunSummary
from anabranch.model.ids import RunId
from anabranch.model.records import RunStatus

FORMAT = 1
_BUSY_SECONDS = 30.0
_SHIFT = 32  # events of run n stand at n << 32 in one table, so that appending is always at a hot page

_SCHEMA = f"""
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, created REAL NOT NULL,
    status TEXT, ended REAL, head INTEGER NOT NULL,
    epoch INTEGER NOT NULL, holder TEXT, until REAL
) STRICT;
CREATE TABLE events (
    place INTEGER PRIMARY KEY, kind TEXT NOT NULL, at REAL NOT NULL, body TEXT NOT NULL, data BLOB NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
PRAGMA user_version = {FORMAT};
"""
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"


class SqliteJournal:
    """A journal at `path`; the file and its folder are made when the first run is."""

    def __init__(self, path: Path, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    # --- writing ---------------------------------------------------------------------------------------------

    def create(self, created: RunCreated, holder: str, ttl_seconds: float) -> "SqliteWriter":
        until = time.time() + ttl_seconds
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO runs VALUES (NULL, ?, ?, ?, NULL, NULL, 1, 1, ?, ?)",
                (created.run, created.pipeline, created.at, holder, until),
            )
            number = int(cursor.lastrowid or 0)
            db.execute(_INSERT, _stored(number, 1, to_row(created)))
        return SqliteWriter(self, created.run, number, epoch=1, head=1, ttl_seconds=ttl_seconds)

    def acquire(self, run: RunId, holder: str, ttl_seconds: float) -> "SqliteWriter":
        now = time.time()
        with self._transaction() as db:
            number, head, epoch, owner, until = self._row(
                db, run, "number, head, epoch, holder, until"
            )
            if owner is not None and until > now and owner != holder:
                raise RunBusy(
                    f"run {run} already has a driver: {owner}",
                    f"its lease lasts for another {until - now:.0f} s unless it is renewed",
                    "wait for that driver, or stop it and try again",
                )
            db.execute(
                "UPDATE runs SET epoch = ?, holder = ?, until = ? WHERE number = ?",
                (epoch + 1, holder, now + ttl_seconds, number),
            )
        return SqliteWriter(self, run, number, epoch + 1, head, ttl_seconds)

    # --- reading ---------------------------------------------------------------------------------------------

    def read(
        self, run: RunId, after: int = 0, without: Collection[type[Event]] = ()
    ) -> Iterator[tuple[int, Event]]:
        with self._guarded() as db:
            number, head = self._row(db, run, "number, head")
        skipped = {kind.__name__ for kind in without}
        seen, first = after, number << _SHIFT
        while seen < head:
            with self._guarded() as db:
                rows = db.execute(
                    "SELECT place, kind, at, body, data, crc FROM events"
                    " WHERE place > ? AND place <= ? ORDER BY place LIMIT 1000",
                    (first + seen, first + head),
                ).fetchall()
            for place, kind, at, body, data, crc in rows:
                seen += 1
                if place != first + seen or crc != _crc(kind, body, data):
                    raise self._damaged(f"event {seen} of run {run} is not what was written")
                if kind not in skipped:
                    yield seen, from_row(Row(kind, at, body, data))
            if not rows:
                raise self._damaged(f"event {seen + 1} of run {run} is missing")

    def data(self, run: RunId, number: int) -> bytes:
        with self._guarded() as db:
            (run_number,) = self._row(db, run, "number")
            found = db.execute(
                "SELECT kind, body, data, crc FROM events WHERE place = ?",
                ((run_number << _SHIFT) + number,),
            ).fetchone()
        if found is None or found[3] != _crc(*found[:3]):
            raise self._damaged(f"event {number} of run {run} is not what was written")
        return bytes(found[2])

    def find(self, prefix: str) -> RunId:
        with self._guarded() as db:
            if prefix == "latest":
                rows = db.execute("SELECT run FROM runs ORDER BY number DESC LIMIT 1").fetchall()
            else:
                rows = db.execute(
                    "SELECT run FROM runs WHERE substr(run, 1, ?) = ? LIMIT 2",
                    (len(prefix), prefix),
                ).fetchall()
        if len(rows) != 1:
            what = "no run" if not rows else "more than one run"
            raise RunNotFound(
                f"{what} is called {prefix!r}", str(self.path), "see: anabranch runs ls"
            )
        return RunId(rows[0][0])

    def summary(self, run: RunId) -> RunSummary:
        with self._guarded() as db:
            return _summary(self._row(db, run, _SUMMARY))

    def runs(self, limit: int = 50) -> Sequence[RunSummary]:
        if not self.path.exists():
            return ()
        with self._guarded() as db:
            rows = db.execute(
                f"SELECT {_SUMMARY} FROM runs ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(_summary(row) for row in rows)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # --- the connection --------------------------------------------------------------------------------------

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        """The connection under the lock, SQLite's errors as ours."""
        with self._lock:
            try:
                yield self._opened()
            except sqlite3.Error as error:
                raise self._explained(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guarded() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise JournalError(
                    f"the journal's folder cannot be made: {error.strerror}",
                    str(self.path.parent),
                    "make it writable, or choose another place with ANABRANCH_HOME",
                ) from error
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                db.execute("PRAGMA journal_mode = WAL")
                self._make_schema(db)
            elif version != FORMAT:
                raise JournalVersion(
                    f"the journal has format {version}; this version of anabranch reads format {FORMAT}",
                    str(self.path),
                    "use the version that wrote it, or move the file away to begin a new one",
                )
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _make_schema(db: sqlite3.Connection) -> None:
        """Two processes may both find a new file: the second to get the lock finds it made."""
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement)
        db.execute("COMMIT")

    def _row(self, db: sqlite3.Connection, run: RunId, columns: str) -> tuple[Any, ...]:
        row = db.execute(f"SELECT {columns} FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None:
            raise RunNotFound(
                f"no run is called {run!r}", str(self.path), "see: anabranch runs ls"
            )
        return tuple(row)

    def _damaged(self, what: str) -> JournalCorrupt:
        return JournalCorrupt(what, str(self.path), "restore the file from a copy")

    def _explained(self, error: sqlite3.Error) -> JournalError:
        text = str(error)
        if isinstance(error, sqlite3.DatabaseError) and (
            "malformed" in text or "not a database" in text or "no such table" in text
        ):
            return self._damaged(f"the journal is damaged: {text}")
        if "full" in text:
            advice = "free some space; the run goes on with: anabranch resume"
        elif "readonly" in text or "unable to open" in text:
            advice = "make the file and its folder writable"
        elif "locked" in text:
            advice = "another process has held the file for long; see who has it open"
        else:
            advice = "look at the file and its disk; nothing that was recorded is lost"
        return JournalError(f"the journal refuses: {text}", str(self.path), advice)


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

    def append(self, events: Sequence[Event]) -> int:
        rows = [to_row(event) for event in events]
        first = self._head + 1
        with self._journal._transaction() as db:
            self._advance(db, len(rows), _ending(events))
            db.executemany(
                _INSERT, [_stored(self._number, first + i, row) for i, row in enumerate(rows)]
            )
        self._head += len(rows)
        return first

    def renew(self) -> None:
        with self._journal._transaction() as db:
            changed = db.execute(
                "UPDATE runs SET until = ? WHERE number = ? AND epoch = ?",
                (time.time() + self._ttl, self._number, self._epoch),
            ).rowcount
            if not changed:
                raise self._lost()

    def release(self) -> None:
        with self._journal._transaction() as db:
            db.execute(
                "UPDATE runs SET holder = NULL, until = NULL WHERE number = ? AND epoch = ?",
                (self._number, self._epoch),
            )

    def _advance(
        self, db: sqlite3.Connection, count: int, end: tuple[RunStatus, float] | None
    ) -> None:
        """Moves the head if this writer still has the lease and nobody has written in between."""
        status, ended = end or (None, None)
        changed = db.execute(
            "UPDATE runs SET head = ?, status = ?, ended = ? WHERE number = ? AND epoch = ? AND head = ?",
            (self._head + count, status, ended, self._number, self._epoch, self._head),
        ).rowcount
        if not changed:
            raise self._lost()

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"this driver no longer holds run {self._run}",
            "another driver has taken it over; nothing more is written from here",
            f"follow it there: anabranch runs show {self._run}",
        )


_SUMMARY = "run, pipeline, created, status, ended, head, epoch, holder, until"


def _summary(row: tuple[Any, ...]) -> RunSummary:
    run, pipeline, created, status, ended, head, epoch, holder, until = row
    lease = None if holder is None else Lease(holder=holder, epoch=epoch, until=until)
    return RunSummary(
        run=run,
        pipeline=pipeline,
        created=created,
        status=status or _unfinished(lease),
        ended=ended,
        events=head,
        lease=lease,
    )


def _unfinished(lease: Lease | None) -> RunStatus:
    """What the lease says of a run whose end is not recorded (law L9)."""
    if lease is None:
        return "interrupted"
    return "running" if lease.until > time.time() else "lost"


def _ending(events: Sequence[Event]) -> tuple[RunStatus, float] | None:
    last = events[-1]
    return (last.status, last.at) if isinstance(last, RunEnded) else None


def _crc(kind: str, body: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(body.encode(), zlib.crc32(kind.encode())))


def _stored(run: int, number: int, row: Row) -> tuple[int, str, float, str, bytes, int]:
    place = (run << _SHIFT) + number
    return place, row.kind, row.at, row.body, row.data, _crc(row.kind, row.body, row.data)
