import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

COLUMNS = {
    "ints": pd.DataFrame({"a": np.arange(3), "b": np.arange(3, dtype="u1")}),
    "mixed": pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan], "s": ["a", None], "b": [True, False]}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    "nanoseconds": pd.DataFrame({"a": pd.to_datetime(["2026"]).astype("datetime64[ns]")}),
    "zone": pd.DataFrame({"a": pd.to_datetime(["2026"]).tz_localize("Europe/Paris")}),
    "delta": pd.DataFrame({"a": pd.to_timedelta([1, 2], unit="s")}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y"], ["z", "y", "x"], ordered=True)}),
    "half": pd.DataFrame({"a": np.array([1, 2], "f2")}),
    "empty": pd.DataFrame({"a": np.array([], "i4")}),
    "frequency": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2026", periods=2, freq="D")),
    "levels": pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=["p", "q"])),
    "range": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="r")),
    "named columns": pd.DataFrame({"a": [1]}).rename_axis(columns="k"),
}
PICKLED = {
    "no columns": pd.DataFrame(index=pd.RangeIndex(3)),
    "numbered": pd.DataFrame([[1, 2]]),
    "objects": pd.DataFrame({"a": [[1], {"k": 2}, None]}),
    "seconds": pd.DataFrame({"a": pd.to_datetime(["2026"]).astype("datetime64[s]")}),
    "mixed labels": pd.DataFrame([[1, 2]], columns=[1, "a"]),
    "twice the label": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "complex": pd.DataFrame({"a": [1j]}),
    "object text": pd.DataFrame({"a": pd.Series(["x", None], dtype=object)}),
}


def with_attrs() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["unit"] = {"a": "m"}
    return frame


@pytest.mark.parametrize("frame", [*COLUMNS.values(), with_attrs()], ids=[*COLUMNS, "attrs"])
def test_a_frame_comes_back_from_parquet(codecs, there_and_back, frame):
    assert codecs.encode(frame).codec == "pandas"
    back = there_and_back(frame)
    pd.testing.assert_frame_equal(back, frame, check_freq=True, check_flags=True)
    assert back.attrs == frame.attrs


@pytest.mark.parametrize("frame", PICKLED.values(), ids=list(PICKLED))
def test_a_frame_that_parquet_would_change_is_pickled_and_still_has_rows(
    codecs, there_and_back, items_back, frame
):
    assert codecs.encode(frame).codec == "pandas.pickle"
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    if frame.columns.is_unique:
        assert repr(items_back(frame)) == repr(frame.to_dict("records"))


@pytest.mark.parametrize("name", ["mixed", "zone", "categories", "levels", "empty"])
def test_a_row_is_a_dict_of_its_cells(items_back, item_bytes, name):
    frame = COLUMNS[name]
    assert repr(items_back(frame)) == repr(frame.to_dict("records"))
    assert len(set(item_bytes(frame))) == len(frame)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], name="n"),
        pd.Series(["a", "b"]),
        pd.Series([0.5], index=["x"], name=3),
        pd.Series(pd.Categorical(["x"])),
        pd.Series([[1], [2]]),
    ],
    ids=str,
)
def test_a_series_comes_back_whole_and_by_item(there_and_back, items_back, series):
    pd.testing.assert_series_equal(there_and_back(series), series)
    back = items_back(series)
    assert back == list(series)
    assert [type(each) for each in back] == [type(series.iloc[i]) for i in range(len(series))]


def test_a_subclass_of_frame_keeps_its_class(there_and_back):
    assert there_and_back(SubFrame({"a": [1]})).to_dict() == {"a": {0: 1}}


class SubFrame(pd.DataFrame):
    @property
    def _constructor(self):
        return SubFrame


def test_a_loaded_frame_may_be_changed(there_and_back):
    frame = pd.DataFrame({"a": np.arange(3.0)})
    back = there_and_back(frame)
    back.loc[0, "a"] = 7
    back["b"] = 1
    assert there_and_back(frame).to_dict("list") == {"a": [0, 1, 2]}


