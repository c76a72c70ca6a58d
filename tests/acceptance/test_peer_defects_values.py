"""What peers do to values on their way between steps, and what must not happen here (PEERS §3: 4–7, 10, 20)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from anabranch import Artifact, gather, pipeline, step
from anabranch.artifacts.local import FileSource
from anabranch.errors import NotSerializable

pytestmark = pytest.mark.usefixtures("project")


@dataclass(frozen=True)
class Pair:
    """A user's own class."""

    left: object
    right: object


@step
def one() -> int:
    return 1


@step
def words() -> list[str]:
    return ["a", "b", "c"]


@step
def twice(value: int) -> int:
    return 2 * value


@step
def told(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


@step
def total(values: list[int]) -> int:
    return sum(values)


# --- mapping over data (4) -------------------------------------------------------------------------------------


def test_a_list_is_mapped_over_as_it_is() -> None:
    @pipeline
    def flow() -> Any:
        return twice.map([1, 2, 3])

    assert flow().load() == [2, 4, 6]


@pytest.mark.parametrize("made_by", ["value", "call", "future"])
def test_an_empty_map_gives_an_empty_list_and_its_reducer_runs(made_by: str) -> None:
    @step
    def empty() -> list[int]:
        return []

    @pipeline
    def flow() -> Any:
        ways: dict[str, Any] = {"value": list, "call": empty, "future": empty.submit}
        source = ways[made_by]()
        mapped = twice.map(source)
        return mapped, twice.map(mapped), total(mapped)

    assert flow().load() == ([], [], 0)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("way", ["value", "artifact", "future"])
def test_a_table_is_mapped_over_by_row(frame: Callable[..., Any], way: str) -> None:
    @step
    def table() -> Any:
        return frame({"name": ["x", "y"], "size": [1, 2]})

    @step
    def described(row: dict[str, Any]) -> str:
        return f"{row['name']}:{row['size']}"

    @pipeline
    def flow() -> Any:
        ways: dict[str, Any] = {
            "value": table.__wrapped__,
            "artifact": table,
            "future": table.submit,
        }
        source = ways[way]()
        return described.map(source)

    assert flow().load() == ["x:1", "y:2"]


@pytest.mark.parametrize("way", ["value", "artifact"])
def test_an_array_is_mapped_over_by_row(way: str) -> None:
    @step
    def array() -> Any:
        return np.arange(6).reshape(3, 2)

    @step
    def row_sum(row: Any) -> int:
        return int(row.sum())

    @pipeline
    def flow() -> Any:
        return row_sum.map(array.__wrapped__() if way == "value" else array())

    assert flow().load() == [1, 5, 9]


# --- reading (5) -----------------------------------------------------------------------------------------------


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all reads from the artifact store, as they happen."""
    sizes: list[int] = []
    read = FileSource.read

    def counted(self: FileSource, start: int = 0, end: int | None = None) -> bytes:
        data = read(self, start, end)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(FileSource, "read", counted)
    return sizes


@pytest.mark.parametrize("count", [100, 400])
def test_mapped_items_read_the_collection_once_and_not_once_each(
    bytes_read: list[int], count: int
) -> None:
    """*n* items cost O(n) bytes. A peer reads all of it for every item: 100 and 400 times its size."""
    size = 2_000

    @step
    def texts() -> list[str]:
        return [f"{i:06}".ljust(size, ".") for i in range(count)]

    @step
    def number(text: str) -> int:
        return int(text[:6])

    @pipeline
    def flow() -> Any:
        return number.map(texts())

    assert flow().load() == list(range(count))
    assert sum(bytes_read) < 4 * count * size


def test_a_chunk_reads_its_item_alone(bytes_read: list[int]) -> None:
    @step
    def texts() -> list[str]:
        return [str(i) * 50_000 for i in range(10)]

    @pipeline
    def flow() -> Any:
        item = texts().chunk(7)
        return item.load()[0]

    assert flow().load() == "7"
    assert sum(bytes_read) < 100_000


def test_the_body_reads_nothing_of_what_it_only_passes_on(bytes_read: list[int]) -> None:
    """L12."""

    @step
    def big() -> bytes:
        return bytes(1_000_000)

    @step
    def size(data: bytes) -> int:
        return len(data)

    @pipeline
    def flow() -> Any:
        data = big()
        assert (len(data.name), bytes_read) == (6, [])
        return size(data)

    assert flow().load() == 1_000_000
    assert 1_000_000 <= sum(bytes_read) < 1_001_000


# --- nested inputs (6) -----------------------------------------------------------------------------------------


def nested() -> list[tuple[str, Callable[[], object], object]]:
    return [
        ("list", lambda: [one(), 2, one.submit()], [1, 2, 1]),
        ("tuple", lambda: (one(), "x"), (1, "x")),
        ("dict", lambda: {"a": one(), "b": 2}, {"a": 1, "b": 2}),
        ("future in a dict", lambda: {"a": one.submit()}, {"a": 1}),
        ("deep", lambda: {"a": [{"b": (one(), one.submit())}]}, {"a": [{"b": (1, 1)}]}),
        ("map in a dict", lambda: {"all": twice.map([1, 2])}, {"all": [2, 4]}),
        ("dataclass", lambda: Pair(one(), [one.submit(), 3]), Pair(1, [1, 3])),
        ("dict in dataclass", lambda: Pair({"k": one()}, None), Pair({"k": 1}, None)),
        ("item", lambda: [words().chunk(-1), words().chunk(0)], ["c", "a"]),
    ]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in nested()], ids=[case[0] for case in nested()]
)
@pytest.mark.parametrize("verb", ["call", "submit", "map"])
def test_handles_in_structures_reach_the_step_as_values(
    given: Callable[[], object], expected: object, verb: str
) -> None:
    @pipeline
    def flow() -> Any:
        value = given()
        if verb == "map":
            return told.map([value])[0]
        return told(value) if verb == "call" else told.submit(value)

    assert flow().load() == f"{type(expected).__name__} {expected!r}"


def test_functions_may_take_arguments_in_any_way_that_python_has() -> None:
    @step
    def every(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> str:
        return f"{a} {b} {rest} {c} {more}"

    @pipeline
    def flow(first: int, *others: int, **named: int) -> Any:
        return every(first, *others, **named), every.submit(one(), one.submit(), 5, x=one())

    expected = ["1 2 (3,) 4 {'d': 5}", "1 1 (5,) 3 {'x': 1}"]
    assert flow(1, 2, 3, c=4, d=5).load() == tuple(expected)


def test_a_step_gets_its_own_copy_of_a_plain_value() -> None:
    """What a step does to its argument is seen neither by the body nor by the next step."""

    @step
    def spoiled(values: list[int]) -> int:
        values.append(99)
        return len(values)

    @pipeline
    def flow() -> Any:
        values = [1, 2]
        lengths = [spoiled(values), spoiled.submit(values), spoiled(values)]
        return values, *lengths

    assert flow().load() == ([1, 2], 3, 3, 3)


def test_what_the_body_does_to_a_value_later_is_not_seen_by_a_submitted_step() -> None:
    @pipeline
    def flow() -> Any:
        values = [1, 2]
        waits = total.submit(values, after=one.submit())
        values.append(99)
        return waits

    assert flow().load() == 3


# --- what a body returns (7) -----------------------------------------------------------------------------------


def results() -> list[tuple[str, Callable[[], object], object]]:
    return [
        ("nothing", lambda: None, None),
        ("int", lambda: 3, 3),
        ("list", lambda: [1, "x", None], [1, "x", None]),
        ("artifact", one, 1),
        ("future", one.submit, 1),
        ("map", lambda: twice.map([1, 2]), [2, 4]),
        ("tuple", lambda: (one(), 2, one.submit()), (1, 2, 1)),
        ("dict", lambda: {"a": one(), "b": [one.submit(), 5]}, {"a": 1, "b": [1, 5]}),
        ("item", lambda: words().chunk(1), "b"),
        ("array", lambda: np.arange(3).tolist(), [0, 1, 2]),
        ("gathered", lambda: gather(one.submit(), one.submit()), [1, 1]),
        ("dataclass", lambda: Pair(1, 2), Pair(1, 2)),
    ]


@pytest.mark.parametrize(
    ("result", "expected"), [case[1:] for case in results()], ids=[case[0] for case in results()]
)
def test_a_body_may_return(result: Callable[[], object], expected: object) -> None:
    @pipeline
    def flow() -> Any:
        return result()

    run = flow()
    assert (run.status, run.load()) == ("completed", expected)


def test_a_handle_where_no_result_can_have_one_is_refused_by_its_place() -> None:
    """L11. Tuples, lists and dicts may hold handles; a class of the user's may not."""

    @pipeline
    def flow() -> Any:
        return Pair(one(), 2)

    with pytest.raises(NotSerializable) as refused:
        flow()
    assert "left" in str(refused.value).splitlines()[1]
    assert len(str(refused.value).splitlines()) == 3


# --- loading (10) ----------------------------------------------------------------------------------------------


def test_every_load_gives_a_new_object() -> None:
    @pipeline
    def flow() -> Any:
        artifact = words()
        first, second = artifact.load(), artifact.load()
        first.append("spoiled")
        return second, artifact.load(), total([1])

    assert flow().load()[:2] == (["a", "b", "c"], ["a", "b", "c"])


def test_every_load_of_an_array_gives_one_that_can_be_written_to_alone() -> None:
    @step
    def zeros() -> Any:
        return np.zeros(20_000)

    @pipeline
    def flow() -> Any:
        artifact = zeros()
        first, second = artifact.load(), artifact.load()
        first = first + 1 if not first.flags.writeable else first
        first[0] = 5
        return float(second[0]), float(artifact.load()[0])

    assert flow().load() == (0.0, 0.0)


def test_a_chunk_is_one_item_with_a_name() -> None:
    @pipeline
    def flow() -> Any:
        artifact = words()
        assert len(artifact) == 3
        return [artifact.chunk(i).load() for i in (0, 1, 2, -1)], artifact.chunk(1).name

    assert flow().load() == (["a", "b", "c", "c"], "output[1]")


def test_what_a_step_returns_is_kept_as_it_was_when_it_returned() -> None:
    shared: list[int] = []

    @step
    def grows() -> list[int]:
        shared.append(len(shared))
        return shared

    @pipeline
    def flow() -> Any:
        return grows(), grows()

    assert flow().load() == ([0], [0, 1])


# --- reducing (20) ---------------------------------------------------------------------------------------------


def test_a_reducer_takes_a_thousand_mapped_outputs() -> None:
    @pipeline
    def flow() -> Any:
        return total(twice.map(range(1000)))

    assert flow().load() == 2 * sum(range(1000))


def test_a_reducer_takes_a_thousand_large_mapped_outputs() -> None:
    """Larger than what the journal keeps by itself: from the artifact store, more than any cache holds."""

    @step
    def large(value: int) -> bytes:
        return value.to_bytes(4, "big") * 10_000

    @step
    def heads(values: list[bytes]) -> int:
        return sum(int.from_bytes(value[:4], "big") for value in values)

    @pipeline
    def flow() -> Any:
        return heads(large.map(range(300)))

    assert flow().load() == sum(range(300))


# --- types -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**70,
        1.5,
        float("inf"),
        "text ✓",
        b"\x00\xff",
        [1, [2, {"k": (3, None)}]],
        (1, "two"),
        {"k": {1, 2}},
        {1: "int key", (2, 3): "tuple key"},
        Path("somewhere/else"),
        Pair(1, Pair(2, [3])),
        frozenset({"a"}),
        complex(1, 2),
    ],
    ids=repr,
)
def test_a_value_comes_out_as_it_went_in(value: object) -> None:
    """As an argument, as an output, and through the body."""

    @step
    def same(given: object) -> Any:
        return [given]

    @pipeline
    def flow() -> Any:
        return same(same(value).load()[0])

    out = flow().load()[0]
    assert out == value
    assert type(out) is type(value)


def test_an_artifact_tells_its_type_and_length_without_being_loaded(bytes_read: list[int]) -> None:
    @step
    def array() -> Any:
        return np.zeros((5, 2000))

    @pipeline
    def flow() -> Any:
        made = array()
        assert isinstance(made, Artifact)
        return made.type, len(made)

    assert flow().load() == ("numpy.ndarray", 5)
    assert bytes_read == []
