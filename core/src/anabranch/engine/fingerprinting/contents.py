"""Turns functions, classes and wrappers into bytes: in full where they have no name, else as a reference."""

from collections.abc import Callable, Mapping
from types import CodeType

from anabranch.engine.fingerprinting.canonical import pack, text
from anabranch.engine.fingerprinting.classes import class_pieces
from anabranch.engine.fingerprinting.functions import function_pieces
from anabranch.engine.fingerprinting.ledger import Ledger
from anabranch.engine.fingerprinting.objects import full_name, is_class, is_function, wrapped
from anabranch.engine.fingerprinting.origins import OWN_PACKAGE
from anabranch.engine.fingerprinting.pieces import Pieces
from anabranch.engine.fingerprinting.values import Values
from anabranch.engine.fingerprinting.wrappers import wrapper_pieces


def pieces_of(ledger: Ledger, value: object) -> Pieces | None:
    """`None` for what is neither function nor class nor a wrapper of a function."""
    if is_function(value):
        return function_pieces(ledger, value)
    if is_class(value):
        return class_pieces(ledger, value)
    return None if wrapped(value) is None else wrapper_pieces(ledger, value)


class Contents:
    """The encodings of one part. It is the `Code` that its `Values` ask."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.values = Values(self)

    def refer(self, value: object) -> bytes | None:
        named = self._ledger.named(value)
        if named is not None:
            return named
        if type(value) is CodeType:
            return pack(b"c", (self._ledger.surroundings.shapes.of(value).digest,))
        pieces = pieces_of(self._ledger, value)
        if pieces is None:
            return None
        return self.joined(pieces.code, {**pieces.values, **pieces.slots}, self.values.encode)

    def type_of(self, value: object) -> bytes:
        """Values of Anabranch's own classes do not bring in its version: options would, in every step."""
        module, name = full_name(type(value))
        if module.partition(".")[0] == OWN_PACKAGE:
            return text(f"{module}:{name}", b"F")
        return self.values.encode(type(value))

    def owns(self, kind: type) -> bool:
        return self._ledger.origin_of(kind).owner == "project"

    def joined(
        self, code: bytes, values: Mapping[str, object], encode: Callable[[object], bytes]
    ) -> bytes:
        """Code and values as one encoding; the order of `values` does not matter."""
        encoded = (each for name in sorted(values) for each in (text(name), encode(values[name])))
        return pack(b"p", (code, *encoded))
