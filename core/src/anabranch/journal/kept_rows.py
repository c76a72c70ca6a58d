"""Which outcomes other runs may use, in the SQLite journal, and which of them are being computed just now.

Both tables are derived: what a key stands for is in the events alone, and an entry that leads to anything else counts
as none. A claim is worth as much as the lease that its run holds under the same epoch; nobody needs to clean up after a
run that was killed. What belongs to a run goes when its row does.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

SCHEMA = """
CREATE TABLE kept (
    key TEXT PRIMARY KEY, run INTEGER NOT NULL, event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_by_run ON kept (run);
CREATE TABLE claims (
    key TEXT PRIMARY KEY, run INTEGER NOT NULL, epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER run_deleted AFTER DELETE ON runs BEGIN
    DELETE FROM kept WHERE run = OLD.number; DELETE FROM claims WHERE run = OLD.number; END;
"""
"""Statements end with a semicolon and a line's end, and only they do."""


class Place(NamedTuple):
    """`run` is the number of the run's row, `event` that of the event in it."""

    run: int
    event: int


class Claim(NamedTuple):
    """A run that computes what a key stands for, and the epoch under which it began to."""

    run: int
    epoch: int


def keep(db: sqlite3.Connection, entries: Iterable[tuple[str, int, int]]) -> None:
    """Key, run and event; a newer outcome takes the place of an older one."""
    db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", entries)


def kept(db: sqlite3.Connection, key: str) -> Place | None:
    found = db.execute("SELECT run, event FROM kept WHERE key = ?", (key,)).fetchone()
    return None if found is None else Place(*found)


def claim_of(db: sqlite3.Connection, key: str) -> Claim | None:
    found = db.execute("SELECT run, epoch FROM claims WHERE key = ?", (key,)).fetchone()
    return None if found is None else Claim(*found)


def claim(db: sqlite3.Connection, key: str, claim: Claim) -> None:
    """In place of one that no longer counts."""
    db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (key, *claim))


def give_up(db: sqlite3.Connection, key: str, claim: Claim) -> None:
    """Unless it is somebody else's by now."""
    db.execute("DELETE FROM claims WHERE key = ? AND run = ? AND epoch = ?", (key, *claim))
