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
import weakref
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from anabranch.errors import (
    JournalCorrupt,
    JournalError,
    JournalVersion,
    LeaseLost,
    RunBusy,
    RunNotFound,
)
from anabranch.journal import run_rows, segment_rows
from anabranch.journal.events import DriverStarted, Event, RunCreated, RunEnded
from anabranch.journal.interface import RunSummary
from anabranch.journal.run_rows import RunRow
from anabranch.journal.segment_rows import Stored, containing, stored
from anabranch.journal.segments import all_data, events, pack
from anabranch.model.ids import RunId

FORMAT = 1
_BUSY_SECONDS = 30.0
_RETRY_SECONDS = 0.005
_CHECKPOINT_PAGES = (
    4000  # 16 MB: moving the log into the file costs a wait for the disk; four times the default
)
_KEPT_SEGMENTS = 4  # data is asked for event by event, in order: so each is read once

_SCHEMA = f"""{run_rows.SCHEMA}{segment_rows.SCHEMA}
PRAGMA user_version = {FORMAT};
"""


class SqliteJournal:
    """A journal at `path`; the file and its folder are made when the first run is."""

    def __init__(self, path: Path, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._lately: deque[tuple[RunId, int, list[bytes]]] = deque(maxlen=_KEPT_SEGMENTS)

    # --- writing ---------------------------------------------------------------------------------------------

    def create(self, created: RunCreated, holder: str, ttl_seconds: float) -> "SqliteWriter":
        until = time.time() + ttl_seconds
        with self._transaction(makes_file=True) as db:
            number, at = run_rows.next_number(db), float(created.at)
            row = RunRow(number, created.run, created.pipeline, at, 1, holder, until, head=1)
            run_rows.insert(db, row)
            db.executemany(segment_rows.INSERT, stored(number, pack(1, [created])))
        return SqliteWriter(self, created.run, number, epoch=1, head=1, ttl_seconds=ttl_seconds)

    def acquire(
        self, run: RunId, holder: str, ttl_seconds: float, dead_epoch: int | None = None
    ) -> "SqliteWriter":
        now = time.time()
        with self._transaction() as db:
            row = self._row(db, run)
            lease, epoch = row.lease, row.epoch + 1
            if lease is not None and lease.until > now and lease.epoch != dead_epoch:
                raise RunBusy(
                    f"run {run} already has a driver: {lease.holder}",
                    f"its lease lasts for another {lease.until - now:.0f} s unless it is renewed",
                    "wait for that driver, or stop it and try again",
                )
            head = self._head(db, row)
            run_rows.update(db, row.held(holder, now + ttl_seconds, epoch, head))
        return SqliteWriter(self, run, row.number, epoch, head, ttl_seconds)

    # --- reading ---------------------------------------------------------------------------------------------

    def read(
        self, run: RunId, after: int = 0, without: Collection[type[Event]] = ()
    ) -> Iterator[tuple[int, Event]]:
        with self._guarded() as db:
            row = self._row(db, run)
            number, head = row.number, self._head(db, row)
        skipped = frozenset(kind.__name__ for kind in without)
        seen = after
        while seen < head:
            with self._guarded() as db:
                found = containing(db, number, seen + 1, limit=100)
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
        for of_run, first, found in tuple(self._lately):
            if of_run == run and first <= number < first + len(found):
                return found[number - first]
        with self._guarded() as db:
            segments = containing(db, self._row(db, run).number, number, limit=1)
        first = segments[0].first if segments else 0
        if not segments or not first <= number < first + segments[0].count:
            raise self._damaged(f"event {number} of run {run} is missing")
        found = all_data(segments[0])
        self._lately.append((run, first, found))
        return found[number - first]

    def find(self, prefix: str) -> RunId:
        with self._guarded() as db:
            latest = prefix == "latest"
            rows = run_rows.newest(db, 1) if latest else run_rows.beginning(db, prefix)
        if len(rows) == 1 or (rows and rows[0].run == prefix):
            return rows[0].run
        what = "more than one run" if rows else "no run"
        raise RunNotFound(f"{what} is called {prefix!r}", str(self.path), "see: anabranch runs ls")

    def summary(self, run: RunId) -> RunSummary:
        with self._guarded() as db:
            row = self._row(db, run)
            return row.summary(self._head(db, row))

    def runs(self, limit: int = 50) -> Sequence[RunSummary]:
        if not self.path.exists():
            return ()
        with self._guarded() as db:
            rows = run_rows.newest(db, limit)
            return tuple(row.summary(self._head(db, row)) for row in rows)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # --- the connection --------------------------------------------------------------------------------------

    @contextmanager
    def _guarded(self, makes_file: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection under the lock, SQLite's errors as ours."""
        with self._lock:
            try:
                yield self._opened(makes_file)
            except sqlite3.Error as error:
                raise self._explained(error) from error
            except (
                UnicodeDecodeError
            ) as error:  # what SQLite says of a broken schema may be no text
                raise self._damaged("the journal is damaged: its schema is no text") from error

    @contextmanager
    def _transaction(self, makes_file: bool = False) -> Iterator[sqlite3.Connection]:
        with self._guarded(makes_file) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                _undo(db)
                raise

    def _append(
        self, writer: "SqliteWriter", rows: Sequence[Stored], added: Sequence[Event]
    ) -> None:
        """`_transaction` written out: this is the one place where 10 µs of context managers would tell."""
        with self._lock:
            db = self._opened()
            try:
                db.execute("BEGIN IMMEDIATE")
                writer._fence(db)
                db.executemany(segment_rows.INSERT, rows)
                writer._keep_status(db, added)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                _undo(db)
                raise self._explained(error) from error
            except BaseException:
                _undo(db)
                raise

    def _opened(self, makes_file: bool = False) -> sqlite3.Connection:
        if self._connection is None:
            if not makes_file and not self.path.exists():
                raise RunNotFound(
                    "there are no runs yet", str(self.path), "start one: anabranch run FILE"
                )
            try:
                make_folder(self.path.parent)
            except OSError as error:
                raise JournalError(
                    f"the journal's folder cannot be made: {error.strerror}",
                    str(self.path.parent),
                    "make it writable, or choose another place with ANABRANCH_HOME",
                ) from error
            self._connection = self._connect()
            weakref.finalize(
                self, self._connection.close
            )  # whoever forgets to close leaves nothing open
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            version, tables = db.execute(
                "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
            ).fetchone()
            if version == 0 and tables:
                raise JournalError(
                    "the file is a database, but not a journal",
                    str(self.path),
                    "move it away, or choose another place with ANABRANCH_HOME",
                )
            if version == 0:
                _enter_wal(db)
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

    def _row(self, db: sqlite3.Connection, run: RunId) -> RunRow:
        row = run_rows.of_run(db, run)
        if row is None:
            raise RunNotFound(f"no run is called {run!r}", str(self.path), "see: anabranch runs ls")
        return row

    def _head(self, db: sqlite3.Connection, row: RunRow) -> int:
        """How many events a run has."""
        head = segment_rows.head(db, row.number)
        if head < row.head:
            raise self._damaged(f"events of run {row.run} are missing")
        return head

    def _damaged(self, what: str) -> JournalCorrupt:
        return JournalCorrupt(what, str(self.path), "restore the file from a copy")

    def _explained(self, error: sqlite3.Error) -> JournalError:
        text = " ".join(str(error).split())[:200]  # it may quote a whole schema
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
        rows = stored(self._number, pack(first, added))
        self._journal._append(self, rows, added)
        self._head += len(added)
        return first

    def renew(self) -> None:
        with self._journal._transaction() as db:
            row = self._row(db)
            if row is None:
                raise self._lost()
            until = time.time() + self._ttl
            run_rows.update(db, row.held(row.holder, until, self._epoch, self._head))

    def release(self) -> None:
        with self._journal._transaction() as db:
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
        """The list of runs shows the end of a run, or that it goes on again, without reading its events."""
        if any(isinstance(event, RunEnded | DriverStarted) for event in added):
            row = self._row(db)
            if row is not None:
                run_rows.update(db, row.after(added, self._head + len(added)))

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"this driver no longer holds run {self._run}",
            "another driver has taken it over; nothing more is written from here",
            f"follow it there: anabranch runs show {self._run}",
        )


def _enter_wal(db: sqlite3.Connection) -> None:
    """Several processes may find the file new at one moment; SQLite then refuses the switch without waiting."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while not _switched(db, deadline):
        time.sleep(_RETRY_SECONDS)


def _switched(db: sqlite3.Connection, deadline: float) -> bool:
    try:
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() > deadline:
            raise
        return False
    return True


def make_folder(folder: Path) -> None:
    """Runs are not part of a project's history: a folder that was made for them tells git so."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")
