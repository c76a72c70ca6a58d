"""The SQLite file that a journal is in: one connection, its schema, and SQLite's errors as ours.

WAL mode, so that readers never wait for the writer. With `synchronous = NORMAL` a commit outlives the process,
whatever kills it, and costs about 20 µs; a power cut may cost the last moments before it, never consistency. `FULL`
also waits for the disk at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous).

One connection serves all threads of a process under a lock; other processes have their own.
"""

import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from anabranch.errors import JournalCorrupt, JournalError, JournalVersion, RunNotFound
from anabranch.journal import kept_rows, message_rows, run_rows, segment_rows

FORMAT = 3
_OLDEST = 1
_BUSY_SECONDS = 30.0
_RETRY_SECONDS = 0.005
_CHECKPOINT_PAGES = (
    4000  # 16 MB: moving the log into the file costs a wait for the disk; four times the default
)

_SCHEMA = f"{run_rows.SCHEMA}{segment_rows.SCHEMA}"
_SINCE = {1: message_rows.SCHEMA, 2: kept_rows.SCHEMA}
"""What each format has that the one of this number has not. A new file goes the same way as an old one."""


class SqliteFile:
    """The file at `path`; it and its folder are made when somebody says `makes_file`."""

    def __init__(self, path: Path, synchronous: Literal["NORMAL", "FULL"]) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self.lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def guarded(self, makes_file: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection under the lock, SQLite's errors as ours."""
        with self.lock:
            try:
                yield self.opened(makes_file)
            except sqlite3.Error as error:
                raise self.explained(error) from error
            except (
                UnicodeDecodeError
            ) as error:  # what SQLite says of a broken schema may be no text
                raise self.damaged("the journal is damaged: its schema is no text") from error

    @contextmanager
    def transaction(self, makes_file: bool = False) -> Iterator[sqlite3.Connection]:
        with self.guarded(makes_file) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                undo(db)
                raise

    def opened(self, makes_file: bool = False) -> sqlite3.Connection:
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
            if version in (0, *_SINCE):
                _bring_up(db)
            elif version != FORMAT:
                raise JournalVersion(
                    f"the journal has format {version}; this version of anabranch reads {_OLDEST} to {FORMAT}",
                    str(self.path),
                    "use the version that wrote it, or move the file away to begin a new one",
                )
        except BaseException:
            db.close()
            raise
        return db

    def damaged(self, what: str) -> JournalCorrupt:
        return JournalCorrupt(what, str(self.path), "restore the file from a copy")

    def explained(self, error: sqlite3.Error) -> JournalError:
        text = " ".join(str(error).split())[:200]  # it may quote a whole schema
        if isinstance(error, sqlite3.DatabaseError) and (
            "malformed" in text or "not a database" in text or "no such table" in text
        ):
            return self.damaged(f"the journal is damaged: {text}")
        if "full" in text:
            advice = "free some space; the run goes on with: anabranch resume"
        elif "readonly" in text or "unable to open" in text:
            advice = "make the file, its -wal and -shm if they are there, and its folder writable"
        elif "locked" in text:
            advice = "another process has held the file for long; see who has it open"
        else:
            advice = "look at the file and its disk; nothing that was recorded is lost"
        return JournalError(f"the journal refuses: {text}", str(self.path), advice)


def _bring_up(db: sqlite3.Connection) -> None:
    """To the present format, from an older one or from nothing. Of two processes the second finds it done."""
    db.execute("BEGIN IMMEDIATE")
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    schemas = ([_SCHEMA] if found == 0 else []) + [_SINCE[v] for v in range(found or 1, FORMAT)]
    for statement in "".join(schemas).strip().split(";\n"):
        if statement:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.execute("COMMIT")


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


def undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")
