"""Pickle, for what has no codec of its own: protocol 5, large buffers beside the stream.

`__main__` is written under its importable name (see `references`), and what is importable under
no name is declined, so that it goes on to cloudpickle rather than into a reference that no
other process can follow.

Without large buffers the bytes are a plain pickle. With them, the buffers follow the stream, each
aligned for vector instructions, and a table follows the buffers. They come back writable if they
were writable, mapped copy-on-write where the source is a local file.

Pickle has no canonical form: equal values of such types usually, but not always, give equal bytes
(a set inside an object is written in hash order). That costs a needless run of a step, never a
stale one.
"""

import io
import mmap
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, cast

from anabranch.artifacts.interface import Buffer, Buffers, Codec, Declined, Encoded, Source
from anabranch.artifacts.layout import MAGIC
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.references import is_findable, module_here, name_of, resolve
from anabranch.artifacts.refusals import type_name
from anabranch.errors import NotSerializable

_ENTRY = struct.Struct("<QQ?")  # start, size, writable; entry 0 is the stream
_TRAILER = struct.Struct("<I8s")
_ALIGNMENT = 64
_MAPPED_FROM = 2**20
_MAIN = ("__main__", "__mp_main__")


class Pickler(pickle.Pickler):
    """Writes `__main__` under a name that holds elsewhere."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and obj.__module__ in _MAIN:
            return by_name(obj)
        return NotImplemented


class Unpickler(pickle.Unpickler):
    """Reads a module that is being run as `__main__` from there instead of importing it again."""

    def find_class(self, module: str, name: str, /) -> Any:
        return super().find_class(module_here(module), name)


def by_name(thing: object) -> tuple[object, tuple[str]]:
    """The reduction of a class or function to its name. Raises `PicklingError` if it has none."""
    if not is_findable(thing):
        raise pickle.PicklingError(f"{name_of(thing)} cannot be imported by another process")
    return resolve, (name_of(thing),)


class Pickles:
    """The codec `pickle`, and with another `pickler` the codec `cloudpickle`."""

    def __init__(self, name: str, pickler: Callable[..., Any]) -> None:
        self.name = name
        self._pickler = pickler

    def handles(self, value: object) -> bool:
        return True

    def encode(self, value: object) -> Encoded:
        stream, beside = io.BytesIO(), list[pickle.PickleBuffer]()
        try:
            self._pickler(stream, protocol=5, buffer_callback=beside.append).dump(value)
            buffers = [buffer.raw() for buffer in beside]
        except MemoryError:
            raise
        except Exception as error:  # __reduce__ is the user's code: it may raise anything
            raise Declined from error
        parts = list(_laid_out(stream.getvalue(), buffers)) if buffers else [stream.getvalue()]
        return Encoded(self.name, type_name(type(value)), Buffers(parts))

    def decode(self, source: Source) -> object:
        stream, buffers = _opened(source)
        try:
            return Unpickler(io.BytesIO(stream), buffers=buffers).load()
        except NotSerializable:
            raise
        except (ImportError, AttributeError) as error:
            raise NotSerializable(
                f"a recorded value cannot be built again: {error}",
                f"an artifact that was written with codec {self.name!r}",
                "make the class importable under its recorded name, or make the value again",
            ) from error


class PickledItems(Pickles):
    """Sequences of foreign types that only pickle carries; `item_of` gives their item at an index.

    To read one item, all are read, and kept for the next one.
    """

    def __init__(
        self,
        name: str,
        kinds: tuple[type, ...],
        item_of: Callable[[Any, int], object],
        pickler: Callable[..., Any] = Pickler,
    ) -> None:
        super().__init__(name, pickler)
        self._kinds = kinds
        self._item_of = item_of
        self._last: tuple[Source, Any] | None = None

    def handles(self, value: object) -> bool:
        return type(value) in self._kinds

    def encode(self, value: object) -> Encoded:
        return super().encode(value)._replace(length=len(cast(Any, value)))

    def decode_item(self, source: Source, index: int) -> object:
        return Unpickler(io.BytesIO(self.item_bytes(source, index))).load()

    def item_bytes(self, source: Source, index: int) -> bytes:
        """A pickle of the item, so that it shares nothing with what is kept."""
        last = self._last
        if last is None or last[0] != source:
            last = self._last = source, self.decode(source)
        items = cast(Any, last[1])
        if not 0 <= index < len(items):
            raise IndexError(f"item {index} of {len(items)}")
        stream = io.BytesIO()
        Pickler(stream, protocol=5).dump(self._item_of(items, index))
        return stream.getvalue()


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Pickles("pickle", Pickler),)


def _laid_out(stream: bytes, buffers: list[memoryview]) -> Iterator[Buffer]:
    entries, at = [], 0
    for buffer in (memoryview(stream), *buffers):
        padding = -at % _ALIGNMENT
        entries.append(_ENTRY.pack(at + padding, buffer.nbytes, not buffer.readonly))
        at += padding + buffer.nbytes
        yield b"\0" * padding
        yield buffer
    yield b"".join(entries) + _TRAILER.pack(len(entries), MAGIC)


def _opened(source: Source) -> tuple[bytes, list[Buffer]]:
    size = source.size
    trailer = source.read(max(0, size - _TRAILER.size), size)
    if not trailer.endswith(MAGIC):
        return source.read(), []
    count = _TRAILER.unpack(trailer)[0]
    end = size - _TRAILER.size
    table = source.read(end - count * _ENTRY.size, end)
    (start, length, _), *entries = _ENTRY.iter_unpack(table)
    path = source.path() if size >= _MAPPED_FROM else None
    read = source.read if path is None else _mapped(path)
    buffers = [_buffer(read, *entry) for entry in entries]
    return source.read(start, start + length), buffers


def _buffer(read: Callable[[int, int], Buffer], start: int, size: int, is_writable: bool) -> Buffer:
    data = read(start, start + size)
    if isinstance(data, memoryview):
        return data if is_writable else data.toreadonly()
    return bytearray(data) if is_writable else data


def _mapped(path: Path) -> Callable[[int, int], Buffer]:
    with path.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    return lambda start, end: whole[start:end]
