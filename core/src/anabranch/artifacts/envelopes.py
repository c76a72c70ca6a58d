"""A line of JSON in front of a payload: which class, which file name, which codec inside.

The header is for the codec that wrote it; what follows the line break is another codec's payload or
raw content, unchanged.
"""

from collections.abc import Mapping
from typing import cast

from anabranch.artifacts.interface import Buffers, Joined, MemorySource, Payload, Slice, Source
from anabranch.artifacts.plain import dumped, loaded

_FIRST_READ = 512


def enveloped(header: Mapping[str, object], inner: Payload) -> Payload:
    """`header` (JSON values only) and then `inner`."""
    line = dumped(dict(header)) + b"\n"
    if isinstance(inner, Buffers):
        return Buffers((line, *inner.parts))
    return Joined((Buffers((line,)), inner))


def opened(source: Source) -> tuple[dict[str, object], Source]:
    """The header and a source over what follows it."""
    if isinstance(source, MemorySource):
        line, _, rest = source.data.partition(b"\n")
        return cast("dict[str, object]", loaded(line)), MemorySource(rest)
    data, size = b"", _FIRST_READ
    while b"\n" not in data and len(data) < source.size:
        data += source.read(len(data), min(size, source.size))
        size *= 4
    line = data.partition(b"\n")[0]
    return cast("dict[str, object]", loaded(line)), Slice(source, len(line) + 1, source.size)
