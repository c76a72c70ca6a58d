"""What peers do when something fails, and what must not happen here (PEERS §3: 2, 8, 9, 11)."""

# mypy: disable-error-code="unused-awaitable"

import os
import threading
import traceback
from typing import Any

import pytest

from anabranch import Retry, Run, as_completed, gather, pipeline, step, wait_all
from anabranch.authoring.runs import resume as resume_run
from anabranch.errors import CapabilityMissing, OutputMismatch, UpstreamFailed
from anabranch.journal.events import Event, OutcomeRecorded, RunEnded

pytestmark = pytest.mark.usefixtures("project")


class Broken(Exception):
    """The failure of a user's step, with something in it that must survive."""

    def __init__(self, code: int) -> None:
        super().__init__(f"broken with {code}")
        self.code = code


@step
def one() -> int:
    return 1


@step
def twice(value: int) -> int:
    return 2 * value


@step
def breaks(code: int) -> int:
    raise Broken(code)


@step
async def breaks_async(code: int) -> int:
    raise Broken(code)


@step
def even(value: int) -> int:
    if value % 2:
        raise Broken(value)
    return value


def statuses(run: Run) -> dict[str, str]:
    return {known.display: known.status for known in run.state.invocations.values()}


# --- a failure that the body has handled (8) -------------------------------------------------------------------


@pytest.mark.parametrize("failing", [breaks, breaks_async], ids=["sync", "async"])
@pytest.mark.parametrize(
    "way", ["call", "result", "load", "exception", "wait and result", "gather", "downstream"]
)
def test_a_failure_that_the_body_catches_does_not_fail_the_run(failing: Any, way: str) -> None:
    def provoke() -> object:
        if way == "call":
            return failing(7)
        future = failing.submit(7)
        if way == "exception":
            raise future.exception()
        if way == "gather":
            return gather(one.submit(), future)
        if way == "downstream":
            return twice.submit(future).result()
        if way == "wait and result":
            wait_all([future])
        return future.load() if way == "load" else future.result()

    @pipeline
    def flow() -> str:
        try:
            provoke()
        except Broken as error:
            return f"caught {error.code}"
        except UpstreamFailed as error:
            cause = error.__cause__
            assert isinstance(cause, Broken)
            return f"caught {cause.code}"
        return "not caught"

    run = flow()
    assert (run.status, run.load()) == ("completed", "caught 7")


@pytest.mark.parametrize("way", ["result", "load", "items", "failures", "as_completed", "unpack"])
def test_a_failed_item_that_the_body_catches_does_not_fail_the_run(way: str) -> None:
    @pipeline
    def flow() -> Any:
        made = even.map([0, 1, 2, 3])
        if way == "failures":
            return sorted(made.failures)
        if way == "items":
            return [i for i, item in enumerate(made) if item.exception() is not None]
        if way == "unpack":
            (items,) = made.unpack()
            return [i for i, item in enumerate(items) if item.exception() is not None]
        if way == "as_completed":
            return sorted(
                e.code for f in as_completed(made) if isinstance(e := f.exception(), Broken)
            )
        try:
            made.result() if way == "result" else made.load()
        except Broken as error:
            return error.code
        return None

    run = flow()
    assert run.status == "completed"
    assert run.load() == (1 if way in ("result", "load") else [1, 3])


def test_a_failure_that_nobody_looked_at_fails_the_run() -> None:
    @pipeline
    def flow() -> None:
        breaks.submit(7)

    run = flow.start()
    assert run.status == "failed"
    assert isinstance(run.error, Broken)


def test_a_failure_of_one_future_is_not_excused_by_looking_at_another() -> None:
    @pipeline
    def flow() -> None:
        first, _ = breaks.submit(1), breaks.submit(2)
        assert first.exception() is not None

    run = flow.start()
    assert isinstance(run.error, Broken)
    assert run.error.code == 2


# --- the exception itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit", "map", "async", "child"])
def test_a_failure_has_its_own_class_and_fields_in_the_body(way: str) -> None:
    """L10."""

    @pipeline
    def child() -> None:
        breaks(7)

    calls: dict[str, Any] = {
        "call": lambda: breaks(7),
        "submit": lambda: breaks.submit(7).result(),
        "map": lambda: breaks.map([7]).result(),
        "async": lambda: breaks_async(7),
        "child": child,
    }

    @pipeline
    def flow() -> int:
        try:
            calls[way]()
        except Broken as error:
            return error.code
        return 0

    assert flow().load() == 7


