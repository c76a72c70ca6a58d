import dataclasses
import sys
import types
from collections import namedtuple
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.artifacts import MemorySource
from anabranch.errors import NotSerializable

T = TypeVar("T")


@dataclass
class Plain:
    number: int
    name: str = "x"


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    left: object
    right: object = None


@dataclass(kw_only=True)
class Awkward:
    seed: InitVar[int]
    doubled: int = field(init=False)
    tags: set[str] = field(default_factory=set)

    def __post_init__(self, seed: int) -> None:
        self.doubled = 2 * seed


@dataclass
class Remembers:
    number: int

    @cached_property
    def square(self) -> int:
        return self.number**2


@dataclass
class Failure(Exception):
    code: int


@dataclass
class OwnState:
    number: int

    def __getstate__(self):
        return {"number": self.number, "extra": 1}

    def __setstate__(self, state):
        self.__dict__.update(state)


@dataclass
class Box(Generic[T]):
    content: T


class SlotBase:
    __slots__ = ("hidden",)


@dataclass
class HidesASlot(SlotBase):
    number: int


class Point(NamedTuple):
    x: int
    y: object = 0


Old = namedtuple("Old", "a b")


@given(st.integers(), st.text())
def test_a_dataclass_comes_back_equal(there_and_back, number, name):
    assert there_and_back(Plain(number, name)) == Plain(number, name)


@pytest.mark.parametrize(
    "value",
    [
        FrozenSlots((1, {2}), {"k": Plain(1)}),
        FrozenSlots(FrozenSlots(1)),
        Awkward(seed=2, tags={"a", "b"}),
        Box([Plain(1)]),
        [Plain(index) for index in range(100)],
        {Point(1, 2): Plain(1)},
        Point(1, (2, Point(3))),
        Old(1, [2]),
    ],
)
def test_records_of_any_depth_come_back_equal(there_and_back, value):
    assert there_and_back(value) == value


def test_plain_fields_are_json_that_a_person_can_read(data_of):
    head, body = data_of(Plain(1, "ü")).decode().splitlines()
    assert head == f'{{"class":"{__name__}:Plain","codec":"json"}}'
    assert body == '{"number":1,"name":"ü"}'


def test_no_constructor_runs_on_load(there_and_back):
    value = Awkward(seed=2)
    value.doubled = 7
    assert there_and_back(value).doubled == 7


@pytest.mark.parametrize("value", [OwnState(1), Box[int](1)])
def test_state_beyond_the_fields_is_left_to_pickle(codecs, there_and_back, value):
    assert codecs.encode(value).codec == "pickle"
    assert there_and_back(value) == value


def test_a_cached_property_comes_back_with_the_object(there_and_back):
    value = Remembers(3)
    assert value.square == 9
    assert there_and_back(value).__dict__ == {"number": 3, "square": 9}


def test_an_exception_that_is_a_dataclass_keeps_its_arguments(there_and_back):
    value = Failure(3)
    assert there_and_back(value).args == value.args


def test_a_slot_that_is_no_field_is_kept(there_and_back):
    value = HidesASlot(1)
    value.hidden = 2
    assert there_and_back(value).hidden == 2


def test_a_field_that_was_never_set_stays_unset(there_and_back):
    value = Plain(1)
    del value.number
    assert not hasattr(there_and_back(value), "number")


def test_fields_may_hold_arrays(there_and_back):
    back = there_and_back(Box(np.arange(3)))
    assert back.content.tolist() == [0, 1, 2]


def test_each_dataclass_of_a_list_is_read_alone(items_back):
    value = [Plain(index) for index in range(10)]
    assert items_back(value) == value


def recorded_then_edited(codecs, monkeypatch, before, after):
    """Encode with one version of a class, decode with another."""
    module = types.ModuleType("edited_module")
    monkeypatch.setitem(sys.modules, "edited_module", module)
    kinds = [dataclasses.make_dataclass("Edited", fields) for fields in (before, after)]
    for kind in kinds:
        kind.__module__ = "edited_module"
    module.Edited = kinds[0]
    encoded = codecs.encode(kinds[0](1))
    assert encoded.codec == "dataclass"
    module.Edited = kinds[1]
    return codecs.decode("dataclass", MemorySource(b"".join(encoded.payload.chunks())))


def test_a_field_that_the_class_has_gained_gets_its_default(codecs, monkeypatch):
    after = [("a", int), ("b", int, 5), ("c", list, field(default_factory=list))]
    back = recorded_then_edited(codecs, monkeypatch, [("a", int)], after)
    assert (back.a, back.b, back.c) == (1, 5, [])


@pytest.mark.parametrize("after", [[("b", int)], [("a", int), ("b", int)]])
def test_a_class_that_no_longer_fits_is_refused_in_three_lines(codecs, monkeypatch, after):
    with pytest.raises(NotSerializable, match="has changed") as caught:
        recorded_then_edited(codecs, monkeypatch, [("a", int)], after)
    assert len(str(caught.value).splitlines()) == 3


def test_a_class_that_is_gone_is_refused_in_three_lines(codecs):
    data = b'{"class":"no_such_module:Thing","codec":"json"}\n{}'
    with pytest.raises(NotSerializable, match="no_such_module") as caught:
        codecs.decode("dataclass", MemorySource(data))
    assert len(str(caught.value).splitlines()) == 3
