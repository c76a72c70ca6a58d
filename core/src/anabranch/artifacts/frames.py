"""pandas frames and series as Parquet, if that gives them back as they are; else as pickles.

Whether it does depends on the dtypes, the index and the labels, so the first row is sent there and
back and compared; a column of Python objects is never trusted, for lists in it would come back as
arrays.

Item `i` of a frame is row `i` as a dict from column to Python value, without its index label: what
`frame.iloc[i:i + 1].to_dict("records")[0]` gives. Item `i` of a series is `series.iloc[i]`. What
reading one row costs is said in `parquet`.
"""

from collections.abc import Iterator
from typing import Any, cast

import pandas as pd
import pyarrow as pa

from anabranch.artifacts import parquet
from anabranch.artifacts.interface import Codec, Declined, Encoded, MemorySource, Payload, Source
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import PickledItems
from anabranch.artifacts.plain import dumped, loaded

_OURS = b"anabranch"  # a key in the schema's metadata, beside pandas' own
_SERIES = "value"
_OBJECT = pd.Series(dtype=object).dtype


class Frames:
    """`pandas.DataFrame`, no subclass."""

    name = "pandas"

    def __init__(self) -> None:
        self._groups = parquet.Groups(_to_frame)

    def handles(self, value: object) -> bool:
        return type(value) is pd.DataFrame

    def encode(self, value: object) -> Encoded:
        frame = cast(Any, value)
        return Encoded(self.name, "pandas.DataFrame", _written(frame), len(frame))

    def decode(self, source: Source) -> object:
        return _to_frame(parquet.read(source))

    def decode_item(self, source: Source, index: int) -> object:
        return _row(*self._groups.row(source, index))

    def item_bytes(self, source: Source, index: int) -> bytes:
        return described(self.decode_item(source, index))


class Series:
    """`pandas.Series`, as a frame of one column."""

    name = "pandas.series"

    def __init__(self) -> None:
        self._groups = parquet.Groups(_to_frame)

    def handles(self, value: object) -> bool:
        return type(value) is pd.Series and type(cast(Any, value).name) in (str, int, type(None))

    def encode(self, value: object) -> Encoded:
        series = cast(Any, value)
        frame = series.to_frame(name=_SERIES)
        frame.attrs = series.attrs
        return Encoded(self.name, "pandas.Series", _written(frame, series.name), len(series))

    def decode(self, source: Source) -> object:
        table = parquet.read(source)
        frame = _to_frame(table)
        series = frame[_SERIES].rename(_ours(table)["name"])
        series.attrs = frame.attrs
        return series

    def decode_item(self, source: Source, index: int) -> object:
        frame, at = self._groups.row(source, index)
        return frame[_SERIES].iloc[at]

    def item_bytes(self, source: Source, index: int) -> bytes:
        return described(self.decode_item(source, index))


def codecs(registry: Registry) -> tuple[Codec, ...]:
    kinds = (pd.DataFrame, pd.Series)
    return (Frames(), Series(), PickledItems("pandas.pickle", kinds, _item))


def described(item: object) -> bytes:
    """Bytes that tell one row or cell from any other: types and exact values."""
    if isinstance(item, dict):
        return repr([(key, type(cell), cell) for key, cell in item.items()]).encode(
            errors="replace"
        )
    return repr((type(item), item)).encode()


def _item(table: Any, at: int) -> object:
    return table.iloc[at] if isinstance(table, pd.Series) else _row(table, at)


def _row(frame: Any, at: int) -> object:
    return frame.iloc[at : at + 1].to_dict("records")[0]


def _written(frame: Any, name: object = None) -> Payload:
    if not _has_plain_labels(frame.columns) or not all(map(_is_trusted, _columns(frame))):
        raise Declined
    first = frame.iloc[:1]
    probe = b"".join(parquet.written(_to_table(first, name)).chunks())
    if not _is_same(first, _to_frame(parquet.read(MemorySource(probe)))):
        raise Declined
    return parquet.written(_to_table(frame, name))


def _to_table(frame: Any, name: object) -> Any:
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, ValueError, TypeError):
        raise Declined from None
    ours = {"name": name, "freq": getattr(frame.index, "freqstr", None)}
    return table.replace_schema_metadata({**table.schema.metadata, _OURS: dumped(ours)})


def _to_frame(table: Any) -> Any:
    frame = table.to_pandas(use_threads=table.nbytes > parquet.SMALL)
    freq = _ours(table)["freq"]
    if freq is not None and isinstance(frame.index, pd.DatetimeIndex | pd.TimedeltaIndex):
        frame.index.freq = freq
    return frame


def _ours(table: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", loaded(table.schema.metadata[_OURS]))


def _columns(frame: Any) -> Iterator[Any]:
    """All arrays of which the frame consists: columns, row labels, and their categories."""
    index = frame.index
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    for column in (*(frame[name] for name in frame.columns), *levels):
        yield column
        if hasattr(column.dtype, "categories"):
            yield column.dtype.categories


def _is_trusted(column: Any) -> bool:
    """Whether Arrow cannot take it for something else. Older pandas keeps text as objects."""
    return column.dtype != _OBJECT or all(type(cell) is str for cell in column)


def _has_plain_labels(columns: Any) -> bool:
    return columns.is_unique and (columns.dtype != _OBJECT or all(type(c) is str for c in columns))


def _is_same(one: Any, other: Any) -> bool:
    return (
        one.equals(other)
        and list(one.dtypes) == list(other.dtypes)
        and _is_same_index(one.index, other.index)
        and _is_same_index(one.columns, other.columns)
        and _categories(one) == _categories(other)
        and (one.attrs, one.flags) == (other.attrs, other.flags)
    )


def _is_same_index(one: Any, other: Any) -> bool:
    freq = getattr(one, "freq", None), getattr(other, "freq", None)
    return type(one) is type(other) and one.identical(other) and freq[0] == freq[1]


def _categories(frame: Any) -> list[list[object]]:
    return [list(dtype.categories) for dtype in frame.dtypes if hasattr(dtype, "categories")]
