"""What a codec needs whose values hold other values: the registry, and how deep it already is.

Depth is counted so that a value that contains itself, or ten thousand lists in each other, ends in
`TooDeep` instead of the interpreter's recursion limit. The registry then pickles the whole value,
which keeps cycles as they are and is read back without recursion.
"""

from typing import Protocol

from anabranch.artifacts.interface import Codec, Encoded, Source

MAX_DEPTH = 32


class TooDeep(Exception):
    """More than `MAX_DEPTH` codecs inside each other. Never reaches a user."""


class Registry(Protocol):
    """The part of `Codecs` that codecs may use for what lies inside their own values."""

    def encode_at(self, value: object, depth: int) -> Encoded: ...

    def decoder(self, name: str) -> Codec: ...

    def decode(self, name: str, source: Source) -> object: ...


class Nesting:
    """A codec that hands parts of its values back to the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def encode(self, value: object) -> Encoded:
        return self.encode_at(value, 0)

    def encode_at(self, value: object, depth: int) -> Encoded:
        """Like `encode`, `depth` levels inside another value. Raises `TooDeep`."""
        raise NotImplementedError

    def encode_part(self, part: object, depth: int) -> Encoded:
        """The codec's way back into the registry, one level further down."""
        if depth >= MAX_DEPTH:
            raise TooDeep
        return self._registry.encode_at(part, depth + 1)
