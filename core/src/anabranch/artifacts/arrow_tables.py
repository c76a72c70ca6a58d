"""Arrow tables as Parquet, if Parquet has their types; else they are pickled.

Item `i` is row `i` as a dict from column to Python value. What reading one row costs is said in
`parquet`. How a table was divided into chunks is not kept.
"""

from typing import Any, cast

import pyarrow as pa

from anabranch.artifacts import parquet
from anabranch.artifacts.interface import Codec, Declined, Encoded, MemorySource, Source
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import PickledItems


class Tables:
    """`pyarrow.Table`."""

    name = "arrow"

    def __init__(self) -> None:
        self._groups = parquet.Groups(_itself)

    def handles(self, value: object) -> bool:
        return type(value) is pa.Table

    def encode(self, value: object) -> Encoded:
        table = cast(Any, value)
        if len(set(table.column_names)) != table.num_columns:
            raise Declined
        probe = b"".join(parquet.written(table.slice(0, 1)).chunks())
        back = parquet.read(MemorySource(probe))
        if not back.schema.equals(table.schema, check_metadata=True):
            raise Declined
        return Encoded(self.name, "pyarrow.Table", parquet.written(table), table.num_rows)

    def decode(self, source: Source) -> object:
        return parquet.read(source)

    def decode_item(self, source: Source, index: int) -> object:
        return _row(*self._groups.row(source, index))

    def item_bytes(self, source: Source, index: int) -> bytes:
        return repr(self.decode_item(source, index)).encode()


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Tables(), PickledItems("arrow.pickle", (pa.Table,), _row))


def _row(table: Any, at: int) -> object:
    return table.slice(at, 1).to_pylist()[0]


def _itself(table: Any) -> Any:
    return table
