import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from anabranch.artifacts import LocalStore, digest_of

DTYPES = (
    hnp.scalar_dtypes()
    | hnp.unicode_string_dtypes()
    | hnp.byte_string_dtypes()
    | hnp.array_dtypes(allow_subarrays=True)
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)


def same(one: object, other: object) -> bool:
    """Equal to the last bit, and of the same type, dtype and shape."""
    assert type(one) is type(other)
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@given(ARRAYS)
def test_arrays_come_back_to_the_last_bit(there_and_back, value):
    assert same(there_and_back(value), value)


@given(hnp.arrays(DTYPES, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)))
def test_each_row_is_read_alone(items_back, item_bytes, value):
    back = items_back(value)
    if value.dtype.kind in "biufc" or value.ndim > 1:
        assert all(map(same, back, value))
    assert len(back) == len(item_bytes(value)) == len(value)


@given(hnp.arrays(hnp.scalar_dtypes(), ()).map(lambda array: array[()]))
def test_scalars_keep_their_type(there_and_back, value):
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("size", [10, 3000])
@pytest.mark.parametrize(
    "view",
    [
        np.asfortranarray,
        lambda array: array[::-1],
        lambda array: array[:, ::3],
        lambda array: array.T,
        lambda array: np.broadcast_to(array[0], array.shape),
    ],
)
def test_an_array_in_any_memory_order_gives_the_same_bytes(
    codecs, there_and_back, data_of, view, size
):
    array = view(np.arange(size * 1000, dtype="i4").reshape(size, 1000))
    assert codecs.encode(array).codec == "numpy"
    assert data_of(array) == data_of(np.ascontiguousarray(array))
    assert same(there_and_back(array), array)


def test_the_bytes_are_a_npy_file(data_of, tmp_path):
    (tmp_path / "a.npy").write_bytes(data_of(np.arange(6).reshape(2, 3)))
    assert np.load(tmp_path / "a.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_payload_is_the_memory_of_the_array(codecs):
    array = np.zeros((1000, 1000))
    header, data = codecs.encode(array).payload.chunks()
    assert np.shares_memory(np.frombuffer(data, "u1"), array)
    assert len(header) == 128


def test_a_loaded_array_may_be_changed_and_changes_nothing_else(codecs, tmp_path):
    array = np.arange(1_000_000)
    store = LocalStore(tmp_path)
    payload = codecs.encode(array).payload
    store.put(digest_of(payload), payload)
    first, second = (codecs.decode("numpy", store.open(digest_of(payload))) for _ in range(2))
    assert type(first) is np.ndarray
    assert first.base is not None  # mapped, not read
    first[:] = 0
    assert (second == array).all()
    assert (codecs.decode("numpy", store.open(digest_of(payload))) == array).all()


def test_a_row_costs_its_own_bytes(codecs, counting):
    value = np.arange(100_000.0).reshape(1000, 100)
    source = counting(value)
    codec = codecs.decoder("numpy")
    for index in range(1000):
        assert (codec.decode_item(source, index) == value[index]).all()
        codec.item_bytes(source, index)
    assert source.read_bytes <= 2 * 1000 * 800 + 1000


def test_the_bytes_of_a_row_change_with_its_dtype_and_shape(item_bytes):
    rows = [
        np.zeros((1, 4), "i8"),
        np.zeros((1, 4), "u8"),
        np.zeros((1, 2, 2), "i8"),
        np.ones((1, 4), "i8"),
    ]
    assert len({item_bytes(each)[0] for each in rows}) == 4


def test_a_row_is_new_at_every_load(codecs, counting):
    source = counting(np.zeros((2, 3)))
    codec = codecs.decoder("numpy")
    codec.decode_item(source, 0)[:] = 7
    assert codec.decode_item(source, 0).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a", None], dtype=object),
        np.array([(1, "x")], dtype=[("a", "i4"), ("b", object)]),
        np.ma.masked_array([1, 2], [0, 1]),
        np.rec.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
        np.array(["a", "bcd" * 20], dtype=np.dtypes.StringDType()),
        np.zeros(2, np.dtype("i4", metadata={"unit": "m"})),
        np.zeros(2, [("ü漢", "i4")]),
        np.str_("a"),
        np.bytes_(b"a"),
        np.void(b"ab"),
        np.dtype("f4"),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_what_npy_would_change_is_pickled(codecs, there_and_back, value):
    assert codecs.encode(value).codec in ("pickle", "numpy.pickle")
    back = there_and_back(value)
    assert repr(back) == repr(value)
    assert getattr(back, "dtype", None) == getattr(value, "dtype", None)


def test_an_array_of_objects_gives_each_object_anew(items_back, codecs, counting):
    value = np.array([[1], {"a": 2}, None], dtype=object)
    assert items_back(value) == list(value)
    source, codec = counting(value), codecs.decoder("numpy.pickle")
    codec.decode_item(source, 0).append(5)
    assert codec.decode_item(source, 0) == [1]


@pytest.mark.parametrize(
    "dtype",
    [
        {"names": ["a", "b"], "formats": ["i1", "i8"], "offsets": [0, 16], "itemsize": 32},
        np.dtype([("a", "i1"), ("b", "i8")], align=True),
        [(("title", "a"), "i4")],
    ],
)
def test_structured_dtypes_with_gaps_come_back(there_and_back, dtype):
    value = np.zeros(3, dtype)
    value["b" if "b" in value.dtype.names else "a"] = 5
    back = there_and_back(value)
    assert back.dtype == value.dtype
    assert (back == value).all()


def test_an_array_that_the_user_mapped_stays_a_memmap(codecs, there_and_back, tmp_path):
    value = np.memmap(tmp_path / "m", "i4", "w+", shape=(500_000,))
    value[:] = 3
    assert codecs.encode(value).codec == "numpy.memmap"
    assert (there_and_back(value) == value).all()


def test_hypothesis_floats_include_every_nan(there_and_back):
    value = np.frombuffer(np.array([0x7FF8000000000001], "u8").tobytes(), "f8")
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_encoding_200_mb_adds_less_than_5_mb(python, tmp_path, order):
    script = """
    import sys, resource
    import numpy as np
    from pathlib import Path
    from anabranch.artifacts import Codecs, LocalStore, digest_of

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    codecs = Codecs()
    small = codecs.encode(np.ones((10, 10), order=sys.argv[2])).payload
    LocalStore(Path(sys.argv[1])).put(digest_of(small), small)
    array = np.ones((25_000, 1000), order=sys.argv[2])
    before = peak()
    payload = codecs.encode(array).payload
    store = LocalStore(Path(sys.argv[1]))
    store.put(digest_of(payload), payload)
    print(peak() - before)
    """
    added = float(python("-c", textwrap.dedent(script), str(tmp_path), order))
    assert added < (5 if order == "C" else 20)
