import datetime
from typing import Any

import numpy as np
import pydantic
import pytest

from anabranch.artifacts import MemorySource
from anabranch.errors import NotSerializable


class Inner(pydantic.BaseModel):
    name: str
    when: datetime.datetime | None = None


class Outer(pydantic.BaseModel):
    inner: Inner
    others: list[Inner] = []
    anything: Any = None
    tags: set[str] = set()


class Aliased(pydantic.BaseModel):
    number: int = pydantic.Field(alias="theNumber")


class Private(pydantic.BaseModel):
    number: int
    _secret: int = 0


class Extra(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


class Arrays(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    array: np.ndarray


class SpecialInner(Inner):
    more: int = 1


class Doubles(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def double(cls, value: int) -> int:
        return value * 2


class Numbers(pydantic.RootModel[list[int]]):
    pass


def private() -> Private:
    value = Private(number=1)
    value._secret = 5
    return value


@pytest.mark.parametrize(
    "value",
    [
        Inner(name="ü", when=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
        Outer(inner=Inner(name="a"), others=[Inner(name="b")]),
        Outer(inner=Inner(name="a"), anything=(1, 2)),
        Outer(inner=Inner(name="a"), anything={1: 2}),
        Outer(inner=Inner(name="a"), anything=float("inf")),
        Outer(inner=SpecialInner(name="a", more=5)),
        Outer(inner=Inner(name="a"), tags={"x"}),  # one: the order of two in a repr is chance
        Aliased(theNumber=3),
        private(),
        Extra(a=1, b=[2]),
        Doubles(number=4),
        Numbers([1, 2]),
    ],
    ids=repr,
)
def test_a_model_comes_back_as_it_was(there_and_back, value):
    back = there_and_back(value)
    assert back == value
    assert repr(back) == repr(value)
    assert back.model_fields_set == value.model_fields_set
    assert back.model_dump() == value.model_dump()


def test_a_model_is_json_that_a_person_can_read(data_of):
    head, body = data_of(Inner(name="ü", when=None)).decode().splitlines()
    assert head == f'{{"class":"{__name__}:Inner"}}'
    assert body == '{"name":"ü","when":null}'


def test_a_set_in_a_model_has_one_order(data_of):
    one = Outer(inner=Inner(name="a"), tags=set())
    other = one.model_copy(update={"tags": set()})
    words = [f"word{index}" for index in range(50)]
    one.tags.update(words)
    other.tags.update(reversed(words))
    assert data_of(one) == data_of(other)


def test_a_model_may_hold_an_array(there_and_back):
    assert there_and_back(Arrays(array=np.arange(3))).array.tolist() == [0, 1, 2]


def test_a_list_of_models_is_read_item_by_item(items_back):
    value = [Inner(name=str(index)) for index in range(20)]
    assert items_back(value) == value


def test_a_part_that_cannot_be_carried_is_named_by_its_field(codecs):
    with pytest.raises(NotSerializable) as caught:
        codecs.encode(Outer(inner=Inner(name="a"), anything={"k": (i for i in ())}))
    assert caught.value.to == "value.anything['k']"


def test_a_record_that_the_class_no_longer_accepts_is_refused_in_three_lines(codecs):
    data = f'{{"class":"{__name__}:Inner"}}\n{{"wrong":1}}'.encode()
    with pytest.raises(NotSerializable, match="does not accept"):
        codecs.decode("pydantic", MemorySource(data))


def test_two_loads_share_nothing(there_and_back):
    value = Outer(inner=Inner(name="a"), others=[])
    there_and_back(value).others.append(1)
    assert there_and_back(value) == value
