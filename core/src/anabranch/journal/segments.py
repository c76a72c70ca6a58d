"""Events at rest: what is written together stands together, as one segment.

A segment is a JSON text, an array with `[kind, at, body, length of its data]` for each event, and the data of them all
in one piece. It is what a home of the journal stores as a unit, a row here, an object there: so a commit of many
events costs what a commit of one does. A CRC over both tells a damaged segment from a good one.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anabranch.errors import JournalCorrupt
from anabranch.journal.events import Event, Row, encoded, from_row, to_row

LARGEST = 256
"""Events in a segment at most, so that reading one of them alone stays cheap."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`count` events, of which the first has number `first` (from 1) in its run."""

    first: int
    count: int
    text: str
    data: bytes
    crc: int


def pack(first: int, events: Sequence[Event]) -> list[Segment]:
    """The segments for events that are written together; the first event gets number `first`."""
    segments = []
    for start in range(0, len(events), LARGEST):
        rows = [to_row(event) for event in events[start : start + LARGEST]]
        text = encoded([(row.kind, row.at, row.body, len(row.data)) for row in rows])
        data = b"".join([row.data for row in rows])
        number = first + start
        segments.append(Segment(number, len(rows), text, data, checksum(number, text, data)))
    return segments


def checksum(first: int, text: str, data: bytes) -> int:
    """Of a segment's content and its place, so that one that has moved is noticed."""
    return zlib.crc32(data, zlib.crc32(text.encode(), first & 0xFFFFFFFF))


def rows(segment: Segment) -> Iterator[tuple[int, Row]]:
    """The events with their numbers, not decoded yet. Raises `JournalCorrupt`."""
    if segment.crc != checksum(segment.first, segment.text, segment.data):
        raise damaged(segment.first)
    offset = 0
    entries = json.loads(segment.text)
    if len(entries) != segment.count:
        raise damaged(segment.first)
    for place, (kind, at, body, length) in enumerate(entries):
        yield segment.first + place, Row(kind, at, body, segment.data[offset : offset + length])
        offset += length


def events(segment: Segment, without: frozenset[str] = frozenset()) -> Iterator[tuple[int, Event]]:
    """The events with their numbers, but for the kinds in `without`. Raises `JournalCorrupt` or `JournalVersion`."""
    for number, row in rows(segment):
        if row.kind not in without:
            yield number, from_row(row)


def all_rows(segment: Segment) -> list[Row]:
    """The events of the segment, in order, not decoded yet. Raises `JournalCorrupt`."""
    return [row for _, row in rows(segment)]


def damaged(number: int) -> JournalCorrupt:
    return JournalCorrupt(
        f"event {number} is not what was written",
        "the journal of this run",
        "restore the journal from a copy; the artifacts themselves are not affected",
    )
