"""A plugin's codec that is not made before a value of its packages turns up, or a record names it."""

from functools import cached_property
from typing import cast
from weakref import WeakKeyDictionary

from anabranch.artifacts.interface import Codec, Encoded, SequenceCodec, Source
from anabranch.errors import DefinitionError
from anabranch.plugins.records import MaterializerRecord


class DeferredCodec:
    """Stands in the registry of codecs for the one that a materializer record makes."""

    def __init__(self, record: MaterializerRecord) -> None:
        self.name = record.name
        self._record = record
        self._concerns: WeakKeyDictionary[type, bool] = WeakKeyDictionary()

    def handles(self, value: object) -> bool:
        return self._is_concerned(type(value)) and self._codec.handles(value)

    def encode(self, value: object) -> Encoded:
        return self._codec.encode(value)

    def decode(self, source: Source) -> object:
        return self._codec.decode(source)

    @cached_property
    def _codec(self) -> Codec:
        """Raises `DefinitionError` if it calls itself something else: what it wrote would not be found again."""
        codec = self._record.create()
        if codec.name != self.name:
            raise DefinitionError(
                f"the codec of materializer {self.name!r} calls itself {codec.name!r}",
                f"codec {type(codec).__module__}.{type(codec).__qualname__}",
                "give both the same name",
            )
        return codec

    def _is_concerned(self, kind: type) -> bool:
        known = self._concerns.get(kind)
        if known is None:
            packages = {base.__module__.partition(".")[0] for base in kind.__mro__}
            known = not packages.isdisjoint(self._record.packages)
            self._concerns[kind] = known
        return known


class DeferredSequenceCodec(DeferredCodec):
    """The same for a codec with items that can be read alone."""

    def decode_item(self, source: Source, index: int) -> object:
        return cast(SequenceCodec, self._codec).decode_item(source, index)

    def item_bytes(self, source: Source, index: int) -> bytes:
        return cast(SequenceCodec, self._codec).item_bytes(source, index)


def deferred(record: MaterializerRecord) -> Codec:
    """The codec of a record, as yet unmade."""
    return (DeferredSequenceCodec if record.reads_items else DeferredCodec)(record)
