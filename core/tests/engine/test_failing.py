"""What becomes of a failure: where it is handled, where it is not, and what a resume makes of it."""

import sys
import traceback
from typing import Any

import pytest

import anabranch
from anabranch import pipeline, step, unmapped
from anabranch.engine.failures import rebuilt, recorded
from anabranch.errors import RunFailed, RunNotResumable, StepFailed, UpstreamFailed


class Refusal(Exception):
    """An exception of the user's, with more than a message."""

    def __init__(self, who: str, code: int) -> None:
        super().__init__(f"{who} refuses with {code}")
        self.who, self.code = who, code

    def __reduce__(self) -> tuple[Any, ...]:
        return Refusal, (self.who, self.code)


class Unpicklable(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.handle = open(__file__)  # noqa: SIM115  (what cannot travel)
        self.handle.close()
        self.size = 7


class Stubborn(Exception):
    """It pickles, and does not come back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("stubborn")
        self.total = one + two


@step
def refuse(who: str, code: int = 7) -> int:
    raise Refusal(who, code)


@step
def good(x: int) -> int:
    return x


# --- handled -----------------------------------------------------------------------------------------------------


def handled_by_except() -> str:
    try:
        refuse("call")
    except Refusal as error:
        return str(error)
    return "nothing"


def handled_at_the_future() -> str:
    future = refuse.submit("future")
    try:
        future.result()
    except Refusal as error:
        return str(error)
    return "nothing"


def handled_at_load() -> str:
    future = refuse.submit("load")
    try:
        future.load()
    except Refusal as error:
        return str(error)
    return "nothing"


def handled_by_looking() -> str:
    return str(refuse.submit("look").exception())


def handled_in_a_map() -> str:
    found = refuse.map(["first", "second", "third"])
    try:
        found.result()
    except Refusal as error:
        return str(error)
    return "nothing"


def handled_item_by_item() -> str:
    return ", ".join(str(future.exception()) for future in refuse.map(["a", "b"]))


def handled_by_collecting() -> str:
    return ", ".join(map(str, refuse.map(["a", "b"], on_error="collect").result()))


def handled_as_completed() -> str:
    told = [str(f.exception()) for f in anabranch.as_completed(refuse.map(["a", "b"]))]
    return ", ".join(sorted(told))


HANDLED = {
    handled_by_except: "call refuses with 7",
    handled_at_the_future: "future refuses with 7",
    handled_at_load: "load refuses with 7",
    handled_by_looking: "look refuses with 7",
    handled_in_a_map: "first refuses with 7",
    handled_item_by_item: "a refuses with 7, b refuses with 7",
    handled_by_collecting: "a refuses with 7, b refuses with 7",
    handled_as_completed: "a refuses with 7, b refuses with 7",
}


@pytest.mark.parametrize("way", HANDLED, ids=lambda way: way.__name__)
def test_a_failure_that_the_body_has_handled_does_not_fail_the_run(way, lab) -> None:
    @pipeline
    def flow() -> list[Any]:
        return [way(), good(1)]

    run = lab.start(flow)

    assert run.status == "completed"
    assert run.load() == [HANDLED[way], 1]
    assert run.error is None
    assert lab.state(run).failed == ()


@pytest.mark.parametrize("way", HANDLED, ids=lambda way: way.__name__)
def test_a_handled_failure_stays_as_it_was_when_something_later_is_resumed(way, lab, notes) -> None:
    @step
    def moody(broken: bool) -> str:
        if broken and len(notes) == 0:
            raise RuntimeError("not today")
        return "fine"

    @pipeline
    def flow() -> list[Any]:
        return [way(), moody(True)]

    run = lab.start(flow)
    assert run.status == "failed"
    assert [lab.state(run).invocations[id].display for id in lab.state(run).failed] == ["moody"]
    notes.add("from now on it works")

    again = lab.resume(run, flow)

    assert again.load() == [HANDLED[way], "fine"]
    assert lab.executed(again) == ["moody"]
    assert list(lab.reasons(again)) == ["moody"]


# --- not handled -------------------------------------------------------------------------------------------------


def unhandled_call() -> object:
    return refuse("call")


def unhandled_future() -> object:
    return refuse.submit("call")


def unseen_future() -> object:
    refuse.submit("call")
    return None


def unseen_map() -> object:
    refuse.map(["call"])
    return None


def unhandled_map() -> object:
    return refuse.map(["call", "other"]).result()


def waited_for_without_looking() -> object:
    refuse.submit("call").wait()
    return None


@pytest.mark.parametrize(
    "way",
    [
        unhandled_call,
        unhandled_future,
        unseen_future,
        unseen_map,
        unhandled_map,
        waited_for_without_looking,
    ],
    ids=lambda way: way.__name__,
)
def test_a_failure_that_nobody_handled_fails_the_run_with_the_users_own_exception(way, lab) -> None:
    @pipeline
    def flow() -> object:
        return way()

    run = lab.start(flow)

    assert run.status == "failed"
    assert isinstance(run.error, Refusal)
    assert (run.error.who, run.error.code) == ("call", 7)
    with pytest.raises(Refusal):
        run.load()


def test_a_run_is_resumed_and_only_what_failed_unhandled_runs_again(lab, notes) -> None:
    @step
    def sometimes(x: int) -> int:
        ran.add(x)
        if x == 2 and len(notes) == 0:
            raise ValueError("two")
        return x * 10

    @step
    def after(x: int) -> int:
        ran.add(("after", x))
        return x + 1

    ran = type(notes)()

    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> list[Any]:
        return [after.submit(sometimes.submit(x)) for x in range(4)]

    run = lab.start(flow)
    assert run.status in ("failed", "completed_with_failures")
    assert lab.statuses(run) == {
        "sometimes": "completed",
        "sometimes_2": "completed",
        "sometimes_3": "failed",
        "sometimes_4": "completed",
        "after": "completed",
        "after_2": "completed",
        "after_3": "skipped",
        "after_4": "completed",
    }
    ran.take()
    notes.add("from now on it works")

    again = lab.resume(run, flow)

    assert again.load() == [1, 11, 21, 31]
    assert ran.take() == [2, ("after", 20)]
    assert sorted(lab.executed(again)) == ["after_3", "sometimes_3"]


def test_a_run_that_is_complete_is_not_resumed(lab) -> None:
    @pipeline
    def flow() -> object:
        return good(1)

    run = lab.start(flow)

    with pytest.raises(RunNotResumable, match="completed"):
        lab.resume(run, flow)


def test_a_failure_of_the_body_itself_fails_the_run_and_is_tried_again(lab, notes) -> None:
    @pipeline
    def flow() -> object:
        made = good(1)
        if len(notes) == 0:
            raise KeyError("of the body")
        return made

    run = lab.start(flow)
    assert run.status == "failed"
    assert isinstance(run.error, KeyError)
    notes.add(1)

    again = lab.resume(run, flow)

    assert again.load() == 1
    assert lab.executed(again) == []


def test_the_output_of_a_failed_run_that_another_process_looks_at_is_an_error(lab) -> None:
    @pipeline
    def flow() -> object:
        return refuse("x")

    run = lab.start(flow)
    run.error = None

    with pytest.raises(RunFailed):
        run.load()


# --- L10: errors keep their type ---------------------------------------------------------------------------------


def resumed_failure(lab, notes, fail) -> BaseException:
    """What a body is shown of a handled failure in the driver life after the one in which it happened."""
    seen: list[BaseException] = []

    @step
    def failing() -> int:
        return fail()

    @step
    def later() -> int:
        if len(notes) == 0:
            raise RuntimeError("first life")
        return 1

    @pipeline
    def flow() -> object:
        try:
            failing()
        except Exception as error:  # noqa: BLE001
            keep(error)
        return later()

    def keep(error: BaseException) -> None:
        seen.append(error)

    run = lab.start(flow)
    notes.add(1)
    again = lab.resume(run, flow)
    assert again.load() == 1
    assert lab.executed(again) == ["later"]
    first, second = seen
    assert str(first) in str(second)
    return second


def test_L10_an_exception_keeps_its_class_attributes_and_traceback_after_a_resume(
    lab, notes
) -> None:
    def fail() -> int:
        raise Refusal("me", 42)

    error = resumed_failure(lab, notes, fail)

    assert type(error) is Refusal
    assert (error.who, error.code) == ("me", 42)
    printed = "".join(traceback.format_exception(error))
    assert 'raise Refusal("me", 42)' in printed
    assert "in fail" in printed
    assert "in failing" in printed


def test_L10_the_cause_of_an_exception_is_in_its_traceback_after_a_resume(lab, notes) -> None:
    def fail() -> int:
        try:
            return {}["key"]  # type: ignore[no-any-return]
        except KeyError as error:
            raise Refusal("because", 1) from error

    error = resumed_failure(lab, notes, fail)

    printed = "".join(traceback.format_exception(error))
    assert "KeyError: 'key'" in printed
    assert "direct cause" in printed


def test_L10_an_exception_that_does_not_pickle_keeps_its_class_and_what_of_it_can_travel(
    lab, notes
) -> None:
    """The rest is told by its repr: it holds an open file, which no other process can have."""

    def fail() -> int:
        raise Unpicklable("has a file")

    error = resumed_failure(lab, notes, fail)

    assert type(error) is Unpicklable
    assert str(error) == "has a file"
    assert error.size == 7
    assert error.handle.startswith("<_io.TextIOWrapper")
    assert "raise Unpicklable" in "".join(traceback.format_exception(error))


def test_L10_an_exception_that_does_not_unpickle_keeps_its_class(lab, notes) -> None:
    """Its `__init__` takes something else than its arguments, and is not called again."""

    def fail() -> int:
        raise Stubborn(1, 2)

    error = resumed_failure(lab, notes, fail)

    assert type(error) is Stubborn
    assert error.args == ("stubborn",)
    assert error.total == 3


def test_L10_an_exception_whose_class_is_gone_is_told_by_its_name_and_traceback(
    lab, monkeypatch
) -> None:
    failure, data = recorded(Refusal("me", 42), lab.stack.codecs)
    monkeypatch.delattr(sys.modules[Refusal.__module__], "Refusal")

    error = rebuilt(failure, data, lab.stack.codecs)

    assert isinstance(error, StepFailed)
    assert error.type_name.endswith(":Refusal")
    assert "Refusal" in error.traceback_text
    assert "Refusal" in str(error)


def test_L10_an_exception_of_a_class_that_is_made_in_a_function_keeps_its_message(
    lab, notes
) -> None:
    def fail() -> int:
        class Local(ValueError):
            pass

        raise Local("made here")

    error = resumed_failure(lab, notes, fail)

    assert "made here" in str(error)


def test_L10_exceptions_of_python_itself_come_back_as_they_were(lab, notes) -> None:
    def fail() -> int:
        return int("seven")

    error = resumed_failure(lab, notes, fail)

    assert type(error) is ValueError
    assert error.args == ("invalid literal for int() with base 10: 'seven'",)


def test_L10_an_exception_group_comes_back_with_its_members(lab, notes) -> None:
    def fail() -> int:
        raise ExceptionGroup("two", [ValueError("a"), KeyError("b")])

    error = resumed_failure(lab, notes, fail)

    assert isinstance(error, ExceptionGroup)
    assert [type(each) for each in error.exceptions] == [ValueError, KeyError]


def test_an_exception_whose_text_cannot_be_made_is_still_recorded(lab) -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

    @step
    def failing() -> int:
        raise Silent

    @pipeline
    def flow() -> str:
        return type(failing.submit().exception()).__name__

    run = lab.start(flow)

    assert run.load() == "Silent"


@pytest.mark.parametrize("stop", [SystemExit(3), GeneratorExit()], ids=["exit", "generator exit"])
def test_a_step_that_leaves_by_something_that_is_no_exception_fails_and_the_run_does_not_hang(
    stop, lab
) -> None:
    @step
    def leaving() -> int:
        raise stop

    @pipeline
    def flow() -> object:
        return leaving.submit()

    run = lab.start(flow)

    assert run.status == "failed"
    assert lab.statuses(run) == {"leaving": "failed"}
    assert isinstance(run.error, StepFailed)
    assert type(stop).__name__ in str(run.error)


# --- downstream --------------------------------------------------------------------------------------------------


def test_what_depends_on_a_failure_is_skipped_and_names_the_one_that_is_to_blame(lab) -> None:
    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> object:
        broken = refuse.submit("root")
        near = good.submit(broken)
        far = good.submit(near)
        mapped = good.map([far, 5])
        good.map(mapped)
        after = good.submit(99, after=far)
        fine = good.submit(100)
        return fine, after.exception().__cause__.who

    run = lab.start(flow)
    state = lab.state(run)
    root = next(known for known in state.invocations.values() if known.display == "refuse")
    skipped = {k.display: k.cause for k in state.invocations.values() if k.status == "skipped"}

    assert run.status in ("failed", "completed_with_failures")
    assert set(skipped.values()) == {root.invocation}
    assert {
        known.display for known in state.invocations.values() if known.status == "completed"
    } == {
        "good_6",
        "good_3[1]",
        "good_4[1]",
    }


def test_a_skipped_call_raises_upstream_failed_with_the_failure_as_its_cause(lab) -> None:
    @pipeline
    def flow() -> list[str]:
        error = good.submit(good.submit(refuse.submit("deep"))).exception()
        assert isinstance(error, UpstreamFailed)
        return [str(error), type(error.__cause__).__name__]

    run = lab.start(flow)

    text, cause = run.load()
    assert cause == "Refusal"
    assert "deep refuses with 7" in text
    assert "refuse" in text


def test_handling_a_skipped_call_handles_the_failure_behind_it(lab) -> None:
    @pipeline
    def flow() -> object:
        try:
            good(good.submit(refuse.submit("deep")))
        except UpstreamFailed:
            return good(3)

    assert lab.start(flow).load() == 3


def test_a_reducer_of_a_collected_map_gets_what_succeeded(lab) -> None:
    @step
    def odd(x: int) -> int:
        if x % 2 == 0:
            raise ValueError(x)
        return x

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def flow() -> object:
        found = odd.map(range(6), on_error="collect")
        return total(found), sorted(found.failures)

    assert lab.start(flow).load() == (9, [0, 2, 4])


def test_a_reducer_of_a_map_with_a_failure_is_skipped(lab) -> None:
    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @pipeline(execution_mode="CONTINUE_ON_FAILURE")
    def flow() -> object:
        total.submit(refuse.map(["a", "b"], code=unmapped(1)))
        return None

    run = lab.start(flow)

    assert lab.statuses(run)["total"] == "skipped"


def test_an_output_that_breaks_its_promise_is_a_failure_of_its_step(lab) -> None:
    @step
    def two() -> tuple[int, int]:
        return 1, 2, 3  # type: ignore[return-value]

    @pipeline
    def flow() -> str:
        return type(two.submit().exception()).__name__

    assert lab.start(flow).load() == "OutputMismatch"


@pytest.fixture
def moody(notes) -> Any:
    """A step that fails until there is a note."""

    @step
    def moody(x: int) -> int:
        if len(notes) == 0:
            raise ValueError(x)
        return x

    return moody


@pytest.mark.parametrize("whole", [False, True], ids=["a call", "a map"])
def test_a_handled_failure_is_tried_again_if_nobody_looked_at_what_was_skipped_for_it(
    whole, moody, lab, notes
) -> None:
    """Otherwise the resumed run would skip the same call again, and could never complete."""

    @step
    def total(values: Any) -> int:
        return sum(values) if whole else values

    @pipeline
    def flow() -> Any:
        future = moody.map([1, 2]) if whole else moody.submit(3)
        error = future.exception()
        total.submit(future)
        return str(error)

    run = lab.start(flow)
    assert run.status == "failed"
    notes.add("from now on it works")

    assert lab.resume(run, flow).load() == "None"


def test_a_handled_failure_is_tried_again_if_the_call_that_was_skipped_for_it_was_forgotten(
    moody, lab, notes
) -> None:
    @pipeline
    def flow() -> str:
        found = moody.map([1, 2])
        errors = [future.exception() for future in found]
        good.map(found)
        return str(errors)

    run = lab.start(flow)
    assert run.status == "failed"
    notes.add("from now on it works")

    assert lab.resume(run, flow).load() == "[None, None]"


def test_all_failures_that_a_call_was_skipped_for_are_tried_again_at_once(
    moody, lab, notes
) -> None:
    @step
    def total(*values: int) -> int:
        return sum(values)

    @pipeline
    def flow() -> Any:
        futures = [moody.submit(x) for x in range(3)]
        futures[1].exception()
        futures[2].exception()
        return total(*futures)

    run = lab.start(flow)
    assert run.status == "failed"
    notes.add("from now on it works")

    assert lab.resume(run, flow).load() == 3


def test_handling_a_map_over_a_map_that_never_had_items_handles_the_failure_behind_both(
    lab,
) -> None:
    @step
    def numbers() -> list[int]:
        raise ValueError("no numbers")

    @pipeline
    def flow() -> str:
        return type(good.map(good.map(numbers.submit())).exception()).__name__

    run = lab.start(flow)

    assert run.load() == "UpstreamFailed"
    assert lab.state(run).failed == ()
