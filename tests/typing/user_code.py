"""What a user writes, as their editor sees it: pyright checks this file in strict mode, and mypy does too.

It is never run. A line with an error that must be one carries an ignore; where the error is missing, the ignore is
reported as unnecessary, so what must be refused is tested like what must be accepted.
"""

# mypy: disable-error-code="unused-awaitable"

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, assert_type

from anabranch import (
    Artifact,
    ArtifactConfig,
    MapFuture,
    Pipeline,
    Resources,
    Retry,
    Run,
    Step,
    StepFuture,
    as_completed,
    checkpoint,
    context,
    gather,
    log_metadata,
    pipeline,
    step,
    unmapped,
    wait_all,
    wait_any,
)


@dataclass
class Model:
    """A class of the user's."""

    weights: list[float]


@step
def count(text: str) -> int:
    return len(text)


@step
def twice(value: int, *, times: int = 2) -> int:
    return value * times


@step(retry=3, timeout=timedelta(minutes=5))
def configured(value: int) -> str:
    return str(value)


@step
def both(value: int) -> tuple[int, str]:
    return value, str(value)


@step
def three(value: int) -> tuple[int, str, float]:
    return value, str(value), float(value)


@step
def nothing(value: int) -> None:
    print(value)


@step
def numbers() -> list[int]:
    return [1, 2, 3]


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def train(rate: float, data: dict[str, list[int]]) -> Model:
    return Model([rate, *data["x"]])


@step
def anything(value: int) -> Any:
    return value


@step
async def fetch(url: str) -> bytes:
    return url.encode()


@step(name="fetch_both")
async def fetch_both(url: str) -> tuple[bytes, int]:
    return url.encode(), 200


@step
def named() -> Annotated[int, ArtifactConfig(name="score_{suffix}")]:
    return 1


# --- the decorator -----------------------------------------------------------------------------------------------


def the_decorator_keeps_the_signature() -> None:
    assert_type(count.name, str)
    tried: Step[..., int] = twice.with_options(retry=Retry(max_attempts=3))
    assert_type(tried(1), Artifact[int])
    assert_type(twice.with_options(retry=3)(1, times=3), Artifact[int])
    count.with_options(resources=Resources(memory="8Gi"))("text")
    count.with_options(name="other")(3)  # type: ignore[call-overload]


# --- calls -------------------------------------------------------------------------------------------------------


def a_call_gives_an_artifact() -> None:
    assert_type(count("text"), Artifact[int])
    assert_type(count("text").load(), int)
    assert_type(configured(1), Artifact[str])
    assert_type(train(0.1, {"x": [1]}).load(), Model)
    assert_type(named().load(), int)
    assert_type(numbers().chunk(0), Artifact[Any])
    assert_type(len(numbers()), int)
    assert_type(count("text").name, str)


def a_call_gives_a_tuple_of_artifacts_for_several_outputs() -> None:
    number, text = both(1)
    assert_type(number, Artifact[int])
    assert_type(text, Artifact[str])
    assert_type(both(1), tuple[Artifact[int], Artifact[str]])
    assert_type(three(1), tuple[Artifact[int], Artifact[str], Artifact[float]])
    assert_type(text.load(), str)


def a_call_of_a_step_that_returns_nothing_gives_nothing() -> None:
    assert_type(nothing(1), None)


def a_call_of_a_step_that_may_return_anything_gives_anything() -> None:
    assert_type(anything(1), Any)
    anything(1).load()
    first, second = anything(1)
    total([first, second])
    anything.submit(1).load()


def the_function_itself_can_be_called() -> None:
    count.__wrapped__("text")
    count.__wrapped__(3)  # type: ignore[arg-type]


def async_steps_are_called_like_others() -> None:
    assert_type(fetch("a"), Artifact[bytes])
    assert_type(fetch("a").load(), bytes)
    assert_type(fetch.submit("a"), StepFuture[bytes])
    assert_type(fetch_both("a"), tuple[Artifact[bytes], Artifact[int]])


def what_does_not_fit_the_signature_is_an_error() -> None:
    twice("text")  # type: ignore[call-overload]
    twice(1, times="text")  # type: ignore[call-overload]
    twice.submit("text")  # type: ignore[call-overload]
    twice()  # type: ignore[call-overload]
    twice(1, 2)  # type: ignore[call-overload]
    twice(1, tmes=3)  # type: ignore[call-overload]
    fetch(3)  # type: ignore[call-overload]
    fetch.submit(3)  # type: ignore[call-overload]
    total(["a"])  # type: ignore[list-item]


# --- handles as arguments ----------------------------------------------------------------------------------------


def a_handle_may_stand_where_its_value_may() -> None:
    text = configured(1)
    count(text)
    count(text.load())
    count(configured.submit(1))
    count.submit(text)
    twice(count.submit("text"), times=count("text"))
    total([count("a"), 2, count.submit("b")])
    total(numbers())
    total(numbers.submit())
    total(twice.map(numbers()))
    train(0.1, {"x": [count("a")]})
    twice(numbers().chunk(0))
    count(both.submit(1)[1])
    twice(fetch_both("a")[1])


# --- futures -----------------------------------------------------------------------------------------------------


