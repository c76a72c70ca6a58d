"""Whether the local journal can be written, which reading it does not tell."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from anabranch.errors import RunNotFound, StackError
from anabranch.journal.sqlite import SqliteJournal
from anabranch.journal.sqlite_file import make_folder

PATIENCE_SECONDS = 5.0
"""How long the check waits for a process that writes."""


def check_journal(journal: SqliteJournal) -> str:
    """Reads the file, and writes something that is then taken back; where there is none, tries to make one."""
    version = f"SQLite {sqlite3.sqlite_version}"
    if not journal.path.exists():
        _make_and_remove(journal.path)
        return f"{journal.path} can be made by the first run, {version}"
    try:
        journal.find("stack-check")
    except RunNotFound:
        _write_and_take_back(journal.path)
    return f"{journal.path} can be read and written, {version}"


def _make_and_remove(journal: Path) -> None:
    probe = journal.with_name(f".{journal.name}.check-{os.getpid()}")
    try:
        make_folder(journal.parent)
        _write_and_take_back(probe)
        probe.unlink()
    except OSError as error:
        raise StackError(
            f"the journal cannot be made: {error.strerror}",
            str(journal),
            "make its folder writable, or choose another place",
        ) from error


def _write_and_take_back(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE stack_check (written TEXT)")
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StackError(
            f"the journal cannot be written: {error}",
            str(path),
            "make the file and its folder writable",
        ) from error
