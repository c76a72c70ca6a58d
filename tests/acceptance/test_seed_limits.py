"""What the seed page refuses or leaves out: refused here too where it must be, and lifted where it need not be."""

# mypy: disable-error-code="unused-awaitable"

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest

from anabranch import (
    Artifact,
    ArtifactConfig,
    Run,
    as_completed,
    checkpoint,
    context,
    pipeline,
    step,
    unmapped,
)
from anabranch.errors import (
    CallError,
    Cancelled,
    DefinitionError,
    LengthMismatch,
    NestingError,
    UpstreamFailed,
)

pytestmark = pytest.mark.usefixtures("project")


class Broken(Exception):
    """The failure of a user's step."""


@step
def number() -> int:
    return 42


@step
def numbers() -> list[int]:
    return [1, 2, 3]


@step
def twice(value: int) -> int:
    return 2 * value


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def show(value: object) -> None:
    print(value)


@step
def fails() -> int:
    raise Broken("on purpose")


@step
def named() -> Annotated[int, ArtifactConfig(name="score_{suffix}")]:
    return 1


def statuses(run: Run) -> dict[str, str]:
    """What was called and how it ended."""
    return {known.display: known.status for known in run.state.invocations.values()}


@contextmanager
def refused(kind: type[Exception]) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """A mistake of the user's, told in three lines."""
    with pytest.raises(kind) as told:
        yield told
    assert type(told.value) is kind
    assert len(str(told.value).splitlines()) == 3, str(told.value)


# --- child pipelines -------------------------------------------------------------------------------------------


@pipeline
def child() -> Artifact[int]:
    return number()


@pytest.mark.parametrize("verb", ["__call__", "submit", "embed", "start"])
def test_a_pipeline_in_a_step_is_refused(verb: str) -> None:
    """L11. The step fails, since only its function can know what it calls; nothing of the child runs."""

    @step
    def nested() -> None:
        getattr(child, verb)()

    @pipeline
    def parent() -> None:
        nested()

    with refused(NestingError):
        parent()
    run = parent.start()
    assert statuses(run) == {"nested": "failed"}


def test_embed_and_submit_outside_a_body_are_refused() -> None:
    for name, verb in (("submit", child.submit), ("embed", child.embed)):
        with refused(CallError) as told:
            verb()
        assert f"child.{name}() works in a pipeline's body only" in str(told.value)


def test_a_pipeline_that_is_not_dynamic_does_not_exist() -> None:
    with refused(DefinitionError) as told:
        pipeline(dynamic=False)
    assert "dynamic" in str(told.value)


def test_a_child_may_return_nothing_one_output_a_tuple_or_a_dict() -> None:
    @pipeline
    def nothing() -> None:
        number()

    @pipeline
    def several() -> tuple[Artifact[int], Artifact[list[int]], int]:
        return number(), numbers(), 7

    @pipeline
    def mapping() -> dict[str, Any]:
        return {"one": number(), "more": [twice(1), twice.submit(2)], "plain": "text"}

    @pipeline
    def parent() -> list[Any]:
        assert nothing() is None
        one, many, plain = several()
        made = mapping()
        return [twice(one), total(many), plain, total(made["more"]), made["plain"]]

    assert parent().load() == [84, 6, 7, 6, "text"]


def test_the_outputs_of_a_child_are_references_that_later_steps_take() -> None:
    seen = []

    @pipeline
    def parent() -> None:
        output = child()
        seen.append(type(output))
        show(output)
        show.map([child.submit(), child.submit()])

    run = parent()
    assert seen == [Artifact]
    assert run.logs() == "42\n42\n42\n"


def test_submitted_children_run_beside_each_other() -> None:
    """Each waits for the other: run one after the other, they would wait for ever."""
    meeting = threading.Barrier(2, timeout=20)

    @step
    def meet(name: str) -> str:
        meeting.wait()
        return name

    @pipeline
    def guest(name: str) -> Artifact[str]:
        return meet(name)

    @pipeline
    def party() -> list[Any]:
        futures = [guest.submit(name) for name in ("ann", "bob")]
        return [future.result() for future in futures]

    assert party().load() == ["ann", "bob"]


