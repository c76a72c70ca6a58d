"""Hooks of steps and pipelines: when they are called, with what, and what their own failures mean."""

import asyncio
from typing import Any

import pytest

from anabranch import context, log_metadata, pipeline, step
from anabranch.journal.events import OutcomeRecorded


@pytest.fixture
def hooks(notes):
    """Options for every hook of a step, each noting its name and what it was given."""

    def make(*names: str) -> dict[str, Any]:
        return {name: lambda error, name=name: notes.add((name, error)) for name in names}

    return make


STEP_HOOKS = ("on_start", "on_success", "on_failure", "on_end")
RUN_HOOKS = ("on_init", "on_start", "on_success", "on_failure", "on_end", "on_cleanup")
WAYS = ["call", "submit", "map", "async"]


def flow_of(way: str, inside, **options: Any):
    @step(**options)
    def work(x: int) -> int:
        return inside()

    @step(**options)
    async def awork(x: int) -> int:
        await asyncio.sleep(0)
        return inside()

    @pipeline
    def flow() -> Any:
        if way == "call":
            return work(1)
        if way == "submit":
            return work.submit(1)
        if way == "map":
            return work.map([1])[0]
        return awork.submit(1)

    return flow


@pytest.mark.parametrize("way", WAYS)
def test_the_hooks_of_a_step_that_succeeds_come_in_order(way, hooks, lab, notes) -> None:
    def inside() -> int:
        notes.add("work")
        return 5

    run = lab.start(flow_of(way, inside, **hooks(*STEP_HOOKS)))

    assert run.load() == 5
    assert notes.take() == [("on_start", None), "work", ("on_success", None), ("on_end", None)]


@pytest.mark.parametrize("way", WAYS)
def test_the_hooks_of_a_step_that_fails_are_given_its_exception(way, hooks, lab, notes) -> None:
    def inside() -> int:
        raise ValueError("no")

    run = lab.start(flow_of(way, inside, **hooks(*STEP_HOOKS)))

    start, failure, end = notes.take()
    assert (start[0], failure[0], end[0]) == ("on_start", "on_failure", "on_end")
    assert failure[1] is end[1]
    assert str(failure[1]) == "no"
    assert str(run.error) == "no"


@pytest.mark.parametrize("way", WAYS)
def test_hooks_that_tell_of_an_end_are_called_once_however_many_attempts_there_are(
    way, hooks, lab, notes
) -> None:
    tries = type(notes)()

    def inside() -> int:
        tries.add(1)
        if len(tries) < 3:
            raise OSError
        return 1

    lab.start(flow_of(way, inside, retry=3, **hooks("on_success", "on_failure", "on_end")))

    assert notes.take() == [("on_success", None), ("on_end", None)]


@pytest.mark.parametrize("way", WAYS)
def test_on_success_comes_after_the_outputs_are_recorded(way, lab, notes) -> None:
    def look() -> None:
        run = lab.stack.journal.find("latest")
        outcomes = [e for e in lab.events(run) if isinstance(e, OutcomeRecorded)]
        notes.add([len(outcome.outputs) for outcome in outcomes])

    run = lab.start(flow_of(way, lambda: 5, on_success=look))

    assert run.load() == 5
    assert notes.take() == [[1]]


