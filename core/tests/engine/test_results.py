"""What a body returns is there again, artifacts as artifacts, for whoever opens the journal later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anabranch import Artifact, pipeline, step
from anabranch.authoring.runs import Run
from anabranch.engine.launching import Finished
from anabranch.journal.sqlite import SqliteJournal

settings.register_profile("engine", deadline=None, database=None, max_examples=40)
settings.load_profile("engine")


@step
def make(x: Any) -> Any:
    return x


@step
def several(n: int) -> list[int]:
    return list(range(n))


@step
def two(x: int) -> tuple[int, str]:
    return x, str(x)


@step
def nothing() -> None:
    pass


@pytest.fixture
def reopened(lab) -> Callable[[Run], Run]:
    """The same run, as another process sees it."""

    def look(run: Run) -> Run:
        from dataclasses import replace

        stack = lab.stack
        other = replace(stack, journal=SqliteJournal(stack.journal.path))
        return Run(other, Finished(run.id, run.status))

    return look


# Descriptions of what a body returns: a value as it is, or made by a step in one of several ways.
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(allow_nan=False)
)
described = st.recursive(
    st.tuples(st.sampled_from(["plain", "call", "submit", "item", "map"]), leaves),
    lambda inner: st.one_of(
        st.tuples(st.just("list"), st.lists(inner, max_size=3)),
        st.tuples(st.just("tuple"), st.lists(inner, max_size=3)),
        st.tuples(st.just("dict"), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    ),
    max_leaves=8,
)


def built(kind: str, content: Any) -> Any:
    """What the body returns for a description."""
    if kind == "list":
        return [built(*each) for each in content]
    if kind == "tuple":
        return tuple(built(*each) for each in content)
    if kind == "dict":
        return {key: built(*each) for key, each in content.items()}
    makers: dict[str, Callable[[Any], Any]] = {
        "plain": lambda x: x,
        "call": lambda x: make([x]),
        "submit": lambda x: make.submit([x]),
        "item": lambda x: make([0, x]).chunk(1),
        "map": lambda x: make.map([x, x]),
    }
    return makers[kind](content)


def meant(kind: str, content: Any) -> Any:
    """The value of it."""
    if kind == "list":
        return [meant(*each) for each in content]
    if kind == "tuple":
        return tuple(meant(*each) for each in content)
    if kind == "dict":
        return {key: meant(*each) for key, each in content.items()}
    return {"plain": content, "item": content, "map": [content, content]}.get(kind, [content])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(described)
def test_a_result_of_any_shape_comes_back_from_the_run_and_from_the_journal(
    lab, reopened, description: tuple[str, Any]
) -> None:
    @pipeline
    def flow() -> Any:
        return built(*description)

    run = lab.start(flow)
    expected = meant(*description)

    assert run.error is None
    for seen in (run, reopened(run)):
        found = seen.load()
        assert found == expected
        assert type(found) is type(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(described)
def test_the_result_of_a_child_is_what_its_body_returned(lab, description: tuple[str, Any]) -> None:
    @pipeline
    def child() -> Any:
        return built(*description)

    @pipeline
    def flow() -> Any:
        called, submitted = child(), child.submit()
        return called, submitted

    run = lab.start(flow)

    assert run.error is None
    assert run.load() == (meant(*description),) * 2


def test_artifacts_in_a_result_stay_references(lab, reopened) -> None:
    @pipeline
    def flow() -> Any:
        one, other = two(5)
        return {"one": one, "items": [several(3).chunk(1), other], "plain": [1]}

    found = reopened(lab.start(flow)).output

    assert isinstance(found["one"], Artifact)
    assert [type(each).__name__ for each in found["items"]] == ["Artifact", "Artifact"]
    assert found["plain"] == [1]
    assert (found["one"].load(), found["items"][0].load(), found["items"][1].load()) == (5, 1, "5")


def test_a_step_that_returns_nothing_gives_none(lab) -> None:
    @pipeline
    def flow() -> Any:
        return nothing(), nothing.submit(), make(None)

    assert lab.start(flow).load() == (None, None, None)


@pytest.mark.parametrize("index", [1, -1, np.int64(1), True])
def test_an_item_is_chosen_by_any_whole_number(index: Any, lab, reopened) -> None:
    @pipeline
    def flow() -> Any:
        return several(2).chunk(index), make(several(2).chunk(index))

    assert reopened(lab.start(flow)).load() == (1, 1)


def test_a_result_may_hold_values_of_any_type(lab, reopened) -> None:
    array = np.arange(6).reshape(2, 3)

    @pipeline
    def flow() -> Any:
        return {"array": array, "made": make(array), "path": make(Path("x")), "set": {1, 2}}

    found = reopened(lab.start(flow)).load()

    assert np.array_equal(found["array"], array)
    assert np.array_equal(found["made"], array)
    assert found["set"] == {1, 2}


def test_a_large_result_lives_in_the_store_and_comes_back(lab, reopened) -> None:
    @pipeline
    def flow() -> Any:
        return "x" * 200_000, make("y" * 200_000)

    assert reopened(lab.start(flow)).load() == ("x" * 200_000, "y" * 200_000)


def test_arguments_of_a_run_are_kept_for_its_resume(lab, notes) -> None:
    """Also large ones, and those that are artifacts of another run."""

    @pipeline
    def giving() -> Any:
        return make([1, 2, 3])

    @step
    def stop() -> int:
        if len(notes) == 0:
            raise OSError
        return 0

    @pipeline
    def flow(text: str, given: Any, *rest: int, options: dict[str, Any], **more: Any) -> Any:
        stop()
        return len(text), given, rest, options, more

    first = lab.start(giving)
    arguments = ("x" * 100_000, first.artifact("make"), 7, 8)
    run = lab.start(flow, *arguments, options={"a": np.float64(0.5)}, extra=(1, 2))
    assert isinstance(run.error, OSError)
    notes.add(1)

    assert lab.resume(run, flow).load() == (
        100_000,
        [1, 2, 3],
        (7, 8),
        {"a": 0.5},
        {"extra": (1, 2)},
    )


def test_an_artifact_is_asked_for_by_the_name_of_its_call(lab) -> None:
    @pipeline
    def flow() -> Any:
        make(1)
        make("second")
        two(3)
        make.map([5, 6]).wait()

    run = lab.start(flow)

    assert run.artifact("make_2").load() == "second"
    assert run.artifact("two", output=1).load() == "3"
    assert run.artifact("make_3[1]").load() == 6
