"""Polars frames and series as Parquet, if Parquet has their types; else they are pickled.

Item `i` of a frame is row `i` as a dict from column to Python value (`frame.row(i, named=True)`);
item `i` of a series is `series[i]`. From a local file the rows around item `i` are read and kept
for the next items; from elsewhere Polars reads the whole file once, which is kept too.
"""

import io
from typing import cast

import polars as pl

from anabranch.artifacts.interface import (
    Buffers,
    Codec,
    Declined,
    Encoded,
    MemorySource,
    Payload,
    Source,
)
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import PickledItems

_BLOCK = 1024


class Blocks:
    """The rows that were read last."""

    def __init__(self) -> None:
        self._last: tuple[Source, int, pl.DataFrame] | None = None

    def row(self, source: Source, index: int) -> tuple[pl.DataFrame, int]:
        """A part of the frame, and where in it the row is. Raises `IndexError` past the end."""
        path = source.path()
        start = index - index % _BLOCK if path is not None else 0
        last = self._last
        if last is None or last[0] != source or last[1] != start:
            if path is None:
                block = _read(source)
            else:
                block = pl.scan_parquet(path).slice(start, _BLOCK).collect()
            last = self._last = source, start, block
        if not 0 <= index - start < last[2].height:
            raise IndexError(f"row {index} of a frame")
        return last[2], index - start


class Frames:
    """`polars.DataFrame`."""

    name = "polars"

    def __init__(self) -> None:
        self._blocks = Blocks()

    def handles(self, value: object) -> bool:
        return type(value) is pl.DataFrame

    def encode(self, value: object) -> Encoded:
        frame = cast(pl.DataFrame, value)
        return Encoded(self.name, "polars.DataFrame", _written(frame), frame.height)

    def decode(self, source: Source) -> object:
        return _read(source)

    def decode_item(self, source: Source, index: int) -> object:
        block, at = self._blocks.row(source, index)
        return block.row(at, named=True)

    def item_bytes(self, source: Source, index: int) -> bytes:
        return repr(self.decode_item(source, index)).encode()


class Series:
    """`polars.Series`, as a frame of one column."""

    name = "polars.series"

    def __init__(self) -> None:
        self._blocks = Blocks()

    def handles(self, value: object) -> bool:
        return type(value) is pl.Series

    def encode(self, value: object) -> Encoded:
        series = cast(pl.Series, value)
        return Encoded(self.name, "polars.Series", _written(series.to_frame()), series.len())

    def decode(self, source: Source) -> object:
        return _read(source).to_series()

    def decode_item(self, source: Source, index: int) -> object:
        block, at = self._blocks.row(source, index)
        return block.to_series()[at]

    def item_bytes(self, source: Source, index: int) -> bytes:
        return repr(self.decode_item(source, index)).encode()


def codecs(registry: Registry) -> tuple[Codec, ...]:
    kinds = (pl.DataFrame, pl.Series)
    return (Frames(), Series(), PickledItems("polars.pickle", kinds, _item))


def _item(table: pl.DataFrame | pl.Series, at: int) -> object:
    return table[at] if isinstance(table, pl.Series) else table.row(at, named=True)


def _written(frame: pl.DataFrame) -> Payload:
    first = frame.head(1)
    back = _read(MemorySource(_to_bytes(first)))
    if back.schema != first.schema or not back.equals(first):
        raise Declined
    return Buffers((_to_bytes(frame),))


def _to_bytes(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    try:
        frame.write_parquet(stream, row_group_size=max(_BLOCK, -(-frame.height // 256)))
    except pl.exceptions.PolarsError:
        raise Declined from None
    return stream.getvalue()


def _read(source: Source) -> pl.DataFrame:
    path = source.path()
    return pl.read_parquet(source.read() if path is None else path)