def test_a_failure_keeps_its_class_and_its_traceback_after_a_resume(project: Any) -> None:
    """L10. A handled failure is history: it is raised from the record, not made again."""
    text = """
from anabranch import pipeline, step

class Broken(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code

@step
def breaks():
    print("ran")
    raise Broken(7)

@step
def last():
    {last}

@pipeline
def flow():
    try:
        breaks()
    except Broken as error:
        import traceback
        shown = "".join(traceback.format_exception(error))
        assert "raise Broken(7)" in shown, shown
        last()
        return error.code
"""
    first = project.load(text.format(last="raise OSError")).flow.start()
    assert isinstance(first.error, OSError)
    project.load(text.format(last="pass"))
    second = resume_run(first.id, observers=())
    assert (second.load(), second.logs()) == (7, "ran\n")


def test_an_exception_that_cannot_travel_keeps_its_class_and_its_text(project: Any) -> None:
    text = """
from anabranch import pipeline, step
import threading

@step
def breaks():
    class Local(Exception):
        lock = None
    error = Local("hand me over")
    error.lock = threading.Lock()
    raise error

@step
def last():
    {last}

@pipeline
def flow():
    try:
        breaks()
    except Exception as error:
        last()
        return type(error).__name__, "hand me over" in str(error)
"""
    first = project.load(text.format(last="raise OSError")).flow.start()
    project.load(text.format(last="pass"))
    second = resume_run(first.id, observers=())
    name, has_text = second.load()
    assert (name, has_text) == ("Local", True)


def test_the_traceback_of_a_failed_run_shows_the_users_frames_and_none_of_ours(
    project: Any,
) -> None:
    script = project.write(
        "from anabranch import pipeline, step\n"
        "@step\ndef breaks(x: int) -> int:\n    return helper(x)\n"
        "def helper(x):\n    return 1 / x\n"
        "@pipeline\ndef flow():\n    breaks(0)\n"
        "if __name__ == '__main__':\n    flow()\n"
    )
    done = project.python(script)

    assert done.returncode == 1
    shown = done.stderr[done.stderr.index("Traceback") :]
    assert "return 1 / x" in shown
    assert "breaks(0)" in shown
    assert shown.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "anabranch/engine" not in shown


def test_the_recorded_failure_has_the_traceback_as_text() -> None:
    @pipeline
    def flow() -> None:
        breaks(7)

    run = flow.start()
    failed = next(iter(run.state.invocations.values()))
    assert failed.failure is not None
    assert failed.failure.type.endswith(":Broken")
    assert failed.failure.message == "broken with 7"
    assert "raise Broken(code)" in failed.failure.traceback
    assert "anabranch/engine" not in failed.failure.traceback
    assert run.error is not None
    assert "raise Broken(code)" in "".join(traceback.format_exception(run.error))


# --- trying again (2) ------------------------------------------------------------------------------------------

RESUMED = """
from pathlib import Path
from anabranch import pipeline, step

@step
def first() -> int:
    print("first")
    return 1

@step
def second(value: int) -> int:
    print("second")
    if not Path("mended").exists():
        raise OSError("not yet")
    return value + 1

@step
def third(value: int) -> int:
    print("third")
    return value + 1

@pipeline
def flow():
    return third({second}(first()))
"""


@pytest.mark.parametrize("second", ["second", "second.submit"])
def test_a_resume_runs_the_failed_step_again_and_what_comes_after(
    project: Any, second: str
) -> None:
    run = project.load(RESUMED.format(second=second)).flow.start()
    assert run.status == "failed"
    assert "not yet" in str(run.error)

    (project.folder / "mended").touch()
    again = resume_run(run.id, observers=())

    assert (again.status, again.load()) == ("completed", 3)
    assert again.logs() == "first\nsecond\nsecond\nthird\n"
    assert again.id == run.id


def test_a_resume_that_fails_again_raises_the_new_failure(project: Any) -> None:
    run = project.load(RESUMED.format(second="second")).flow.start()
    again = resume_run(run.id, observers=())

    assert again.status == "failed"
    assert again.logs() == "first\nsecond\nsecond\n"


def test_retries_stop_at_the_first_success_and_count_from_one() -> None:
    tries: list[int] = []

    @step(retry=Retry(max_attempts=5, on=(Broken,)))
    def flaky() -> int:
        tries.append(len(tries) + 1)
        if len(tries) < 3:
            raise Broken(len(tries))
        return len(tries)

    @pipeline
    def flow() -> Any:
        return flaky(), flaky.submit()

    run = flow()
    assert run.load() == (3, 4)
    assert [known.attempts for known in run.state.invocations.values()] == [3, 1]


