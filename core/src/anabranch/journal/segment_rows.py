"""Where the segments of all runs stand in a SQLite file: in one table, those of a run in a row.

So appending is always at a hot page, and reading a run on is reading the file on.
"""

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

from anabranch.journal.segments import Segment, damaged

SCHEMA = """
CREATE TABLE segments (
    place INTEGER PRIMARY KEY, count INTEGER NOT NULL, text TEXT NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;"""
INSERT = "INSERT INTO segments VALUES (?, ?, ?, ?, ?)"
Stored: TypeAlias = tuple[int, int, str, bytes, int]

_SHIFT = 32
"""Segments of run n stand from n << 32, each at the number of its first event."""


def stored(run: int, segments: Sequence[Segment]) -> list[Stored]:
    base = run << _SHIFT
    return [(base + s.first, s.count, s.text, s.data, s.crc) for s in segments]


def head(db: sqlite3.Connection, run: int) -> int:
    """How many events a run has."""
    base = run << _SHIFT
    last = db.execute(
        "SELECT place, count FROM segments WHERE place > ? AND place < ? ORDER BY place DESC LIMIT 1",
        (base, base + (1 << _SHIFT)),
    ).fetchone()
    if last is None:
        return 0
    place, count = last
    if not isinstance(count, int):
        raise damaged(place - base)
    return int(place) - base + count - 1


def containing(db: sqlite3.Connection, run: int, number: int, limit: int) -> list[Segment]:
    """The segment that holds event `number` of a run, and those after it. Raises `JournalCorrupt`."""
    base = run << _SHIFT
    start = db.execute(
        "SELECT max(place) FROM segments WHERE place > ? AND place <= ?", (base, base + number)
    ).fetchone()[0]
    rows = db.execute(
        "SELECT place, count, text, data, crc FROM segments"
        " WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
        (start or base + number, base + (1 << _SHIFT), limit),
    ).fetchall()
    for place, *columns in rows:
        if tuple(map(type, columns)) != (int, str, bytes, int):
            raise damaged(place - base)
    return [Segment(place - base, *columns) for place, *columns in rows]


def delete(db: sqlite3.Connection, run: int) -> None:
    base = run << _SHIFT
    db.execute("DELETE FROM segments WHERE place > ? AND place < ?", (base, base + (1 << _SHIFT)))
