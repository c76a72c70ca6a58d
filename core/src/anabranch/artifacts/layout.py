"""How a sequence lies in bytes, so that one item can be found without reading the others.

    items, one after the other | offsets | codec of each item | names | trailer

The items come first: a sequence of JSON values is a JSON text with one item a line, readable with
any tool up to its table. The n + 1 offsets take 4 bytes each, or 8 above 4 GiB. The codec of each
item is a number of 1, 2 or 4 bytes that counts the names; it is left out where all items share one.
The trailer has 32 bytes and ends in `MAGIC`, with which no JSON text and no pickle can end; so a
short sequence may also be stored as plain text, and a look at its end tells which of the two it is.
"""

import json
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import NamedTuple

from anabranch.artifacts.interface import Source

MAGIC = b"\x00ABitem\x01"
_TRAILER = struct.Struct("<QQIBBBx8s")
_TAIL_SIZE = 256
_TYPECODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Layout(NamedTuple):
    """What the tail of a sequence says. `gap` bytes follow each item, and are not part of it."""

    length: int
    body_end: int
    width: int
    gap: int
    code_width: int
    kind: str
    codecs: tuple[str, ...]


class Span(NamedTuple):
    """Where an item lies, and the codec that reads it."""

    codec: str
    start: int
    end: int


def table(kind: str, first: int, sizes: Iterable[int], gap: int, names: Sequence[str]) -> bytes:
    """All that follows the items. `first` is where item 0 starts, `names` has each item's codec."""
    starts = list(accumulate(chain((first,), (size + gap for size in sizes))))
    body_end = starts[-1]
    width = 4 if body_end < 2**32 else 8
    known = list(dict.fromkeys(names))
    codes, code_width = b"", 0
    if len(known) > 1:
        code_width = 1 if len(known) < 2**8 else 2 if len(known) < 2**16 else 4
        number = {name: code for code, name in enumerate(known)}
        codes = _packed(code_width, (number[name] for name in names))
    meta = _meta(kind, tuple(known))
    count = len(starts) - 1
    trailer = _TRAILER.pack(count, body_end, len(meta), width, gap, code_width, MAGIC)
    return _packed(width, starts) + codes + meta + trailer


def layout_of(source: Source) -> Layout | None:
    """The layout of a sequence at rest; `None` if it is plain text without a table."""
    size = source.size
    tail = source.read(max(0, size - _TAIL_SIZE), size)
    if not tail.endswith(MAGIC):
        return None
    count, body_end, meta_size, width, gap, code_width, _ = _TRAILER.unpack(tail[-_TRAILER.size :])
    meta_end = len(tail) - _TRAILER.size
    if meta_size <= meta_end:
        meta = tail[meta_end - meta_size : meta_end]
    else:
        meta = source.read(size - _TRAILER.size - meta_size, size - _TRAILER.size)
    return Layout(count, body_end, width, gap, code_width, *_names(meta))


def span_of(source: Source, layout: Layout, index: int) -> Span:
    """Where item `index` lies. Reads two offsets and at most one code. Raises `IndexError`."""
    if not 0 <= index < layout.length:
        raise IndexError(f"item {index} of a sequence of {layout.length}")
    width, code_width = layout.width, layout.code_width
    at = layout.body_end + index * width
    start, following = _unpacked(width, source.read(at, at + 2 * width))
    code = 0
    if code_width:
        at = layout.body_end + (layout.length + 1) * width + index * code_width
        code = _unpacked(code_width, source.read(at, at + code_width))[0]
    return Span(layout.codecs[code], start, following - layout.gap)


def spans_of(source: Source, layout: Layout) -> list[Span]:
    """Where every item lies, in two reads."""
    length, codes_start = layout.length, layout.body_end + (layout.length + 1) * layout.width
    starts = _unpacked(layout.width, source.read(layout.body_end, codes_start))
    if layout.code_width:
        codes_end = codes_start + length * layout.code_width
        codes = _unpacked(layout.code_width, source.read(codes_start, codes_end))
        names = [layout.codecs[code] for code in codes]
    else:
        names = list(layout.codecs) * length
    ends = (following - layout.gap for following in starts[1:])
    return [Span(*each) for each in zip(names, starts, ends, strict=False)]


@lru_cache
def _meta(kind: str, codecs: tuple[str, ...]) -> bytes:
    return json.dumps([kind, codecs], separators=(",", ":")).encode()


@lru_cache
def _names(meta: bytes) -> tuple[str, tuple[str, ...]]:
    kind, codecs = json.loads(meta)
    return kind, tuple(codecs)


def _packed(width: int, numbers: Iterable[int]) -> bytes:
    packed = array(_TYPECODES[width], numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpacked(width: int, data: bytes) -> "array[int]":
    numbers = array(_TYPECODES[width])
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