def test_an_exception_that_is_not_named_is_not_tried_again() -> None:
    tries: list[int] = []

    @step(retry=Retry(max_attempts=5, on=(OSError,), never_on=(FileNotFoundError,)))
    def flaky(kind: Any) -> None:
        tries.append(1)
        raise kind

    @pipeline
    def flow(kind: Any) -> None:
        flaky(kind)

    counts = []
    for kind in (OSError, FileNotFoundError, ValueError):
        tries.clear()
        assert isinstance(flow.start({"kind": kind}).error, kind)
        counts.append(len(tries))
    assert counts == [5, 1, 1]


def test_an_attempt_that_failed_is_not_a_failure_of_the_run() -> None:
    tries: list[int] = []

    @step(retry=2)
    def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise Broken(1)
        return 5

    @pipeline
    def flow() -> Any:
        return flaky.map([{}] * 0) if False else flaky.submit()

    run = flow()
    assert (run.status, run.load(), run.state.failure) == ("completed", 5, None)


# --- environment (9) -------------------------------------------------------------------------------------------


def test_an_environment_for_a_step_in_this_process_is_refused_and_not_leaked() -> None:
    """Two inline steps share one process, so neither can have an environment of its own."""

    @step(environment={"ANABRANCH_TEST_LEAK": "1"})
    def surroundings() -> str | None:
        return os.environ.get("ANABRANCH_TEST_LEAK")

    @pipeline
    def flow() -> Any:
        one()
        return surroundings()

    with pytest.raises(CapabilityMissing) as refused:
        flow()
    assert len(str(refused.value).splitlines()) == 3
    assert "ANABRANCH_TEST_LEAK" not in os.environ


# --- hooks (11) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit", "async"])
def test_on_success_of_a_step_comes_after_its_outcome_is_recorded(way: str) -> None:
    events: list[Event] = []
    told: list[int] = []

    def hook() -> None:
        told.append(sum(isinstance(event, OutcomeRecorded) for event in events))

    @step(on_success=hook)
    def sync() -> int:
        return 1

    @step(on_success=hook)
    async def coroutine() -> int:
        return 1

    @pipeline
    def flow() -> None:
        if way == "call":
            sync()
        elif way == "submit":
            sync.submit().result()
        else:
            coroutine()

    flow.start(observers=[lambda _, event: events.append(event)])
    assert told == [1]


def test_on_success_of_a_pipeline_comes_after_all_of_its_steps_and_only_then() -> None:
    events: list[Event] = []
    told: list[int] = []

    def hook() -> None:
        told.append(sum(isinstance(event, OutcomeRecorded) for event in events))

    @pipeline(on_success=hook)
    def flow() -> Any:
        return twice.map([1, 2, 3])

    run = flow.start(observers=[lambda _, event: events.append(event)])
    assert (told, run.load()) == ([3], [2, 4, 6])
    assert isinstance(events[-1], RunEnded)


def test_a_body_whose_result_cannot_be_kept_is_a_failure_to_its_hooks() -> None:
    told: list[str] = []

    @pipeline(
        on_success=lambda: told.append("success"),
        on_failure=lambda error: told.append(type(error).__name__),
    )
    def flow() -> Any:
        return threading.Lock()

    run = flow.start()
    assert run.status == "failed"
    assert told == ["NotSerializable"]


def test_hooks_come_in_order_and_a_failing_one_is_recorded_and_changes_nothing() -> None:
    told: list[str] = []

    def hook(name: str) -> Any:
        def told_by() -> None:
            told.append(name)
            if name.startswith("step"):
                raise Broken(1)

        return told_by

    @step(on_start=hook("step start"), on_success=hook("step success"), on_end=hook("step end"))
    def watched() -> None:
        told.append("step")

    names = ("on_init", "on_start", "on_success", "on_failure", "on_end", "on_cleanup")

    @pipeline(**{name: hook(name) for name in names})
    def flow() -> None:
        watched()

    assert flow().status == "completed"
    assert told == [
        *("on_init", "on_start"),
        *("step start", "step", "step success", "step end"),
        *("on_success", "on_end", "on_cleanup"),
    ]


def test_an_on_init_that_fails_fails_the_run_before_its_body() -> None:
    def refuses() -> None:
        raise Broken(3)

    @pipeline(on_init=refuses)
    def flow() -> None:
        one()

    run = flow.start()
    assert isinstance(run.error, Broken)
    assert statuses(run) == {}


# --- outputs ---------------------------------------------------------------------------------------------------


def test_a_step_that_returns_too_much_fails_by_itself_and_can_be_handled() -> None:
    @step
    def three() -> tuple[int, int]:
        return 1, 2, 3  # type: ignore[return-value]

    @pipeline
    def flow() -> Any:
        try:
            three()
        except OutputMismatch as error:
            return str(error).splitlines()

    lines = flow().load()
    assert len(lines) == 3
    assert "2 outputs" in lines[0]
    assert "three" in lines[1]
