"""The built-in types that JSON lacks: bytes as they are, `range` and `complex` as a few numbers.

`Text` serves the small values of the standard library too (see `scalars`).
"""

from collections.abc import Callable
from typing import Any, cast

from anabranch.artifacts.interface import Buffers, Codec, Declined, Encoded, Source
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.plain import dumped, loaded
from anabranch.artifacts.refusals import type_name


class Text:
    """Values of one type, written as a JSON value from which the type builds them again."""

    def __init__(
        self,
        name: str,
        kind: type,
        to_json: Callable[[Any], object],
        from_json: Callable[[Any], object],
    ) -> None:
        self.name = name
        self._kind = kind
        self._to_json, self._from_json = to_json, from_json

    def handles(self, value: object) -> bool:
        return type(value) is self._kind

    def encode(self, value: object) -> Encoded:
        try:
            plain = self._to_json(value)
            if repr(self._from_json(plain)) != repr(value):
                raise Declined
        except ValueError:  # an integer over the interpreter's digit limit
            raise Declined from None
        return Encoded(self.name, type_name(self._kind), Buffers((dumped(plain),)))

    def decode(self, source: Source) -> object:
        return self._from_json(loaded(source.read()))


class Ranges:
    """`range`, whose items are computed, not stored."""

    name = "range"

    def handles(self, value: object) -> bool:
        return type(value) is range

    def encode(self, value: object) -> Encoded:
        numbers = cast(range, value)
        try:
            length = len(numbers)
        except OverflowError:
            raise Declined from None
        data = dumped([numbers.start, numbers.stop, numbers.step])
        return Encoded(self.name, "range", Buffers((data,)), length)

    def decode(self, source: Source) -> object:
        return range(*cast("list[int]", loaded(source.read())))

    def decode_item(self, source: Source, index: int) -> object:
        if index < 0:
            raise IndexError(index)
        return cast(range, self.decode(source))[index]

    def item_bytes(self, source: Source, index: int) -> bytes:
        return dumped(self.decode_item(source, index))


class Raw:
    """`bytes` and `bytearray`, as they are."""

    def __init__(self, kind: type[bytes] | type[bytearray]) -> None:
        self.name = kind.__name__
        self._kind = kind

    def handles(self, value: object) -> bool:
        return type(value) is self._kind

    def encode(self, value: object) -> Encoded:
        return Encoded(self.name, self.name, Buffers((cast(bytes, value),)))

    def decode(self, source: Source) -> object:
        data = source.read()
        return data if self._kind is bytes else bytearray(data)


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (
        Raw(bytes),
        Raw(bytearray),
        Ranges(),
        Text("complex", complex, lambda v: [v.real, v.imag], lambda v: complex(*v)),
    )
