"""The journal in one SQLite file: the home of a laptop, and of any machine with a disk of its own.

WAL mode, so that readers never wait for the writer. With `synchronous = NORMAL` a commit outlives the process,
whatever kills it, and costs about 20 µs; a power cut may cost the last moments before it, never consistency. `FULL`
also waits for the disk at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous). Segments carry a CRC
and events are numbered without gaps, so that a damaged file is an error and not another state.

One connection serves all threads of a process under a lock; other processes have their own.
"""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

from anabranch.errors import (
    JournalCorrupt,
    JournalError,
    JournalVersion,
    LeaseLost,
    RunBusy,
    RunNotFound,
)
from anabranch.journal.events import DriverStarted, Event, RunCreated, RunEnded
from anabranch.journal.interface import Lease, RunSummary
from anabranch.journal.segments import Segment, data_of, events, pack
from anabranch.model.ids import RunId
from anabranch.model.records import RunStatus

FORMAT = 1
_BUSY_SECONDS = 30.0
_CHECKPOINT_PAGES = (
    4000  # 16 MB: moving the log into the file costs a wait for the disk; four times the default
)
_SHIFT = 32  # segments of run n stand from n << 32 in one table, so that appending is always at a hot page

_SCHEMA = f"""
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, created REAL NOT NULL,
    status TEXT, ended REAL,
    epoch INTEGER NOT NULL, holder TEXT, until REAL
) STRICT;
CREATE TABLE segments (
    place INTEGER PRIMARY KEY, count INTEGER NOT NULL, text TEXT NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
PRAGMA user_version = {FORMAT};
"""
_Stored: TypeAlias = tuple[int, int, str, bytes, int]
_INSERT = "INSERT INTO segments VALUES (?, ?, ?, ?, ?)"


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
                "INSERT INTO runs VALUES (NULL, ?, ?, ?, NULL, NULL, 1, ?, ?)",
                (created.run, created.pipeline, created.at, holder, until),
            )
            number = int(cursor.lastrowid or 0)
            db.executemany(_INSERT, _stored(number, pack(1, [created])))
        return SqliteWriter(self, created.run, number, epoch=1, head=1, ttl_seconds=ttl_seconds)

    def acquire(
        self, run: RunId, holder: str, ttl_seconds: float, dead_epoch: int | None = None
    ) -> "SqliteWriter":
        now = time.time()
        with self._transaction() as db:
            number, epoch, owner, until = self._row(db, run, "number, epoch, holder, until")
            if owner is not None and until > now and epoch != dead_epoch:
                raise RunBusy(
                    f"run {run} already has a driver: {owner}",
                    f"its lease lasts for another {until - now:.0f} s unless it is renewed",
                    "wait for that driver, or stop it and try again",
                )
            db.execute(
                "UPDATE runs SET epoch = ?, holder = ?, until = ? WHERE number = ?",
                (epoch + 1, holder, now + ttl_seconds, number),
            )
            head = _head(db, number)
        return SqliteWriter(self, run, number, epoch + 1, head, ttl_seconds)

    # --- reading ---------------------------------------------------------------------------------------------

    def read(
        self, run: RunId, after: int = 0, without: Collection[type[Event]] = ()
    ) -> Iterator[tuple[int, Event]]:
        with self._guarded() as db:
            (number,) = self._row(db, run, "number")
            head = _head(db, number)
        skipped = frozenset(kind.__name__ for kind in without)
        seen = after
        while seen < head:
            with self._guarded() as db:
                found = _segments(db, number, seen + 1, limit=100)
            for place, segment in enumerate(found):
                last = segment.first + segment.count - 1
                starts_well = segment.first <= seen + 1 if place == 0 else segment.first == seen + 1
                if not starts_well or last <= seen:
                    raise self._damaged(f"event {seen + 1} of run {run} is missing")
                for event_number, event in events(segment, skipped):
                    if event_number > seen:
                        yield event_number, event
                seen = last
            if not found:
                raise self._damaged(f"event {seen + 1} of run {run} is missing")

    def data(self, run: RunId, number: int) -> bytes:
        with self._guarded() as db:
            (run_number,) = self._row(db, run, "number")
            found = _segments(db, run_number, number, limit=1)
        if not found or number >= found[0].first + found[0].count:
            raise self._damaged(f"event {number} of run {run} is missing")
        return data_of(found[0], number)

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
            return _summary(db, self._row(db, run, _SUMMARY))

    def runs(self, limit: int = 50) -> Sequence[RunSummary]:
        if not self.path.exists():
            return ()
        with self._guarded() as db:
            rows = db.execute(
                f"SELECT {_SUMMARY} FROM runs ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
            return tuple(_summary(db, row) for row in rows)

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
                _undo(db)
                raise

    def _append(
        self, writer: "SqliteWriter", rows: Sequence[_Stored], added: Sequence[Event]
    ) -> None:
        """`_transaction` written out: this is the one place where 10 µs of context managers would tell."""
        with self._lock:
            db = self._opened()
            try:
                db.execute("BEGIN IMMEDIATE")
                writer._fence(db)
                db.executemany(_INSERT, rows)
                writer._keep_status(db, added)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                _undo(db)
                raise self._explained(error) from error
            except BaseException:
                _undo(db)
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
            db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
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
            raise RunNotFound(f"no run is called {run!r}", str(self.path), "see: anabranch runs ls")
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

    def append(self, added: Sequence[Event]) -> int:
        first = self._head + 1
        rows = _stored(self._number, pack(first, added))
        self._journal._append(self, rows, added)
        self._head += len(added)
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

    def _fence(self, db: sqlite3.Connection) -> None:
        """In the same transaction as the write: a later epoch forbids it (law L4)."""
        epoch = db.execute("SELECT epoch FROM runs WHERE number = ?", (self._number,)).fetchone()
        if epoch is None or epoch[0] != self._epoch:
            raise self._lost()

    def _keep_status(self, db: sqlite3.Connection, added: Sequence[Event]) -> None:
        """The list of runs shows the end of a run, or that it goes on again, without reading its events."""
        for event in added:
            if isinstance(event, RunEnded | DriverStarted):
                ended = (event.status, event.at) if isinstance(event, RunEnded) else (None, None)
                db.execute(
                    "UPDATE runs SET status = ?, ended = ? WHERE number = ?", (*ended, self._number)
                )

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"this driver no longer holds run {self._run}",
            "another driver has taken it over; nothing more is written from here",
            f"follow it there: anabranch runs show {self._run}",
        )