def test_a_child_has_the_parameters_that_it_was_given() -> None:
    @pipeline
    def scaled(value: Artifact[int], factor: int = 10) -> Artifact[int]:
        assert context().parameters["value"] is value
        return twice(value.load() * factor)

    @pipeline
    def parent() -> list[Any]:
        made = number()
        return [
            scaled(made),
            scaled(made, factor=2),
            scaled.with_options(parameters={"factor": 3})(made),
        ]

    assert parent().load() == [840, 168, 252]


def test_a_child_has_a_run_id_of_its_own_under_that_of_the_parent() -> None:
    ids = []

    @pipeline
    def inner() -> None:
        ids.append(context().run_id)

    @pipeline
    def outer() -> None:
        ids.append(context().run_id)
        inner()
        inner.embed()

    run = outer()
    parent, made, embedded = ids
    assert parent == embedded == run.id
    assert made.startswith(f"{parent}~")


def test_children_nest() -> None:
    @pipeline
    def level(depth: int) -> Any:
        return twice(level(depth - 1)) if depth else number()

    assert level(5).load() == 42 * 2**5


def test_a_template_reaches_the_steps_of_child_pipelines_too(project: Any) -> None:
    """Whatever the template may name, it configures: nothing that was asked for is silently ignored."""

    @step
    def configured(value: int = 0) -> int:
        return value

    @pipeline
    def inner() -> Artifact[int]:
        return configured()

    @pipeline
    def outer() -> list[Any]:
        return [configured(), inner(), inner.embed()]

    path = project.write("steps: {configured: {parameters: {value: 3}}}", "config.yaml")
    assert outer.with_options(config_path=path)().load() == [3, 3, 3]


def test_a_call_comes_before_the_code_the_template_and_the_decorator(project: Any) -> None:
    @step(parameters={"a": "decorator", "b": "decorator", "c": "decorator", "d": "decorator"})
    def shown(a: str, b: str, c: str, d: str, e: str = "default") -> str:
        return f"{a} {b} {c} {d} {e}"

    @pipeline
    def flow() -> Any:
        configured = shown.with_options(parameters={"a": "code", "b": "code"})
        return configured(a="call"), configured.submit(a="call"), configured.map(a=["call"])

    path = project.write(
        "steps: {shown: {parameters: {a: template, b: template, c: template}}}", "config.yaml"
    )
    expected = "call code template decorator default"
    assert flow.with_options(config_path=path)().load() == (expected, expected, [expected])


def test_a_template_gives_options_and_parameters_to_the_pipeline_too(project: Any) -> None:
    tries: list[int] = []

    @step
    def flaky() -> None:
        tries.append(1)
        raise Broken("again")

    @pipeline
    def flow(size: int, name: str = "x") -> str:
        try:
            flaky()
        except Broken:
            return f"{name}{size}"
        return ""

    path = project.write(
        "parameters: {size: 3}\nenable_step_logs: false\nsteps:\n  flaky: {retry: {max_attempts: 4}}\n",
        "config.yaml",
    )
    assert flow.with_options(config_path=path)(name="y").load() == "y3"
    assert len(tries) == 4


def test_a_child_that_runs_when_its_parent_fails_starts_nothing_new() -> None:
    started, failed = threading.Event(), threading.Event()

    @step
    def first() -> None:
        started.set()
        assert failed.wait(20)

    @pipeline
    def inner() -> None:
        first()
        number()

    @pipeline
    def outer() -> None:
        inner.submit()
        assert started.wait(20)
        threading.Timer(0.02, failed.set).start()
        raise Broken("the parent")

    run = outer.start()
    assert str(run.error) == "the parent"
    assert statuses(run) == {"inner": "cancelled", "first": "completed"}


# --- embed -----------------------------------------------------------------------------------------------------


def configured() -> tuple[Any, list[str]]:
    """A child with a configuration of its own, and what its hooks have told."""
    told: list[str] = []

    @pipeline(
        substitutions={"suffix": "child"},
        enable_step_logs=False,
        retry=2,
        tags=["child"],
        on_init=lambda: told.append("init"),
        on_success=lambda: told.append("success"),
        on_cleanup=lambda: told.append("cleanup"),
    )
    def inner() -> Artifact[int]:
        return named()

    return inner, told


def test_embed_ignores_the_configuration_of_the_child() -> None:
    inner, told = configured()

    @pipeline(substitutions={"suffix": "parent"})
    def outer() -> Any:
        return inner.embed()

    run = outer()
    assert run.artifact("named").name == "score_parent"
    assert told == []