def a_submit_gives_a_future() -> None:
    future = count.submit("text")
    assert_type(future, StepFuture[int])
    assert_type(future.load(), int)
    assert_type(future.load(timeout=3.0), int)
    assert_type(future.wait(0.1), bool)
    assert_type(future.done(), bool)
    assert_type(future.exception(), BaseException | None)
    assert_type(future.cancel(), bool)
    assert_type(future.artifacts, tuple[Artifact[Any], ...])
    assert_type(both.submit(1).load(), tuple[int, str])
    assert_type(nothing.submit(1), StepFuture[None])
    assert_type(both.submit(1)[0], StepFuture[Any])


def a_map_gives_a_map_future() -> None:
    made = twice.map([1, 2, 3], max_concurrency=4, chunk_size=10, on_error="collect")
    assert_type(made, MapFuture[int])
    assert_type(made.load(), list[int])
    assert_type(made[0], StepFuture[int])
    assert_type(made[0].load(), int)
    assert_type([item.load() for item in made], list[int])
    for index, item in enumerate(made):
        assert_type((index, item), tuple[int, StepFuture[int]])
    assert_type(len(made), int)
    assert_type(made.failures, dict[int, BaseException])
    assert_type(twice.map(twice.map(numbers()), times=unmapped(3)), MapFuture[int])
    assert_type(twice.product(value=[1, 2], times=numbers()), MapFuture[int])
    assert_type(fetch.map(["a", "b"]).load(), list[bytes])
    assert_type(both.map([1, 2]), MapFuture[tuple[int, str]])
    assert_type(both.map([1, 2]).unpack(), tuple[list[StepFuture[Any]], ...])
    twice.map([1], on_error="ignore")  # type: ignore[arg-type]
    twice.map([1], chunk_size="many")  # type: ignore[arg-type]


def the_functions_on_futures_keep_their_types() -> None:
    futures = [count.submit("a"), count.submit("b")]
    for future in as_completed(futures):
        assert_type(future.load(), int)
    for item in as_completed(twice.map([1, 2])):
        assert_type(item, StepFuture[int])
    assert_type(wait_any(futures).load(), int)
    assert_type(wait_all([*futures, twice.map([1])], timeout=1.0), bool)
    assert_type(gather(*futures), list[Any])
    as_completed([1])  # type: ignore[arg-type]


def a_call_may_have_an_id_and_come_after_others() -> None:
    first = count.submit("a", id="first")
    assert_type(first, StepFuture[int])
    assert_type(twice.submit(first, after=[first], id="second"), StepFuture[int])
    assert_type(twice.submit(1, start_after=first), StepFuture[int])
    twice.map([1], id="all", after=first)
    twice(1, id="third", after=first).load()
    twice(1, after=first)


# --- pipelines ---------------------------------------------------------------------------------------------------


@pipeline
def child(text: str, factor: int = 2) -> Artifact[int]:
    return twice(count(text), times=factor)


@pipeline(dynamic=True, tags=["nightly"], execution_mode="FAIL_FAST")
def parent() -> None:
    made = child("text")
    total([made])
    assert_type(child.submit("text"), StepFuture[int])
    assert_type(child.submit("text").load(), int)
    twice(child.submit("text", factor=3))
    twice(child.submit("text", id="mine"))
    twice(child.embed("text"))
    child.submit(3)  # type: ignore[call-overload]
    child(3)  # type: ignore[call-overload]
    child.embed("text", fctor=3)  # type: ignore[call-arg]
    twice(several.submit()[0])


@pipeline
def several() -> tuple[Artifact[int], StepFuture[int]]:
    return twice(1), twice.submit(2)


@pipeline
def mapped() -> MapFuture[int]:
    return twice.map([1, 2])


@pipeline
def submitted() -> StepFuture[str]:
    return configured.submit(1)


@pipeline
def plain() -> dict[str, int]:
    return {"size": 1}


@pipeline
async def awaiting(urls: list[str]) -> Artifact[bytes]:
    assert_type(await fetch.map(urls), list[Any])
    async for page in as_completed(fetch.map(urls)):
        assert_type(page.load(), bytes)
    first = await fetch.submit("a")
    print(first)
    return fetch("b")


def the_futures_of_pipelines_load_what_their_bodies_return() -> None:
    assert_type(mapped.submit().load(), list[int])
    assert_type(submitted.submit().load(), str)
    assert_type(plain.submit().load(), dict[str, int])
    assert_type(awaiting.submit(["a"]).load(), bytes)
    configured_child: Pipeline[..., int] = child.with_options(config_path="config.yaml")
    assert_type(configured_child.submit("text").load(), int)


def a_run_is_held_like_this() -> None:
    run: Run = child("text")
    print(run.id, run.status, run.load(), run.logs("count"), run.state.counts())
    assert_type(child.start({"text": "a"}), Run)
    other: Pipeline[..., Any] = child
    print(other.name)


# --- in a step ---------------------------------------------------------------------------------------------------


@step
def measured(value: int) -> float:
    log_metadata(accuracy=0.5, classes=["a", "b"])
    checkpoint()
    here = context()
    assert_type(here.attempt, int | None)
    here.logger.info("attempt %d", here.attempt)
    return float(value)


# --- what cannot be a step ---------------------------------------------------------------------------------------


def generators_and_options_are_checked_when_they_are_defined() -> None:
    """A checker accepts these; `@step` itself refuses them with the reason."""

    def rows() -> Iterator[int]:
        yield 1

    async def rows_async() -> AsyncIterator[int]:
        yield 1

    step(rows)
    step(rows_async)
    step(retries=3)
