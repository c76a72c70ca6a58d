"""Lists, tuples, sets and dicts whose parts JSON cannot carry, each part with a codec of its own.

A list of arrays, a tuple of anything, a dict with integer keys: the parts go back to the registry
one by one and lie beside each other in one `layout`. So a mapped step reads its own item of a list
of models, and a `Path` or a set deep inside a dict is treated as it would be alone. Short
collections of plain atoms are one JSON array without a table.

Sets are written in the order of their items' bytes, so that equal sets give equal bytes. A dict is
written as key, value, key, value, in its own order. That two parts are the same object is not
recorded, and each comes back on its own, unless what they share is large (see `sharing`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from anabranch.artifacts import optional
from anabranch.artifacts.interface import (
    Buffers,
    Declined,
    Encoded,
    Joined,
    MemorySource,
    Payload,
    Slice,
    Source,
)
from anabranch.artifacts.layout import Span, layout_of, span_of, spans_of, table
from anabranch.artifacts.nesting import Nesting, Registry
from anabranch.artifacts.plain import ATOMS, PAGE, are_atoms, dumped, lines, loaded, to_bytes
from anabranch.artifacts.refusals import inside
from anabranch.errors import NotSerializable

_SUSPICIOUS = 64 * 2**20
_IN_ONE_READ = 16 * 2**20
_JOINED_UP_TO = 64 * 2**10


class Collection(Nesting):
    """A codec for one built-in collection. Only its own type, never a subclass."""

    def __init__(self, kind: type, registry: Registry) -> None:
        super().__init__(registry)
        self.name = kind.__name__
        self._kind = kind

    def handles(self, value: object) -> bool:
        return type(value) is self._kind

    def encode_at(self, value: object, depth: int) -> Encoded:
        parts = self._parts(value)
        payload = self._plain(parts)
        if payload is None:
            payload = self._mixed(value, parts, depth)
        if payload is None:
            return self._registry.decoder("shared").encode(value)
        return Encoded(self.name, self.name, payload, self._length(parts))

    def decode(self, source: Source) -> object:
        if source.size <= _IN_ONE_READ:
            source = MemorySource(source.read())
        layout = layout_of(source)
        if layout is None:
            return self._made(cast("list[object]", loaded(source.read())))
        if layout.gap:
            return self._made(cast("list[object]", loaded(source.read(0, layout.body_end))))
        spans = spans_of(source, layout)
        decode = self._registry.decode
        return self._made([decode(span.codec, _part(source, span)) for span in spans])

    def _parts(self, value: Any) -> Sequence[object]:
        return cast("Sequence[object]", value)

    def _made(self, parts: list[object]) -> object:
        return self._kind(parts)

    def _length(self, parts: Sequence[object]) -> int | None:
        return None

    def _step(self, parts: Sequence[object], index: int) -> str:
        """How a person reaches part `index` from the value."""
        return f"[{index}]"

    def _plain(self, parts: Sequence[object]) -> Payload | None:
        """Atoms as one JSON array, on a page or with a line each; `None` if these are not atoms."""
        if not are_atoms(parts):
            return None
        try:
            texts = [ATOMS[type(part)](part) for part in parts]
        except Declined:
            return None
        pieces = self._in_order([to_bytes(text) for text in texts])
        if sum(map(len, pieces)) + len(pieces) < PAGE:
            return Buffers((b"[" + b",".join(pieces) + b"]",))
        return lines(pieces, self.name)

    def _mixed(self, value: object, parts: Sequence[object], depth: int) -> Payload | None:
        """Each part in its own encoding; `None` if they repeat each other (see `sharing`)."""
        encoded: list[Encoded] = []
        held, limit = 0, _SUSPICIOUS
        try:
            for part in parts:
                encoded.append(self.encode_part(part, depth))
                held += encoded[-1].payload.size
                if held > limit:
                    if optional.home_of("shared").is_smaller(value, held // 2):
                        return None
                    limit = 2 * held
        except NotSerializable as error:
            raise inside(error, self._step(parts, len(encoded))) from None
        return _laid_out(self.name, self._in_canonical_order(encoded))

    def _in_order(self, pieces: list[bytes]) -> list[bytes]:
        return pieces

    def _in_canonical_order(self, encoded: list[Encoded]) -> list[Encoded]:
        return encoded


class Items(Collection):
    """Lists and tuples: their items can be read alone."""

    def _length(self, parts: Sequence[object]) -> int | None:
        return len(parts)

    def decode_item(self, source: Source, index: int) -> object:
        layout = layout_of(source)
        if layout is None:
            return _on_page(source, index)
        span = span_of(source, layout, index)
        return self._registry.decode(span.codec, _part(source, span))

    def item_bytes(self, source: Source, index: int) -> bytes:
        """The item's own encoding, after its codec's name unless that is `json`."""
        layout = layout_of(source)
        if layout is None:
            return dumped(_on_page(source, index))
        codec, start, end = span_of(source, layout, index)
        data = source.read(start, end)
        return data if codec == "json" else codec.encode() + b"\0" + data


class Sets(Collection):
    """Sets and frozensets, in an order that depends on nothing but their items."""

    def _parts(self, value: Any) -> Sequence[object]:
        return list(value)

    def _step(self, parts: Sequence[object], index: int) -> str:
        return "{...}"

    def _in_order(self, pieces: list[bytes]) -> list[bytes]:
        return sorted(pieces)

    def _in_canonical_order(self, encoded: list[Encoded]) -> list[Encoded]:
        held = [(part.codec, b"".join(part.payload.chunks()), part.type) for part in encoded]
        return [Encoded(name, kind, Buffers((data,))) for name, data, kind in sorted(held)]


class Dicts(Collection):
    """Dicts with keys or values beyond JSON."""

    def _parts(self, value: Any) -> Sequence[object]:
        return [part for pair in value.items() for part in pair]

    def _made(self, parts: list[object]) -> object:
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def _step(self, parts: Sequence[object], index: int) -> str:
        return f"[{parts[index - 1]!r}]" if index % 2 else "[<key>]"


def collections(registry: Registry) -> tuple[Collection, ...]:
    return (
        Items(list, registry),
        Items(tuple, registry),
        Sets(set, registry),
        Sets(frozenset, registry),
        Dicts(dict, registry),
    )


def _laid_out(kind: str, encoded: list[Encoded]) -> Payload:
    names = [part.codec for part in encoded]
    if names and set(names) == {"json"}:
        return lines([b"".join(part.payload.chunks()) for part in encoded], kind)
    sizes = [part.payload.size for part in encoded]
    parts = list(_merged([part.payload for part in encoded], sizes))
    return Joined((*parts, Buffers((table(kind, 0, sizes, 0, names),))))


def _merged(payloads: list[Payload], sizes: list[int]) -> Iterator[Payload]:
    """The same bytes with small neighbours in one buffer; large ones stay where they are."""
    small: list[bytes] = []
    for payload, size in zip(payloads, sizes, strict=True):
        if size <= _JOINED_UP_TO:
            small.append(b"".join(payload.chunks()))
            continue
        if small:
            yield Buffers((b"".join(small),))
            small = []
        yield payload
    yield Buffers((b"".join(small),))


def _part(source: Source, span: Span) -> Source:
    """The bytes of one item, as a source of their own."""
    if isinstance(source, MemorySource) or span.end - span.start <= _JOINED_UP_TO:
        return MemorySource(source.read(span.start, span.end))
    return Slice(source, span.start, span.end)


def _on_page(source: Source, index: int) -> object:
    items = cast("list[object]", loaded(source.read()))
    if not 0 <= index < len(items):
        raise IndexError(f"item {index} of a sequence of {len(items)}")
    return items[index]