def test_a_child_run_applies_the_configuration_of_the_child() -> None:
    inner, told = configured()

    @pipeline(substitutions={"suffix": "parent"})
    def outer() -> Any:
        return inner()

    run = outer()
    assert run.artifact("named").name == "score_child"
    assert told == ["init", "success", "cleanup"]


def test_embed_ignores_the_retries_and_the_logging_of_the_child_and_a_child_run_does_not() -> None:
    tries: list[int] = []

    @step
    def flaky() -> None:
        tries.append(1)
        print("trying")
        raise Broken("again")

    @pipeline(retry=3, enable_step_logs=False)
    def inner() -> None:
        flaky()

    @pipeline
    def embedding() -> None:
        inner.embed()

    @pipeline
    def calling() -> None:
        inner()

    run = embedding.start()
    assert (len(tries), run.logs()) == (1, "trying\n")
    tries.clear()
    run = calling.start()
    assert (len(tries), run.logs()) == (3, "")


def test_a_failure_in_an_embedded_body_ends_the_run_of_the_parent() -> None:
    @pipeline
    def inner() -> None:
        fails()

    @pipeline
    def outer() -> None:
        inner.embed()
        number()

    run = outer.start()
    assert type(run.error) is Broken
    assert statuses(run) == {"fails": "failed"}


def test_a_failure_in_a_child_run_can_be_handled_by_the_parent() -> None:
    @pipeline
    def inner() -> None:
        fails()

    @pipeline
    def outer() -> Any:
        try:
            inner()
        except Broken:
            return number()

    run = outer()
    assert run.load() == 42
    assert statuses(run) == {"inner": "failed", "fails": "failed", "number": "completed"}


def test_embed_gives_back_whatever_the_body_returned() -> None:
    @pipeline
    def inner() -> object:
        return {"plain": 1, "artifact": number()}

    @pipeline
    def outer() -> Any:
        got = inner.embed()
        assert isinstance(got["artifact"], Artifact)
        return got["plain"], got["artifact"]

    assert outer().load() == (1, 42)


# --- identity --------------------------------------------------------------------------------------------------

CHILDREN = """
from anabranch import pipeline, step

@step
def work(name: str) -> str:
    print(name)
    return name

@pipeline
def child(name: str):
    return work(name)

@step
def last(names: list[str]) -> str:
    {last}

@pipeline
def parent():
    futures = [child.submit(name) for name in {names}]
    return last(futures)
"""


@pytest.mark.parametrize(
    "names",
    [["c", "b", "a"], ["new", "a", "b", "c"], ["a", "c"]],
    ids=["reordered", "inserted", "removed"],
)
def test_a_child_is_known_again_in_another_order(project: Any, names: list[str]) -> None:
    """L2. The page warns that every child behind a changed one is run again; here none is."""
    from anabranch.authoring.runs import resume as resume_run

    broken = CHILDREN.format(names=["a", "b", "c"], last="raise RuntimeError('not yet')")
    first = project.load(broken).parent.start()
    assert sorted(first.logs().split()) == ["a", "b", "c"]

    project.load(CHILDREN.format(names=names, last="return '-'.join(names)"))
    second = resume_run(first.id, observers=())

    assert second.load() == "-".join(names)
    again = second.logs().split()[3:]
    assert again == [name for name in names if name == "new"]


# --- mapping ---------------------------------------------------------------------------------------------------


def test_map_takes_raw_data_of_any_iterable_kind() -> None:
    @pipeline
    def flow() -> Any:
        return [
            twice.map([1, 2]),
            twice.map((3,)),
            twice.map(range(4, 6)),
            twice.map(n for n in (6, 7)),
            twice.map({8: "x", 9: "y"}.keys()),
        ]

    assert flow().load() == [[2, 4], [6], [8, 10], [12, 14], [16, 18]]


def test_map_takes_the_artifact_of_another_run() -> None:
    @pipeline
    def first() -> Any:
        return numbers()

    @pipeline
    def second(values: Any) -> Any:
        return total(twice.map(values))

    assert second(first().artifact("numbers")).load() == 12


def test_map_takes_a_list_of_artifacts_and_of_futures() -> None:
    @pipeline
    def flow() -> Any:
        return twice.map([number(), twice.submit(1), 3])

    assert flow().load() == [84, 4, 6]


def test_map_takes_the_result_of_a_map() -> None:
    @pipeline
    def flow() -> Any:
        return total(twice.map(twice.map(numbers())))

    assert flow().load() == 24


