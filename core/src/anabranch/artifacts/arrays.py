"""NumPy arrays as `.npy` files, written from the array's own memory and mapped when read.

The bytes are always in C order, so that row `i` can be read alone and equal arrays give equal
bytes; whether an array was in Fortran order is not kept. A large array in a local file is mapped
copy-on-write: it costs no memory until it is touched, may be changed freely, and changes nothing at
rest. Object and other dtypes that `.npy` does not describe exactly are pickled.

Item `i` is what `array[i]` gives: a row, or for one dimension a NumPy scalar.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.lib import format as npy

from anabranch.artifacts.interface import (
    Buffer,
    Buffers,
    Codec,
    Declined,
    Encoded,
    Payload,
    Source,
)
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import PickledItems
from anabranch.artifacts.refusals import type_name

Array: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[Any]]"

_MAPPED_FROM = 2**20
_COPIED_AT_ONCE = 2**20
_READ_AT_ONCE = 8 * 2**20
_HEADER = 128  # one of ordinary length
_LONGEST_HEADER = 2**16
_KINDS = "biufcmMSUV"
_SCALAR_KINDS = "biufcmM"  # strings lose trailing NULs as scalars


@dataclass(frozen=True, slots=True)
class Head:
    """What a `.npy` header says, and where the data begins."""

    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    start: int

    @property
    def row_size(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Rows:
    """The payload of an array that is not in C order: copied a block of rows at a time."""

    header: bytes
    array: Array

    @property
    def size(self) -> int:
        return len(self.header) + self.array.nbytes

    def chunks(self) -> Iterator[Buffer]:
        yield self.header
        step = max(1, _COPIED_AT_ONCE * len(self.array) // max(1, self.array.nbytes))
        for start in range(0, len(self.array), step):
            yield _memory(np.ascontiguousarray(self.array[start : start + step]))


class Arrays:
    """`numpy.ndarray`, or `numpy.memmap` for arrays that the user mapped; no other subclass."""

    def __init__(self, name: str, kind: type[Array]) -> None:
        self.name = name
        self._kind = kind
        self._last: tuple[Source, Head] | None = None

    def handles(self, value: object) -> bool:
        return type(value) is self._kind

    def encode(self, value: object) -> Encoded:
        array = cast(Array, value)
        header = _header(array)
        payload: Payload
        if array.flags.c_contiguous:
            payload = Buffers((header, _memory(array)))
        else:
            payload = Rows(header, array)
        length = len(array) if array.ndim else None
        return Encoded(self.name, type_name(self._kind), payload, length)

    def decode(self, source: Source) -> object:
        return _loaded(source).view(self._kind)

    def decode_item(self, source: Source, index: int) -> object:
        head = self._head(source)
        row = np.empty(head.shape[1:], head.dtype)
        start = head.start + _checked(index, head) * head.row_size
        _fill(row, source, start)
        return row if row.ndim else row[()]

    def item_bytes(self, source: Source, index: int) -> bytes:
        """The row's bytes after its dtype and shape."""
        head = self._head(source)
        start = head.start + _checked(index, head) * head.row_size
        about = f"{npy.dtype_to_descr(head.dtype)}{head.shape[1:]}"
        return about.encode() + b"\0" + source.read(start, start + head.row_size)

    def _head(self, source: Source) -> Head:
        """The header, parsed once for many rows of one source."""
        last = self._last
        if last is None or last[0] != source:
            last = self._last = source, _head(source)
        return last[1]


class Scalars:
    """NumPy scalars (`array[i]` of one dimension), which are not Python's numbers."""

    name = "numpy.scalar"

    def handles(self, value: object) -> bool:
        return isinstance(value, np.generic) and value.dtype.kind in _SCALAR_KINDS

    def encode(self, value: object) -> Encoded:
        array = np.asarray(value)
        if type(array[()]) is not type(value):
            raise Declined
        return Encoded(
            self.name, type_name(type(value)), Buffers((_header(array), array.tobytes()))
        )

    def decode(self, source: Source) -> object:
        return _loaded(source)[()]


class ObjectArrays(PickledItems):
    """Arrays of what `.npy` does not describe, if they have rows."""

    def handles(self, value: object) -> bool:
        return super().handles(value) and cast(Array, value).ndim > 0


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (
        Arrays("numpy", np.ndarray),
        Arrays("numpy.memmap", np.memmap),
        Scalars(),
        ObjectArrays("numpy.pickle", (np.ndarray,), lambda array, index: array[index]),
    )


def _header(array: Array) -> bytes:
    """A `.npy` header for the array in C order. Declines a dtype that it does not describe."""
    if not _is_exact(array.dtype):
        raise Declined
    about = {
        "shape": array.shape,
        "fortran_order": False,
        "descr": npy.dtype_to_descr(array.dtype),
    }
    stream = io.BytesIO()
    try:
        npy.write_array_header_1_0(stream, about)
    except ValueError:  # field names beyond Latin-1, or too many of them
        raise Declined from None
    return stream.getvalue()


def _is_exact(dtype: "np.dtype[Any]") -> bool:
    """Whether the header's description of a dtype leads back to the same dtype."""
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.metadata:
        return False
    if dtype.fields and not all(_is_exact(field[0].base) for field in dtype.fields.values()):
        return False
    described = npy.descr_to_dtype(npy.dtype_to_descr(dtype))
    return described == dtype and type(described) is type(dtype)


def _memory(array: Array) -> memoryview:
    """The bytes of an array in C order, not copied."""
    if not array.nbytes:
        return memoryview(b"")
    flat = array.view(np.ndarray).reshape(-1)
    return flat.view(np.uint8).data


def _head(source: Source) -> Head:
    data = source.read(0, min(_HEADER, source.size))
    length = 10 + int.from_bytes(data[8:10], "little")
    if length > len(data):
        data += source.read(len(data), length)
    stream = io.BytesIO(data)
    npy.read_magic(stream)
    shape, _, dtype = npy.read_array_header_1_0(stream, max_header_size=_LONGEST_HEADER)
    return Head(shape, dtype, length)


def _loaded(source: Source) -> Array:
    head = _head(source)
    path = source.path() if source.size >= _MAPPED_FROM else None
    if path is not None and math.prod(head.shape) * head.dtype.itemsize:
        mapped = np.memmap(path, head.dtype, "c", head.start, head.shape)
        return cast(Array, mapped)
    array = np.empty(head.shape, head.dtype)
    _fill(array, source, head.start)
    return array


def _fill(array: Array, source: Source, start: int) -> None:
    """Read an array's data a block at a time, so that it is not held twice."""
    view = _memory(array)
    for at in range(0, array.nbytes, _READ_AT_ONCE):
        data = source.read(start + at, start + min(at + _READ_AT_ONCE, array.nbytes))
        view[at : at + len(data)] = data


def _checked(index: int, head: Head) -> int:
    length = head.shape[0] if head.shape else 0
    if not 0 <= index < length:
        raise IndexError(f"item {index} of an array of {length} rows")
    return index