_SUMMARY = "number, run, pipeline, created, status, ended, epoch, holder, until"


def _head(db: sqlite3.Connection, number: int) -> int:
    """How many events a run has."""
    first = number << _SHIFT
    last = db.execute(
        "SELECT place, count FROM segments WHERE place > ? AND place < ? ORDER BY place DESC LIMIT 1",
        (first, first + (1 << _SHIFT)),
    ).fetchone()
    return 0 if last is None else int(last[0]) - first + int(last[1]) - 1


def _summary(db: sqlite3.Connection, row: tuple[Any, ...]) -> RunSummary:
    number, run, pipeline, created, status, ended, epoch, holder, until = row
    lease = None if holder is None else Lease(holder=holder, epoch=epoch, until=until)
    return RunSummary(
        run=run,
        pipeline=pipeline,
        created=created,
        status=status or _unfinished(lease),
        ended=ended,
        events=_head(db, number),
        lease=lease,
    )


def _unfinished(lease: Lease | None) -> RunStatus:
    """What the lease says of a run whose end is not recorded (law L9)."""
    if lease is None:
        return "interrupted"
    return "running" if lease.until > time.time() else "lost"


def _undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")


def _stored(run: int, segments: Sequence[Segment]) -> list[_Stored]:
    base = run << _SHIFT
    return [(base + s.first, s.count, s.text, s.data, s.crc) for s in segments]


def _segments(db: sqlite3.Connection, run: int, number: int, limit: int) -> list[Segment]:
    """The segment that holds event `number` of a run, and those after it."""
    base = run << _SHIFT
    start = db.execute(
        "SELECT max(place) FROM segments WHERE place > ? AND place <= ?", (base, base + number)
    ).fetchone()[0]
    rows = db.execute(
        "SELECT place, count, text, data, crc FROM segments"
        " WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
        (start or base + number, base + (1 << _SHIFT), limit),
    ).fetchall()
    return [Segment(place - base, count, text, data, crc) for place, count, text, data, crc in rows]
