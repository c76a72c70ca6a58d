"""JSON for the values that JSON carries without loss, and for nothing else.

`None`, `bool`, `int`, `float`, `str`, lists, and dicts with `str` keys, each of exactly that type:
a tuple would come back as a list and an `IntEnum` as an `int`, so those are declined. The text is
UTF-8 with lone surrogates let through, without spaces, dicts in their own order; `NaN` and
`Infinity` as Python's json writes them. Integers too long for the interpreter's default digit limit
are declined: another process could refuse to read them.

A list is a sequence. Up to a page (1 KiB) it is the plain text, which is read whole to give one
item; above that it has one item a line and a table of offsets behind (see `layout`).

This is the way of almost every value in a run, so it is written for speed: `int` in about a
microsecond.
"""

import json
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import cast

from anabranch.artifacts.interface import Buffers, Declined, Encoded, MemorySource, Source
from anabranch.artifacts.layout import MAGIC, layout_of, span_of, table

PAGE = 1024
MAX_DEPTH = 64
_MAX_DIGITS = 4300  # sys.int_info.default_max_str_digits
_MAX_BITS = 14_000  # certainly fewer digits than that

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_LINES = json.JSONEncoder(ensure_ascii=False, separators=(",\n", ":"), check_circular=False)
_DECODER = json.JSONDecoder()


def _compact_chunks() -> Callable[[object, int], Iterable[str]]:
    """What `_COMPACT.encode` joins, with the C encoder made once instead of at every call."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # another interpreter
        return lambda value, _: (_COMPACT.encode(value),)
    write: Callable[[object, int], Iterable[str]] = make(
        None, _COMPACT.default, encode_basestring, None, ":", ",", False, False, True
    )
    return write


_write = _compact_chunks()


def _integer(value: int) -> str:
    if value.bit_length() > _MAX_BITS:
        raise Declined
    return int.__repr__(value)


# How each type without parts is written. Exact types only: this is looked up with `type(value)`.
ATOMS: dict[type, Callable[..., str]] = {
    int: _integer,
    str: encode_basestring,
    float: _COMPACT.encode,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}
_ATOM_TYPES = frozenset(ATOMS)
JSON_TYPES = _ATOM_TYPES | {list, dict}
_TEXT = frozenset({str})


class Json:
    """The codec `json`."""

    name = "json"

    def handles(self, value: object) -> bool:
        return type(value) in JSON_TYPES

    def encode(self, value: object) -> Encoded:
        kind = type(value)
        write = ATOMS.get(kind)
        if write is not None:
            return Encoded("json", kind.__name__, Buffers((to_bytes(write(value)),)))
        if not _is_json(value, MAX_DEPTH):
            raise Declined
        if kind is list:
            return _encode_list(cast("list[object]", value))
        return Encoded("json", kind.__name__, Buffers((dumped(value),)))

    def decode(self, source: Source) -> object:
        data = source.read()
        if data.endswith(MAGIC):
            layout = layout_of(MemorySource(data))
            data = data[: layout.body_end if layout else None]
        return loaded(data)

    def decode_item(self, source: Source, index: int) -> object:
        layout = layout_of(source)
        if layout is None:
            return _item(loaded(source.read()), index)
        _, start, end = span_of(source, layout, index)
        return loaded(source.read(start, end))

    def item_bytes(self, source: Source, index: int) -> bytes:
        layout = layout_of(source)
        if layout is None:
            return dumped(_item(loaded(source.read()), index))
        _, start, end = span_of(source, layout, index)
        return source.read(start, end)


def dumped(value: object) -> bytes:
    """Compact JSON of a value that is known to be JSON. Raises `Declined` for a long integer."""
    try:
        text = "".join(_write(value, 0))
    except ValueError:  # an integer over the interpreter's digit limit
        raise Declined from None
    if len(text) > _MAX_DIGITS and _has_long_integer(value):
        raise Declined
    return to_bytes(text)


def loaded(data: bytes) -> object:
    """The value of one JSON text. What follows its end is not looked at."""
    return _DECODER.raw_decode(data.decode("utf-8", "surrogatepass"))[0]


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def are_atoms(values: Iterable[object]) -> bool:
    """Whether all of these are of exactly the types that JSON writes without brackets."""
    return _ATOM_TYPES.issuperset(map(type, values))


def lines(pieces: list[bytes], kind: str) -> Buffers:
    """Items that are JSON texts, as one JSON array with a line for each, and their table."""
    body = b"[\n" + b",\n".join(pieces) + b"\n]"
    return Buffers((body, table(kind, 2, map(len, pieces), 2, ("json",))))


def _encode_list(value: list[object]) -> Encoded:
    if 2 * len(value) < PAGE:
        data = dumped(value)
        if len(data) <= PAGE:
            return Encoded("json", "list", Buffers((data,)), len(value))
    return Encoded("json", "list", lines(_pieces(value), "list"), len(value))


def _pieces(value: list[object]) -> list[bytes]:
    """The JSON text of every item. One call for all where no item can hold a line break."""
    if not are_atoms(value):
        return [dumped(item) for item in value]
    try:
        pieces = to_bytes(_LINES.encode(value))[1:-1].split(b",\n")
    except ValueError:
        raise Declined from None
    if max(map(len, pieces)) > _MAX_DIGITS and _has_long_integer(value):
        raise Declined
    return pieces


def _is_json(value: object, depth: int) -> bool:
    """Whether a list or dict, with all that it holds, comes back from JSON as it was."""
    if depth == 0:
        return False
    if type(value) is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        parts: Iterable[object] = value.values()
    else:
        parts = cast("list[object]", value)
    if _ATOM_TYPES.issuperset(map(type, parts)):
        return True
    if not JSON_TYPES.issuperset(map(type, parts)):
        return False
    return all(type(part) in _ATOM_TYPES or _is_json(part, depth - 1) for part in parts)


def _has_long_integer(value: object) -> bool:
    if type(value) is int:
        return value.bit_length() > _MAX_BITS
    if type(value) is dict:
        return any(map(_has_long_integer, value.values()))
    return type(value) is list and any(map(_has_long_integer, value))


def _item(value: object, index: int) -> object:
    items = cast("list[object]", value)
    if not 0 <= index < len(items):
        raise IndexError(f"item {index} of a sequence of {len(items)}")
    return items[index]
