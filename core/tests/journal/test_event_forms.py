"""Events come back from rest as they went, whatever is in them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import JournalCorrupt, JournalVersion
from anabranch.journal.events import Event, Row, encoded, from_row, to_row
from anabranch.journal.segments import LARGEST, Segment, all_rows, checksum, events, pack
from anabranch.testing.events import KINDS, of_any_kind, of_kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_of_every_kind_comes_back_as_it_went(kind: type[Event]) -> None:
    @given(of_kind(kind))
    def check(event: Event) -> None:
        row = to_row(event)
        text = encoded([(row.kind, row.at, row.body)])
        (name, at, body), *_ = json.loads(text)

        assert from_row(Row(name, at, body, row.data)) == event

    check()


@given(st.lists(of_any_kind(), min_size=1, max_size=12), st.integers(1, 10**6))
def test_events_that_are_written_together_come_back_in_order_with_their_numbers(
    written: list[Event], first: int
) -> None:
    found = [pair for segment in pack(first, written) for pair in events(segment)]

    assert found == list(enumerate(written, first))


@given(st.lists(of_any_kind(), min_size=1, max_size=8))
def test_the_data_of_events_is_read_without_the_events(written: list[Event]) -> None:
    (segment,) = pack(1, written)

    assert [row.data for row in all_rows(segment)] == [
        getattr(event, "data", b"") for event in written
    ]


def test_many_events_become_segments_of_bounded_size(call) -> None:
    written = [call(str(number)) for number in range(3 * LARGEST + 1)]

    segments = pack(5, written)

    assert [segment.count for segment in segments] == [LARGEST, LARGEST, LARGEST, 1]
    assert [pair for segment in segments for pair in events(segment)] == list(enumerate(written, 5))


@given(
    st.lists(of_any_kind(), min_size=1, max_size=5),
    st.data(),
)
def test_a_segment_of_which_any_byte_has_changed_is_refused(
    written: list[Event], data: st.DataObject
) -> None:
    (segment,) = pack(1, written)
    text, blob = segment.text, bytearray(segment.data)
    place = data.draw(st.integers(0, len(text) + len(blob) - 1))
    change = data.draw(st.integers(1, 127))
    if place < len(text):
        text = text[:place] + chr(ord(text[place]) ^ change) + text[place + 1 :]
    else:
        blob[place - len(text)] ^= change

    with pytest.raises(JournalCorrupt):
        list(events(replace(segment, text=text, data=bytes(blob))))


def test_a_segment_that_has_lost_an_event_is_refused(call, three_lines) -> None:
    (segment,) = pack(1, [call("a"), call("b")])
    (shorter,) = pack(1, [call("a")])

    with pytest.raises(JournalCorrupt) as caught:
        list(events(Segment(1, segment.count, shorter.text, shorter.data, shorter.crc)))
    three_lines(caught.value)


def test_kinds_that_are_not_asked_for_are_passed_over(call, outcome) -> None:
    (segment,) = pack(1, [call("a"), outcome("a"), call("b")])

    found = list(events(segment, frozenset({"OutcomeRecorded"})))

    assert [number for number, _ in found] == [1, 3]


def test_an_event_of_a_newer_version_is_refused_with_advice(three_lines) -> None:
    text = encoded([("TimeTravelled", 1.0, {"to": 3}, 0)])

    with pytest.raises(JournalVersion, match="TimeTravelled") as caught:
        list(events(Segment(1, 1, text, b"", checksum(1, text, b""))))
    three_lines(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"invocation": "a", "attempt": 1, "status": "completed", "surprise": 1},
        {"invocation": "a", "attempt": 1, "status": "failed", "failure": {"type": "x"}},
        {"invocation": "a", "attempt": 1, "status": "completed", "outputs": [["output"]]},
    ],
    ids=["nothing", "unknown field", "half a failure", "half an output"],
)
def test_an_event_that_makes_no_sense_is_refused(body: dict[str, object], three_lines) -> None:
    with pytest.raises(JournalCorrupt) as caught:
        from_row(Row("OutcomeRecorded", 1.0, body))
    three_lines(caught.value)


def test_every_kind_of_event_is_tried_here() -> None:
    assert {kind.__name__ for kind in KINDS} == {kind.__name__ for kind in Event.__subclasses__()}


def test_what_says_nothing_is_not_written(outcome) -> None:
    assert to_row(outcome("a")).body == {"invocation": "a", "attempt": 1, "status": "completed"}