def test_map_over_a_map_of_several_outputs_gives_each_call_the_tuple() -> None:
    """The page allows only one output there."""

    @step
    def both(value: int) -> tuple[int, int]:
        return value, -value

    @step
    def joined(pair: tuple[int, int]) -> str:
        return f"{pair[0]}{pair[1]}"

    @pipeline
    def flow() -> Any:
        return joined.map(both.map([1, 2]))

    assert flow().load() == ["1-1", "2-2"]


def test_one_output_of_a_map_of_several_can_be_mapped_over() -> None:
    @step
    def both(value: int) -> tuple[int, int]:
        return value, -value

    @pipeline
    def flow() -> Any:
        _, negative = both.map([1, 2]).unpack()
        return twice.map(negative)

    assert flow().load() == [-2, -4]


def test_map_of_an_empty_collection_is_an_empty_result() -> None:
    @step
    def none() -> list[int]:
        return []

    @pipeline
    def flow() -> Any:
        return total(twice.map(none())), total(twice.map([])), len(twice.map([]))

    assert flow().load() == (0, 0, 0)


def test_chunk_size_can_be_chosen_and_changes_nothing_but_the_jobs() -> None:
    @pipeline
    def flow(size: int) -> Any:
        return twice.map(list(range(10)), chunk_size=size)

    runs = [flow(size) for size in (1, 4, 100)]
    assert [run.load() for run in runs] == [[2 * i for i in range(10)]] * 3
    one, *others = [set(run.state.invocations) for run in runs]
    assert all(other == one for other in others)


def test_collections_of_different_lengths_are_refused_when_they_are_known() -> None:
    @step
    def add(a: int, b: int) -> int:
        return a + b

    @pipeline
    def flow() -> Any:
        return add.map(numbers(), [1, 2])

    with refused(LengthMismatch):
        flow()
    assert statuses(flow.start()) == {"numbers": "completed"}


def test_unmapped_takes_futures_and_structures_too() -> None:
    @step
    def scaled(value: int, by: dict[str, int]) -> int:
        return value * by["factor"]

    @pipeline
    def flow() -> Any:
        return scaled.map([1, 2], by=unmapped({"factor": number.submit()}))

    assert flow().load() == [42, 84]


# --- failures --------------------------------------------------------------------------------------------------


def test_continue_on_failure_runs_all_that_does_not_depend_on_the_failure() -> None:
    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> None:
        broken = fails.submit()
        lost = twice.submit(broken)
        twice.submit(lost)
        show.submit(number.submit())

    run = flow()
    assert run.status == run.state.status == "completed_with_failures"
    assert statuses(run) == {
        "fails": "failed",
        "twice": "skipped",
        "twice_2": "skipped",
        "number": "completed",
        "show": "completed",
    }
    assert run.logs("show") == "42\n"


def test_what_is_skipped_names_the_failure_that_is_to_blame() -> None:
    causes = []

    @pipeline
    def flow() -> None:
        first = fails.submit()
        last = twice.submit(twice.submit(first))
        try:
            last.load()
        except UpstreamFailed as error:
            causes.append(error.__cause__)

    run = flow()
    assert run.status == "completed"
    assert [type(cause) for cause in causes] == [Broken]
    failed = next(known for known in run.state.invocations.values() if known.step == "fails")
    skipped = [known for known in run.state.invocations.values() if known.status == "skipped"]
    assert [known.cause for known in skipped] == [failed.invocation] * 2


def test_stop_on_failure_lets_what_runs_end_and_starts_nothing_new() -> None:
    started, broken = threading.Event(), threading.Event()

    @step
    def slow() -> int:
        started.set()
        assert broken.wait(20)
        return 1

    @step
    def breaks() -> None:
        assert started.wait(20)
        raise Broken

    @pipeline(max_concurrency=2)
    def flow() -> None:
        running = slow.submit()
        failure = breaks.submit()
        later = twice.submit(running, after=failure)
        failure.wait()
        broken.set()
        later.wait()

    run = flow.start()
    assert type(run.error) is Broken
    assert statuses(run) == {"slow": "completed", "breaks": "failed", "twice": "skipped"}


