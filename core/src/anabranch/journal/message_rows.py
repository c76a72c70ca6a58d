"""What others have to say to the driver of a run, in the SQLite journal: put there by anybody, read by the driver."""

import json
import sqlite3
import time
import zlib

from anabranch.errors import JournalCorrupt
from anabranch.journal.interface import Message

SCHEMA = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, at REAL NOT NULL, text TEXT NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_run ON messages (run, number);
"""


def insert(db: sqlite3.Connection, run: int, message: Message) -> int:
    """Returns the message's number."""
    text = json.dumps([message.kind, message.sender, message.subject])
    values = (run, time.time(), text, message.data, _crc(run, text, message.data))
    return int(
        db.execute(
            "INSERT INTO messages (run, at, text, data, crc) VALUES (?, ?, ?, ?, ?)", values
        ).lastrowid
        or 0
    )


def of_run(db: sqlite3.Connection, run: int, after: int) -> list[tuple[int, Message]]:
    """In their order, those with a number above `after`. Raises `JournalCorrupt`."""
    found = db.execute(
        "SELECT number, text, data, crc FROM messages WHERE run = ? AND number > ? ORDER BY number",
        (run, after),
    ).fetchall()
    return [(number, _message(run, text, data, crc)) for number, text, data, crc in found]


def delete(db: sqlite3.Connection, run: int) -> None:
    db.execute("DELETE FROM messages WHERE run = ?", (run,))


def _message(run: int, text: str, data: bytes, crc: int) -> Message:
    if _crc(run, text, data) != crc:
        raise JournalCorrupt(
            "a message to the driver is not what was written",
            "the table of messages in the journal",
            "restore the file from a copy; what the run has recorded is not affected",
        )
    kind, sender, subject = json.loads(text)
    return Message(kind=kind, sender=sender, subject=subject, data=data)


def _crc(run: int, text: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(text.encode(), run))
