"""The row that the SQLite journal keeps of each run: who may write to it, and how it ended.

What the events say is guarded by the checksum of their segments; this row has one of its own, so that a damaged lease
or status is an error too. `head` is a number of events that the run has at least: those that it had when the row was
last written. If there are fewer, some are gone.
"""

import sqlite3
import time
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace

from anabranch.errors import JournalCorrupt
from anabranch.journal.events import DriverEnded, DriverStarted, Event, RunEnded
from anabranch.journal.holders import is_gone
from anabranch.journal.interface import Lease, RunSummary
from anabranch.model.ids import RunId
from anabranch.model.records import RunStatus

SCHEMA = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, created REAL NOT NULL,
    epoch INTEGER NOT NULL, holder TEXT, until REAL, head INTEGER NOT NULL, status TEXT, ended REAL,
    seal INTEGER NOT NULL
) STRICT;"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """`number` counts the runs of a file from 1. `status` is `None` while the run goes on, `ended` until it is over."""

    number: int
    run: RunId
    pipeline: str
    created: float
    epoch: int
    holder: str | None
    until: float | None
    head: int
    status: RunStatus | None = None
    ended: float | None = None

    @property
    def lease(self) -> Lease | None:
        if self.holder is None or self.until is None:
            return None
        return Lease(holder=self.holder, epoch=self.epoch, until=self.until)

    @property
    def is_driven(self) -> bool:
        """Whether somebody holds its lease, as far as can be told from here."""
        held = self.holder is not None and self.until is not None and self.until > time.time()
        return held and not is_gone(self.holder or "")

    def held(self, holder: str | None, until: float | None, epoch: int, head: int) -> "RunRow":
        """With another lease, or none."""
        return replace(self, holder=holder, until=until, epoch=epoch, head=head)

    def after(self, added: Sequence[Event], head: int) -> "RunRow":
        """As it is once these events are recorded: they may end the run, or make it go on again."""
        row = self
        for event in added:
            if isinstance(event, RunEnded):
                row = replace(row, status=event.status, ended=float(event.at), head=head)
            elif isinstance(event, DriverStarted):
                row = replace(row, status=None, ended=None, head=head)
            elif isinstance(event, DriverEnded) and event.reason == "paused":
                row = replace(row, status="paused", head=head)
        return row

    def summary(self, events: int) -> RunSummary:
        return RunSummary(
            run=self.run,
            pipeline=self.pipeline,
            created=self.created,
            status=self.status or self._unfinished(),
            ended=self.ended,
            events=events,
            lease=self.lease,
        )

    def _unfinished(self) -> RunStatus:
        """What the lease says of a run whose end is not recorded (law L9)."""
        if self.lease is None:
            return "interrupted"
        return "running" if self.is_driven else "lost"


_NAMES = tuple(f.name for f in fields(RunRow))
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO runs ({_COLUMNS}, seal) VALUES ({', '.join('?' for _ in _NAMES)}, ?)"
_MUTABLE = _NAMES[_NAMES.index("epoch") :]
_UPDATE = (
    f"UPDATE runs SET {', '.join(f'{name} = ?' for name in _MUTABLE)}, seal = ? WHERE number = ?"
)

_NEXT = """
SELECT max(
    (SELECT coalesce(max(number), 0) FROM runs),
    (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'runs')
) + 1"""


def insert(db: sqlite3.Connection, row: RunRow) -> None:
    """A new run. Raises `sqlite3.IntegrityError` if there is one of that name."""
    values = astuple(row)
    db.execute(_INSERT, (*values, _seal(values)))


def update(db: sqlite3.Connection, row: RunRow) -> None:
    """Another lease or status of a run that is there."""
    values = astuple(row)
    db.execute(_UPDATE, (*values[-len(_MUTABLE) :], _seal(values), row.number))


def delete(db: sqlite3.Connection, number: int) -> None:
    """The row alone. Its number stays spent: another run under it would be open to writers of this one.

    SQLite keeps the largest number of each AUTOINCREMENT table in `sqlite_sequence`, which is an ordinary table and
    takes other names too (https://www.sqlite.org/autoinc.html). So a deletion leaves no row of its own.
    """
    spent = next_number(db) - 1
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'runs'")
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', ?)", (spent,))
    db.execute("DELETE FROM runs WHERE number = ?", (number,))


def next_number(db: sqlite3.Connection) -> int:
    """One that no run of this file has had."""
    return int(db.execute(_NEXT).fetchone()[0])


def numbered(db: sqlite3.Connection, number: int) -> RunRow | None:
    return next(iter(_rows(db, "WHERE number = ?", number)), None)


def of_run(db: sqlite3.Connection, run: RunId) -> RunRow | None:
    """Raises `JournalCorrupt`; also if the row cannot be found by its name, but is there."""
    found = _rows(db, "WHERE run = ?", run)
    if found:
        return found[0]
    return next((row for row in newest(db, -1) if row.run == run), None)


def beginning(db: sqlite3.Connection, prefix: str) -> list[RunRow]:
    """Rows whose run's id begins with `prefix`, the one that is called just that first; two at most."""
    where = "NOT INDEXED WHERE substr(run, 1, ?) = ? ORDER BY length(run) LIMIT 2"
    return _rows(db, where, len(prefix), prefix) or [
        row for row in newest(db, -1) if row.run.startswith(prefix)
    ]


def newest(db: sqlite3.Connection, limit: int) -> list[RunRow]:
    """The newest runs first; all of them if `limit` is negative."""
    return _rows(db, "ORDER BY number DESC LIMIT ?", limit)


def _rows(db: sqlite3.Connection, where: str, *values: object) -> list[RunRow]:
    found = db.execute(f"SELECT {_COLUMNS}, seal FROM runs {where}", values).fetchall()
    for *columns, seal in found:
        if _seal(tuple(columns)) != seal:
            raise JournalCorrupt(
                f"what is kept of run {columns[1]!r} is not what was written",
                "the table of runs in the journal",
                "restore the file from a copy; the artifacts themselves are not affected",
            )
    return [RunRow(*columns) for *columns, _ in found]


def _seal(values: tuple[object, ...]) -> int:
    return zlib.crc32(repr(values).encode(errors="surrogatepass"))