def test_a_timestamp_and_an_index_are_carried(there_and_back):
    assert there_and_back(pd.Timestamp("2026-01-01 00:00:00.000000001")).nanosecond == 1
    assert there_and_back(pd.Index([1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pa.table, pl.DataFrame],
    ids=["pandas", "arrow", "polars"],
)
def test_rows_read_in_order_cost_each_row_group_once(codecs, counting, make):
    count = 5000
    value = make({"n": np.arange(count), "x": np.random.default_rng(0).random(count)})
    source = counting(value)
    codec = codecs.sequence_decoder(codecs.encode(value).codec)
    for index in range(0, count, 50):
        assert codec.decode_item(source, index)["n"] == index
        codec.item_bytes(source, index)
    assert source.read_bytes < 1.5 * source.size + 100_000
    assert codec.decode_item(counting(value), count - 1)["n"] == count - 1


def test_two_frames_read_in_turns_are_kept_apart(codecs, counting):
    one, other = (counting(pd.DataFrame({"a": [start, start + 1]})) for start in (0, 10))
    codec = codecs.decoder("pandas")
    for index in (0, 1):
        assert codec.decode_item(one, index) == {"a": index}
        assert codec.decode_item(other, index) == {"a": index + 10}


POLARS = pl.DataFrame(
    {
        "n": [1, 2],
        "s": ["a", None],
        "l": [[1], [2, 3]],
        "d": [{"k": 1}, {"k": 2}],
        "c": pl.Series(["x", "y"], dtype=pl.Categorical),
        "e": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])),
        "m": pl.Series([decimal.Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
        "t": [datetime.datetime(2026, 1, 1), None],  # noqa: DTZ001
        "b": [b"x", None],
        "z": [None, None],
    }
)


def test_a_polars_frame_comes_back_whole_and_by_row(codecs, there_and_back, items_back, item_bytes):
    assert codecs.encode(POLARS).codec == "polars"
    back = there_and_back(POLARS)
    assert back.schema == POLARS.schema
    assert back.equals(POLARS)
    assert items_back(POLARS) == POLARS.to_dicts()
    assert len(set(item_bytes(POLARS))) == 2


@pytest.mark.parametrize("series", [POLARS["l"], pl.Series([1.5]), pl.Series("", [], pl.Int8)])
def test_a_polars_series_comes_back_whole_and_by_item(there_and_back, items_back, series):
    back = there_and_back(series)
    assert (back.dtype, back.name, back.to_list()) == (series.dtype, series.name, series.to_list())
    assert [list(x) if isinstance(x, pl.Series) else x for x in items_back(series)] == list(
        series.to_list()
    )


def test_polars_rows_are_read_by_blocks_from_a_local_file(codecs, tmp_path):
    frame = pl.DataFrame({"n": range(5000)})
    file = tmp_path / "frame"
    file.write_bytes(b"".join(codecs.encode(frame).payload.chunks()))

    class FileOnly:
        size = file.stat().st_size

        def read(self, start=0, end=None):
            raise AssertionError("the file is to be scanned")

        def path(self):
            return file

    source = FileOnly()
    codec = codecs.decoder("polars")
    assert [codec.decode_item(source, i)["n"] for i in (0, 1023, 1024, 4999)] == [
        0,
        1023,
        1024,
        4999,
    ]
    with pytest.raises(IndexError):
        codec.decode_item(source, 5000)


ARROW = pa.table(
    {
        "n": pa.array([1, None], pa.int16()),
        "d": pa.array(["x", "y"]).dictionary_encode(),
        "l": pa.array([[1], []], pa.list_(pa.int8())),
        "t": pa.array([1, 2], pa.timestamp("ns", "Europe/Paris")),
    },
    metadata={"k": "v"},
)


def test_an_arrow_table_comes_back_whole_and_by_row(codecs, there_and_back, items_back):
    assert codecs.encode(ARROW).codec == "arrow"
    back = there_and_back(ARROW)
    assert back.schema.equals(ARROW.schema, check_metadata=True)
    assert back.equals(ARROW)
    assert items_back(ARROW) == ARROW.to_pylist()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"t": pa.array([1], pa.timestamp("s"))}),
        pa.table([[1], [2]], names=["a", "a"]),
    ],
)
def test_an_arrow_table_that_parquet_would_change_is_pickled(codecs, there_and_back, table):
    assert codecs.encode(table).codec == "arrow.pickle"
    assert there_and_back(table).equals(table)


@pytest.mark.parametrize(
    "value", [COLUMNS["mixed"], POLARS, ARROW], ids=["pandas", "polars", "arrow"]
)
def test_equal_tables_give_equal_bytes(data_of, value):
    assert data_of(value) == data_of(value)
