"""A plugin's codec is made when a value needs it, and not before."""

from fractions import Fraction

import pytest

from anabranch.artifacts import Buffers, Codec, Codecs, Encoded, MemorySource, Source
from anabranch.errors import DefinitionError
from anabranch.plugins import MaterializerRecord
from anabranch.plugins.materializers import deferred


class Fractions:
    """Keeps a fraction as its text; its items are numerator and denominator."""

    name = "toy.fraction"

    def handles(self, value: object) -> bool:
        return isinstance(value, Fraction)

    def encode(self, value: object) -> Encoded:
        return Encoded(self.name, "fractions.Fraction", Buffers([str(value).encode()]), 2)

    def decode(self, source: Source) -> object:
        return Fraction(source.read().decode())

    def decode_item(self, source: Source, index: int) -> object:
        return int(source.read().decode().split("/")[index])

    def item_bytes(self, source: Source, index: int) -> bytes:
        return source.read()


class Making:
    """Counts how often a codec is made."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Codec:
        self.count += 1
        return Fractions()


def record(making: Making, **more: object) -> MaterializerRecord:
    given = {"name": "toy.fraction", "summary": "", "packages": ("fractions",), **more}
    return MaterializerRecord(create=making, **given)  # type: ignore[arg-type]


def encoded(codecs: Codecs, value: object) -> tuple[str, MemorySource]:
    made = codecs.encode(value)
    return made.codec, MemorySource(b"".join(bytes(chunk) for chunk in made.payload.chunks()))


def test_values_of_other_packages_do_not_make_the_codec() -> None:
    making = Making()
    codecs = Codecs([deferred(record(making))])

    for value in (1, "text", [1, 2], {"a": None}, object):
        codecs.encode(value)

    assert making.count == 0


def test_a_value_of_its_package_makes_it_once() -> None:
    making = Making()
    codecs = Codecs([deferred(record(making))])

    name, source = encoded(codecs, Fraction(1, 3))
    codecs.encode(Fraction(2, 3))

    assert name == "toy.fraction"
    assert codecs.decode(name, source) == Fraction(1, 3)
    assert making.count == 1


def test_a_class_that_derives_from_one_of_its_package_is_its_own() -> None:
    class Half(Fraction):
        pass

    name, _ = encoded(Codecs([deferred(record(Making()))]), Half(1, 2))

    assert name == "toy.fraction"


def test_a_record_of_an_artifact_makes_it_too() -> None:
    codecs = Codecs([deferred(record(Making()))])

    assert codecs.decode("toy.fraction", MemorySource(b"3/4")) == Fraction(3, 4)


def test_items_are_read_alone_only_where_the_record_says_so() -> None:
    plain = Codecs([deferred(record(Making()))])
    by_item = Codecs([deferred(record(Making(), reads_items=True))])

    assert plain.sequence_decoder("toy.fraction") is None
    reader = by_item.sequence_decoder("toy.fraction")
    assert reader is not None
    assert reader.decode_item(MemorySource(b"3/4"), 1) == 4
    assert reader.item_bytes(MemorySource(b"3/4"), 1) == b"3/4"


def test_a_codec_that_calls_itself_something_else_is_refused() -> None:
    codecs = Codecs([deferred(record(Making(), name="other"))])

    with pytest.raises(DefinitionError, match=r"'other' calls itself 'toy\.fraction'"):
        codecs.encode(Fraction(1, 3))
