"""Parquet through Arrow, in row groups that make one row affordable.

Parquet cannot give a row alone: the row group around it must be read. Groups have at least 1,024
rows, and there are at most 256 of them, fewer for wide tables, because a reader reads about each
before it reads any. The group that was read last is kept, so that rows in order cost each group
once; a lone row costs the file's footer and one group.
"""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from anabranch.artifacts.interface import Buffers, Declined, MemorySource, Payload, Source
from anabranch.artifacts.streams import SourceFile

SMALL = 2**20
_FEWEST_ROWS = 1024
_MOST_GROUPS = 256
_MOST_CHUNKS = 8192  # columns times groups

Read = TypeVar("Read")


class Row(NamedTuple, Generic[Read]):
    """A row group as it was converted, and where in it the row is."""

    group: Read
    at: int


class Groups(Generic[Read]):
    """Reads rows by their group; `convert` makes of a group's table what the codec keeps."""

    def __init__(self, convert: Callable[[Any], Read]) -> None:
        self._convert = convert
        self._last: tuple[Source, Any, int, Read] | None = None

    def row(self, source: Source, index: int) -> Row[Read]:
        """Raises `IndexError` if there is no such row."""
        last = self._last
        is_known = last is not None and last[0] == source
        about = last[1] if last and is_known else opened(source).metadata
        if not 0 <= index < about.num_rows:
            raise IndexError(f"row {index} of a table of {about.num_rows}")
        size = about.row_group(0).num_rows
        number = index // size
        if last and is_known and last[2] == number:
            return Row(last[3], index % size)
        group = self._convert(opened(source, about).read_row_group(number, use_threads=False))
        self._last = source, about, number, group
        return Row(group, index % size)


def written(table: Any) -> Payload:
    """A table as Parquet. Declines what Parquet has no type for."""
    sink = pa.BufferOutputStream()
    try:
        size = rows_per_group(table.num_rows, table.num_columns)
        # "Compliant" would rename the fields inside lists, which would come back as another type.
        pq.write_table(table, sink, row_group_size=size, use_compliant_nested_type=False)
    except pa.ArrowException:
        raise Declined from None
    return Buffers((memoryview(sink.getvalue()),))


def read(source: Source) -> Any:
    """The whole table. Small ones without Arrow's threads, which can abort a process as it ends."""
    return opened(source).read(use_threads=source.size > SMALL)


def opened(source: Source, metadata: Any = None) -> Any:
    """A `ParquetFile`; with its metadata, if known already, the footer is not read again."""
    if isinstance(source, MemorySource):
        return pq.ParquetFile(pa.BufferReader(source.data), metadata=metadata)
    path = source.path()
    return pq.ParquetFile(SourceFile(source) if path is None else path, metadata=metadata)


def rows_per_group(rows: int, columns: int) -> int:
    groups = max(1, min(_MOST_GROUPS, _MOST_CHUNKS // max(1, columns)))
    return max(_FEWEST_ROWS, -(-rows // groups))
