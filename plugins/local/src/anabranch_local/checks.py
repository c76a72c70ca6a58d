"""Whether the local journal can be written, which reading it does not tell."""

import sqlite3
from contextlib import closing

from anabranch.errors import RunNotFound, StackError
from anabranch.journal.sqlite import SqliteJournal

PATIENCE_SECONDS = 5.0
"""How long the check waits for a process that writes."""


def check_journal(journal: SqliteJournal) -> str:
    """Opens the file, makes it if it is not there, and writes something that is then taken back."""
    try:
        journal.find("stack-check")
    except RunNotFound:
        _write_and_take_back(journal)
    return f"{journal.path} can be read and written, SQLite {sqlite3.sqlite_version}"


def _write_and_take_back(journal: SqliteJournal) -> None:
    try:
        with closing(_connection(journal)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE stack_check (written TEXT)")
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StackError(
            f"the journal can be read but not written: {error}",
            str(journal.path),
            "make the file and its folder writable",
        ) from error


def _connection(journal: SqliteJournal) -> sqlite3.Connection:
    return sqlite3.connect(journal.path, timeout=PATIENCE_SECONDS, isolation_level=None)