def test_what_waits_for_a_step_starts_after_its_hooks(lab, notes) -> None:
    @step(on_success=lambda: notes.add("hook"))
    def first() -> int:
        return 1

    @step
    def second(x: int) -> int:
        notes.add("second")
        return x

    @pipeline
    def flow() -> Any:
        return second.submit(first.submit())

    lab.start(flow)

    assert notes.take() == ["hook", "second"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", ["on_start", "on_success", "on_end"])
def test_a_hook_that_fails_is_recorded_and_changes_nothing(way, hook, lab) -> None:
    def broken() -> None:
        raise KeyError("in the hook")

    run = lab.start(flow_of(way, lambda: 5, **{hook: broken}))

    assert run.load() == 5
    (failed,) = lab.hooks_failed(run)
    assert (failed.hook, failed.failure.type) == (hook, "builtins:KeyError")
    assert "in the hook" in failed.failure.traceback
    assert failed.invocation in lab.state(run).invocations


def test_a_hook_on_failure_that_fails_leaves_the_failure_as_it_was(lab) -> None:
    def broken(error: BaseException) -> None:
        raise KeyError("in the hook") from error

    def inside() -> int:
        raise ValueError("no")

    run = lab.start(flow_of("call", inside, on_failure=broken))

    assert isinstance(run.error, ValueError)
    assert [failed.hook for failed in lab.hooks_failed(run)] == ["on_failure"]


def test_a_hook_may_take_the_exception_or_nothing_or_have_defaults(lab, notes) -> None:
    @step(
        on_start=lambda: notes.add("nothing"),
        on_success=lambda error: notes.add(error),  # noqa: PLW0108
        on_end=lambda error=3: notes.add(error),
    )
    def work() -> int:
        return 1

    @pipeline
    def flow() -> Any:
        return work()

    lab.start(flow)

    assert notes.take() == ["nothing", None, 3]


def test_a_hook_knows_its_step_and_may_add_metadata(lab, notes) -> None:
    def tell() -> None:
        log_metadata(seen=True)
        notes.add((context().step, context().attempt))

    run = lab.start(flow_of("submit", lambda: 1, on_success=tell))

    assert notes.take() == [("work", 1)]
    assert list(lab.state(run).metadata.values()) == [{"seen": True}]


def test_what_is_reused_calls_no_hooks_again(hooks, lab, notes) -> None:
    switch = type(notes)()

    @step(**hooks(*STEP_HOOKS))
    def work() -> int:
        return 1

    @step
    def later() -> int:
        if len(switch) == 0:
            raise OSError
        return 2

    @pipeline
    def flow() -> Any:
        return work(), later()

    run = lab.start(flow)
    notes.take()
    switch.add(1)

    assert lab.resume(run, flow).load() == (1, 2)
    assert notes.take() == []


# --- of a pipeline -----------------------------------------------------------------------------------------------


def test_the_hooks_of_a_run_that_succeeds_come_in_order(hooks, lab, notes) -> None:
    @step
    def work() -> int:
        notes.add("work")
        return 1

    @pipeline(**hooks(*RUN_HOOKS))
    def flow() -> Any:
        notes.add("body")
        return work.submit()

    assert lab.start(flow).load() == 1
    assert [note if isinstance(note, str) else note[0] for note in notes.take()] == [
        "on_init",
        "on_start",
        "body",
        "work",
        "on_success",
        "on_end",
        "on_cleanup",
    ]


def test_the_hooks_of_a_run_that_fails_are_given_its_exception(hooks, lab, notes) -> None:
    @step
    def work() -> int:
        raise ValueError("no")

    @pipeline(**hooks(*RUN_HOOKS))
    def flow() -> Any:
        work.submit()

    lab.start(flow)

    told = notes.take()
    assert [name for name, _ in told] == [
        "on_init",
        "on_start",
        "on_failure",
        "on_end",
        "on_cleanup",
    ]
    assert [type(error).__name__ for _, error in told] == ["NoneType"] * 2 + ["ValueError"] * 3


def test_a_run_whose_on_init_fails_does_not_run_its_body(hooks, lab, notes) -> None:
    def broken() -> None:
        raise OSError("no licence")

    @pipeline(on_init=broken, **hooks("on_failure", "on_cleanup"))
    def flow() -> Any:
        notes.add("body")

    run = lab.start(flow)

    assert isinstance(run.error, OSError)
    assert [note[0] for note in notes.take()] == ["on_failure", "on_cleanup"]


@pytest.mark.parametrize("hook", ["on_start", "on_success", "on_end", "on_cleanup"])
def test_another_hook_of_a_run_that_fails_is_recorded_and_changes_nothing(hook, lab) -> None:
    def broken() -> None:
        raise OSError("in the hook")

    @step
    def work() -> int:
        return 1

    @pipeline(**{hook: broken})
    def flow() -> Any:
        return work()

    run = lab.start(flow)

    assert run.load() == 1
    (failed,) = lab.hooks_failed(run)
    assert (failed.hook, failed.invocation) == (hook, None)


def test_a_child_run_has_hooks_of_its_own(hooks, lab, notes) -> None:
    @step
    def work() -> int:
        return 1

    @pipeline(**hooks("on_start", "on_end"))
    def child() -> Any:
        notes.add("child")
        return work()

    @pipeline
    def flow() -> Any:
        made = child()
        notes.add("parent")
        return made

    lab.start(flow)

    assert notes.take() == [("on_start", None), "child", ("on_end", None), "parent"]
