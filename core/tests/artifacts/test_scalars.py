import datetime
import decimal
import enum
import fractions
import math
import uuid
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = "r"
    CRIMSON = "r"  # noqa: PIE796 - an alias
    BLUE = object()


class Rank(enum.IntEnum):
    FIRST = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


SCALARS = (
    st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.timedeltas()
    | st.uuids()
    | st.binary()
    | st.binary().map(bytearray)
)


@given(SCALARS)
def test_scalars_come_back_exactly(there_and_back, value):
    assert repr(there_and_back(value)) == repr(value)


@given(st.integers(), st.integers(), st.integers().filter(bool))
def test_ranges_come_back(there_and_back, start, stop, step):
    value = range(start, stop, step)
    back = there_and_back(value)
    assert (back.start, back.stop, back.step) == (start, stop, step)


@pytest.mark.parametrize("value", [range(0), range(5), range(10, -10, -3), range(2**70, 2**70 + 3)])
def test_each_number_of_a_range_is_read_alone(items_back, item_bytes, value):
    assert items_back(value) == list(value)
    assert item_bytes(value) == item_bytes(list(value))


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        (decimal.Decimal("1.10"), "decimal"),
        (decimal.Decimal("sNaN"), "decimal"),
        (fractions.Fraction(1, 3), "fraction"),
        (uuid.UUID(int=5), "uuid"),
        (datetime.date(2026, 1, 2), "date"),
        (datetime.time(1, 2, 3, 4), "time"),
        (datetime.time(1, fold=1), "pickle"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "datetime"),
        (datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")), "pickle"),
        (datetime.timedelta(days=-1, microseconds=3), "timedelta"),
        (datetime.timezone(datetime.timedelta(hours=1), "X"), "pickle"),
        (range(2**70), "pickle"),
        (complex(math.inf, -0.0), "complex"),
        (Colour.RED, "enum"),
        (Rank.FIRST, "enum"),
        (Mode.FAST, "enum"),
        (Right.READ, "enum"),
        (Right.READ | Right.WRITE, "enum"),
        (Right(0), "enum"),
    ],
)
def test_a_value_takes_its_own_codec_where_that_is_exact(codecs, there_and_back, value, codec):
    assert codecs.encode(value).codec == codec
    assert repr(there_and_back(value)) == repr(value)


def test_a_fraction_beyond_the_digit_limit_comes_back(there_and_back):
    value = fractions.Fraction(10**5000, 3)
    assert there_and_back(value) == value


def test_an_enum_member_comes_back_as_itself(there_and_back):
    for member in (*Colour, *Rank, *Mode, *Right):
        assert there_and_back(member) is member


def test_a_byte_array_is_new_at_every_load(there_and_back):
    value = bytearray(b"abc")
    there_and_back(value).append(1)
    assert there_and_back(value) == b"abc"


def test_bytes_are_stored_as_they_are(data_of):
    assert data_of(b"\x00raw") == data_of(bytearray(b"\x00raw")) == b"\x00raw"