def test_fail_fast_stops_inline_steps_too_async_ones_at_once_and_sync_ones_at_a_checkpoint() -> (
    None
):
    """The page's inline steps go on to their end."""
    import asyncio

    running = threading.Barrier(3, timeout=20)
    ended = []

    @step
    async def waits() -> None:
        await asyncio.to_thread(running.wait)
        await asyncio.sleep(60)
        ended.append("waits")

    @step
    def works() -> None:
        running.wait()
        while not context().cancelled:
            threading.Event().wait(0.01)
        checkpoint()
        ended.append("works")

    @step
    def breaks() -> None:
        running.wait()
        raise Broken

    @pipeline(execution_mode="FAIL_FAST")
    def flow() -> None:
        for each in (waits, works, breaks):
            each.submit()

    run = flow.start()
    assert type(run.error) is Broken
    assert ended == []
    assert statuses(run) == {"waits": "cancelled", "works": "cancelled", "breaks": "failed"}


def test_a_handled_failure_does_not_fail_the_run() -> None:
    @pipeline
    def flow() -> Any:
        try:
            fails()
        except Broken as error:
            return str(error)

    run = flow()
    assert (run.status, run.load()) == ("completed", "on purpose")


def test_a_collected_map_goes_on_and_keeps_the_failures_in_their_places() -> None:
    @step
    def odd(value: int) -> int:
        if value % 2 == 0:
            raise Broken(value)
        return value

    @pipeline
    def flow() -> Any:
        made = odd.map([1, 2, 3], on_error="collect")
        kinds = [type(item) for item in made.result()]
        assert kinds == [Artifact, Broken, Artifact]
        return total(made), list(made.failures)

    run = flow()
    assert (run.status, run.load()) == ("completed", (4, [1]))


def test_a_future_can_be_cancelled() -> None:
    @pipeline(max_concurrency=1)
    def flow() -> str:
        hold, free = threading.Event(), threading.Event()
        HELD["events"] = (hold, free)
        running = held.submit()
        waiting = number.submit()
        assert hold.wait(20)
        assert waiting.cancel()
        free.set()
        running.result()
        try:
            waiting.result()
        except Cancelled:
            return "cancelled"
        return "ran"

    run = flow()
    assert run.load() == "cancelled"
    assert statuses(run) == {"held": "completed", "number": "cancelled"}


HELD: dict[str, tuple[threading.Event, threading.Event]] = {}


@step
def held() -> None:
    hold, free = HELD["events"]
    hold.set()
    assert free.wait(20)


# --- small things that the page says ---------------------------------------------------------------------------


def test_a_step_is_the_plain_function_in_a_step_and_outside_a_run() -> None:
    @step
    def outer() -> int:
        return twice(number())

    @pipeline
    def flow() -> Any:
        return outer()

    assert number() == 42
    run = flow()
    assert run.load() == 84
    assert statuses(run) == {"outer": "completed"}


def test_a_step_takes_lists_of_artifacts_as_they_are() -> None:
    @pipeline
    def flow() -> Any:
        return total([number(), twice(1)])

    assert flow().load() == 44


def test_submit_does_not_wait_for_what_it_depends_on() -> None:
    free = threading.Event()

    @step
    def slow() -> int:
        assert free.wait(20)
        return 5

    @pipeline
    def flow() -> Any:
        chain = slow.submit()
        for _ in range(3):
            chain = twice.submit(chain)
        assert not chain.done()
        free.set()
        return chain

    assert flow().load() == 40


def test_after_orders_steps_that_pass_no_data() -> None:
    order: list[str] = []

    @step
    def note(name: str) -> None:
        order.append(name)

    @pipeline
    def flow() -> None:
        one = note.submit("one")
        two = note.submit("two", after=one)
        note.submit("three", start_after=[one, two])

    flow()
    assert order == ["one", "two", "three"]


def test_as_completed_hands_over_every_future_once() -> None:
    @pipeline
    def flow() -> Any:
        futures = twice.map(list(range(20)))
        return sorted(future.load() for future in as_completed(futures))

    assert flow().load() == [2 * i for i in range(20)]


def test_dates_fill_output_names_with_the_start_of_the_run() -> None:
    @step
    def dated() -> Annotated[int, ArtifactConfig(name="scores_{date}")]:
        return 1

    @pipeline
    def flow() -> None:
        dated()

    before = datetime.now(UTC)
    name = flow().artifact("dated").name
    assert name in {f"scores_{t:%Y_%m_%d}" for t in (before, datetime.now(UTC))}
