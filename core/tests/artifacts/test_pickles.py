import io
import pickle
import threading

import numpy as np
import pytest

from anabranch.artifacts import MemorySource
from anabranch.errors import NotSerializable


class Plain:
    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None


class Sized(list):
    pass


class Raises:
    def __reduce__(self):
        raise RuntimeError("not today")


def module_function() -> int:
    return 3


@pytest.mark.parametrize(
    "value",
    [
        Plain(a=1, b={2: (3,)}),
        Sized([1, 2]),
        module_function,
        Plain,
        int,
        len,
        Ellipsis,
        slice(1, 2),
    ],
)
def test_objects_come_back_equal(codecs, there_and_back, value):
    assert codecs.encode(value).codec == "pickle"
    assert there_and_back(value) == value


def test_an_exception_comes_back_with_its_class_and_arguments(there_and_back):
    back = there_and_back(KeyError("k", 1))
    assert back.args == ("k", 1)


def test_without_large_buffers_the_bytes_are_a_plain_pickle(data_of):
    assert pickle.loads(data_of(Plain(a=1))) == Plain(a=1)


@pytest.mark.parametrize("size", [3, 1_000_000])
def test_arrays_inside_objects_lie_beside_the_stream_and_come_back_writable(
    codecs, there_and_back, size
):
    array = np.arange(size)
    frozen = np.arange(5)
    frozen.flags.writeable = False
    value = Plain(array=array, frozen=frozen, strided=array[::2])
    chunks = list(codecs.encode(value).payload.chunks())
    assert any(np.shares_memory(np.frombuffer(chunk, "u1"), array) for chunk in chunks)
    back = there_and_back(value)
    assert (back.array == array).all()
    assert (back.strided == array[::2]).all()
    assert not back.frozen.flags.writeable
    back.array[0] = 7
    assert there_and_back(value).array[0] == 0


def test_a_large_buffer_is_mapped_from_a_file_aligned_and_private(codecs, tmp_path):
    array = np.arange(1_000_000)
    file = tmp_path / "value"
    file.write_bytes(b"".join(codecs.encode(Plain(array=array)).payload.chunks()))

    class FileOnly(MemorySource):
        def path(self):
            return file

    loaded = [codecs.decode("pickle", FileOnly(file.read_bytes())) for _ in range(2)]
    assert loaded[0].array.ctypes.data % 64 == 0
    loaded[0].array[:] = 0
    assert (loaded[1].array == array).all()


def test_what_has_no_name_travels_by_value(codecs, there_and_back):
    factor = 3

    class Local:
        def times(self, number: int) -> int:
            return number * factor

    for value in (lambda number: number * factor, Local().times):
        assert codecs.encode(value).codec == "cloudpickle"
        assert there_and_back(value)(5) == 15


def test_the_record_names_the_type(codecs):
    assert codecs.encode(Plain()).type == f"{__name__}.Plain"
    assert codecs.encode(slice(1)).type == "slice"


def test_a_reduction_that_raises_is_a_refusal_and_not_a_crash(codecs):
    with pytest.raises(NotSerializable, match="Raises") as caught:
        codecs.encode([Plain(inner=Raises())])
    assert caught.value.to == "value[0].inner"


def test_the_innermost_part_is_named(codecs):
    with pytest.raises(NotSerializable, match=r"_thread\.lock") as caught:
        codecs.encode(Plain(a=1, b=Plain(c=[threading.Lock()])))
    assert caught.value.to == "value.b.c[0]"


def test_a_class_that_is_gone_is_refused_in_three_lines(codecs):
    data = pickle.dumps(Plain()).replace(b"Plain", b"Gones")
    with pytest.raises(NotSerializable, match="cannot be built again") as caught:
        codecs.decode("pickle", MemorySource(data))
    assert len(str(caught.value).splitlines()) == 3


def test_a_string_buffer_keeps_its_place(there_and_back):
    value = io.StringIO("abc")
    value.read(1)
    assert there_and_back(value).read() == "bc"
