import collections
import enum
import math
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.artifacts import MemorySource
from anabranch.errors import NotSerializable


class Count(int):
    pass


class Name(str):
    __slots__ = ()


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Holder:
    lock: object


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(
    ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4), max_leaves=6
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=10,
)


def typed(value: object) -> object:
    """The value with the type of each part beside it, so that `1` and `True` differ."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(part)) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [typed(part) for part in value]
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(typed(part)) for part in value)
    return type(value), repr(value)


@given(VALUES)
def test_nested_collections_come_back_with_every_type(there_and_back, value):
    assert typed(there_and_back(value)) == typed(value)


@given(st.lists(VALUES, max_size=5) | st.lists(VALUES, max_size=5).map(tuple))
def test_each_item_is_read_alone(items_back, value):
    assert typed(items_back(value)) == typed(list(value))


@given(st.sets(HASHABLE))
def test_equal_sets_give_equal_bytes_in_any_order(data_of, value):
    other = set()
    for part in sorted(value, key=repr, reverse=True):
        other.add(part)
    assert data_of(other) == data_of(value)


@pytest.mark.parametrize(
    "value",
    [
        (),
        [],
        {},
        set(),
        frozenset(),
        ((),),
        [()],
        {(): ()},
        {1: "a", "1": "b"},
        {"a": {1: [2, {3}]}},
        (1, "x", None, 2.5, True),
        tuple(range(2000)),
        set(range(2000)),
        {index: str(index) for index in range(2000)},
        [(index, {index}) for index in range(300)],
        {(1, 2): frozenset({3})},
        [b"bytes", bytearray(b"array"), "text", 1j, range(5)],
        [Count(1), Name("x"), Level.LOW, True, 1],
        {Name("k"): 1},
        collections.OrderedDict(a=1),
        collections.Counter("abc"),
        collections.deque([1, 2]),
        [("a" * 100_000, b"b" * 100_000), 1],
    ],
)
def test_a_value_comes_back_with_every_type(there_and_back, value):
    assert typed(there_and_back(value)) == typed(value)


def test_a_tuple_and_a_list_of_the_same_items_are_told_apart_by_their_codec(codecs):
    assert codecs.encode((1, 2)).codec == "tuple"
    assert codecs.encode([1, 2]).codec == "json"
    assert codecs.encode([(1,)]).codec == "list"


def test_items_of_different_types_with_the_same_text_have_different_bytes(item_bytes):
    found = item_bytes([1, b"1", "1", [1], (1,), {1}, frozenset({1}), True, 1.0])
    assert len(set(found)) == len(found)


def test_a_list_of_arrays_gives_one_array_for_the_bytes_of_one(codecs, counting):
    value = [np.full(1000, index) for index in range(50)]
    source = counting(value)
    codec = codecs.decoder("list")
    for index in range(50):
        assert (codec.decode_item(source, index) == value[index]).all()
        codec.item_bytes(source, index)
    assert source.read_bytes < 50 * 2 * (8000 + 128 + 500)
    assert codecs.encode(value).length == 50


def test_large_parts_are_not_copied_into_the_payload(codecs):
    array = np.zeros(1_000_000)
    chunks = list(codecs.encode({"weights": (array, [array])}).payload.chunks())
    assert sum(1 for chunk in chunks if np.shares_memory(np.frombuffer(chunk, "u1"), array)) == 2


def test_a_list_that_holds_itself_comes_back_so(there_and_back):
    value: list[object] = [1]
    value.append(value)
    back = there_and_back(value)
    assert back[1] is back


def test_a_tuple_nested_very_deep_comes_back(there_and_back):
    value: object = (1, {2})
    for _ in range(100):
        value = (value,)
    assert there_and_back(value) == value


def test_a_value_nested_beyond_reason_is_refused_in_three_lines(codecs):
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotSerializable, match="nested too deeply") as caught:
        codecs.encode(value)
    assert len(str(caught.value).splitlines()) == 3
    while isinstance(value, list):  # or the interpreter frees it recursively
        value = value.pop()


@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda lock: lock, "value"),
        (lambda lock: {"a": [0, 1, 2, lock]}, "value['a'][3]"),
        (lambda lock: ({1: lock},), "value[0][1]"),
        (lambda lock: [Holder(lock)], "value[0].lock"),
        (lambda lock: Holder([{"k": lock}]), "value.lock[0]['k']"),
        (lambda lock: collections.OrderedDict(a=[lock]), "value['a'][0]"),
    ],
)
def test_the_refusal_names_the_type_and_the_place(codecs, wrap, place):
    with pytest.raises(NotSerializable) as caught:
        codecs.encode(wrap(threading.Lock()))
    what, where, do = str(caught.value).splitlines()
    assert what == "a value of type _thread.lock cannot be turned into bytes"
    assert where == f"  in: {place}"
    assert do.startswith("  do: ")


def test_a_generator_and_an_open_file_are_refused(codecs, tmp_path):
    for value in ((i for i in range(3)), [iter(()), (i for i in ())][1:]):
        with pytest.raises(NotSerializable, match="generator"):
            codecs.encode(value)
    with (tmp_path / "f").open("w") as file, pytest.raises(NotSerializable, match="TextIOWrapper"):
        codecs.encode({"file": file})


def test_nan_stays_nan_inside_collections(there_and_back):
    assert math.isnan(there_and_back((math.nan,))[0])
    assert math.isnan(there_and_back({1: math.nan})[1])


def test_a_long_tuple_of_atoms_is_decoded_from_a_source_afar_by_ranges(codecs, counting):
    value = tuple(range(100_000))
    source = counting(value)
    assert codecs.decoder("tuple").decode_item(source, 99_999) == 99_999
    assert source.read_bytes < 400


def test_the_table_is_not_read_again_for_a_whole_sequence(codecs, counting):
    value = [(index,) for index in range(1000)]
    source = counting(value)
    assert codecs.decode("list", source) == value
    assert source.read_bytes <= 2 * source.size


def test_parts_of_a_huge_collection_are_read_by_ranges(codecs):
    value = [np.zeros(3_000_000), {1}]
    data = b"".join(codecs.encode(value).payload.chunks())
    assert len(data) > 16 * 2**20
    back = codecs.decode("list", MemorySource(data))
    assert back[1] == {1}
    assert back[0].shape == (3_000_000,)


class Sample:
    def __init__(self, dataset: np.ndarray, index: int) -> None:
        self.dataset, self.index = dataset, index


@dataclass
class Chapter:
    book: object
    number: int


def test_parts_that_share_something_large_are_written_once(codecs, there_and_back):
    book = Sample(np.zeros(1_000_000), 0)
    for value in (
        [Sample(book.dataset, index) for index in range(100)],
        [Chapter(book, index) for index in range(100)],
    ):
        encoded = codecs.encode(value)
        assert encoded.payload.size < 9_000_000
        assert encoded.length == 100
        assert len(there_and_back(value)) == 100
        source = MemorySource(b"".join(encoded.payload.chunks()))
        item = codecs.sequence_decoder(encoded.codec).decode_item(source, 7)
        assert 7 in (getattr(item, "index", None), getattr(item, "number", None))
    back = there_and_back({1: [Chapter(book, index) for index in range(50)]})
    assert back[1][0].book is back[1][49].book


def test_large_parts_that_share_nothing_stay_apart(codecs):
    value = [Sample(np.full(1_000_000, index), index) for index in range(20)]
    assert codecs.encode(value).codec == "list"
    assert codecs.encode([bytes([index]) * 10_000_000 for index in range(20)]).codec == "list"


def test_paths_keep_their_content_however_large_the_collection(codecs, tmp_path):
    file = tmp_path / "f"
    with file.open("wb") as stream:
        stream.truncate(50_000_000)
    assert codecs.encode([Chapter(file, index) for index in range(4)]).codec == "list"
