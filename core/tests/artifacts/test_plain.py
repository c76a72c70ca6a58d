import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.artifacts import MemorySource

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
SURROGATES = st.text(st.characters(categories=["Cs", "Ll", "Cc"]))
VALUES = st.recursive(
    ATOMS | SURROGATES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def same(one: object, other: object) -> bool:
    """Equal, and of equal types all the way down, in equal order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, float):
        return repr(one) == repr(other)
    return one == other


@given(VALUES)
def test_json_values_come_back_equal_and_of_the_same_types(there_and_back, value):
    assert same(there_and_back(value), value)


@given(st.lists(VALUES))
def test_each_item_of_a_list_is_read_alone(items_back, value):
    assert same(items_back(value), value)


@pytest.mark.parametrize("size", [0, 1, 300, 400, 511, 512, 513, 5000])
@pytest.mark.parametrize("make", [int, str, float, lambda i: [i, {"k": None}], lambda i: None])
def test_short_and_long_lists_come_back_whole_and_by_item(there_and_back, items_back, size, make):
    value = [make(index) for index in range(size)]
    assert same(there_and_back(value), value)
    assert same(items_back(value), value)


def test_the_bytes_of_an_item_do_not_depend_on_its_list(item_bytes, data_of):
    item = {"a": [1, 2.5, "ü\n,\ud800"]}
    short, long = [item], [item] * 1000
    assert item_bytes(short)[0] == item_bytes(long)[999] == data_of(item)


def test_the_items_of_a_long_list_are_a_json_text_with_a_line_for_each(codecs, data_of):
    value = [f"line {i}\n" for i in range(1000)]
    data = data_of(value)
    text = data[: data.index(b"\n]") + 2].decode()
    assert json.loads(text) == value
    assert len(text.splitlines()) == 1002


def test_a_short_list_is_plain_json(data_of):
    assert data_of([1, "zwölf", None, True]) == '[1,"zwölf",null,true]'.encode()


def test_nan_and_infinity_come_back(there_and_back):
    back = there_and_back([math.nan, math.inf, -math.inf, -0.0])
    assert math.isnan(back[0])
    assert [repr(each) for each in back[1:]] == ["inf", "-inf", "-0.0"]


@pytest.mark.parametrize("text", ["\ud83d" + "\ude00", "\ude00\ud83d", "\ud800", "\0", "\x7f"])
def test_pairs_of_surrogates_are_not_joined_to_one_character(there_and_back, text):
    assert there_and_back(text) == text
    assert there_and_back({text: [text]}) == {text: [text]}


@pytest.mark.parametrize(
    "wrap",
    [lambda v: v, lambda v: [v], lambda v: [v] * 600, lambda v: {"k": v}, lambda v: (v, {v})],
)
def test_integers_beyond_the_digit_limit_are_readable_in_any_process(codecs, there_and_back, wrap):
    value = wrap(10**5000)
    assert there_and_back(value) == value
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        encoded = codecs.encode(value)
    finally:
        sys.set_int_max_str_digits(before)
    data = b"".join(encoded.payload.chunks())
    assert codecs.decode(encoded.codec, MemorySource(data)) == value


def test_long_texts_without_long_integers_stay_json(codecs):
    assert codecs.encode({"a": "x" * 10_000, "b": [1]}).codec == "json"
    assert codecs.encode(["x" * 10_000] * 600).codec == "json"


def test_two_loads_share_nothing(codecs, there_and_back):
    value = {"a": [1, [2]]}
    there_and_back(value)["a"][1].append(3)
    assert there_and_back(value) == {"a": [1, [2]]}


@pytest.mark.parametrize("depth", [10, 63, 64, 65, 200, 400])
def test_deep_nesting_comes_back(there_and_back, depth):
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    assert there_and_back(value) == value


def test_n_items_read_alone_read_of_the_order_of_n_bytes(codecs, counting):
    for count in (10, 1000, 10_000):
        value = [{"index": index} for index in range(count)]
        source = counting(value)
        codec = codecs.decoder("json")
        for index in range(count):
            assert codec.decode_item(source, index) == {"index": index}
            assert codec.item_bytes(source, index) == b'{"index":%d}' % index
        assert source.read_bytes < count * 2 * 1100
    assert source.read_bytes < count * 2 * 350


def test_a_million_integers_take_four_bytes_each_beside_their_text(data_of):
    value = list(range(1_000_000))
    assert len(data_of(value)) < sum(len(str(i)) for i in value) + 6 * len(value) + 100
