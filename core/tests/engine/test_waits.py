"""Waits for an answer: what the body is given, when its driver leaves, and what a wrong answer does."""

import asyncio
import enum
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from anabranch import pipeline, step, wait_for
from anabranch.authoring.messages import open_wait
from anabranch.authoring.runs import Run
from anabranch.engine.launching import relaunch
from anabranch.errors import CallError, UserMistake
from anabranch.journal.events import AnswerRefused, Event, WaitAnswered, WaitOpened
from anabranch.journal.fold import read_state
from anabranch.journal.interface import Message
from anabranch.model.ids import RunId


class Size(BaseModel):
    width: int = Field(gt=0)
    unit: str = "cm"


class Colour(enum.Enum):
    RED = "red"


@step
def quick(x: int = 1) -> int:
    return x


@pytest.fixture
def answer(lab) -> Callable[..., int]:
    """Leaves an answer for an open wait of the newest run, as JSON."""

    def give(name: str, json: str) -> int:
        run = lab.stack.journal.find("latest")
        wait = open_wait(read_state(lab.stack.journal, run), name)
        message = Message(kind="answer", sender="ada", subject=wait.wait, data=json.encode())
        return lab.stack.journal.post(run, message)

    return give


def asking(name: str = "approve", schema: Any = bool, **options: Any) -> Any:
    @pipeline
    def flow() -> Any:
        before = quick(1)
        return [wait_for(name, schema, **options), before]

    return flow


def test_a_run_that_only_waits_is_paused_and_its_driver_leaves(lab) -> None:
    run = lab.start(asking(question="Go?"))

    assert run.status == "paused"
    assert lab.state(run).status == "paused"
    summary = lab.stack.journal.summary(run.id)
    assert (summary.status, summary.lease, summary.ended) == ("paused", None, None)
    (wait,) = lab.state(run).open_waits()
    assert (wait.display, wait.question, wait.schema) == ("approve", "Go?", {"type": "boolean"})


def test_L8_an_answer_is_the_same_in_every_later_life(lab, answer) -> None:
    @step
    def fails(times: list[int]) -> int:
        raise OSError

    @pipeline
    def flow() -> Any:
        value = wait_for("approve", int)
        fails([value])
        return value

    run = lab.start(flow)
    answer("approve", "7")
    failed = lab.resume(run, flow)
    assert isinstance(failed.error, OSError)

    again = lab.resume(run, flow)

    assert isinstance(again.error, OSError)
    assert len([e for e in lab.events(run) if isinstance(e, WaitAnswered)]) == 1
    assert len([e for e in lab.events(run) if isinstance(e, WaitOpened)]) == 2


@pytest.mark.parametrize(
    ("schema", "json", "value"),
    [
        (bool, "true", True),
        (int, "3", 3),
        (str, '"yes"', "yes"),
        (list[int], "[1, 2]", [1, 2]),
        (Size, '{"width": 4}', Size(width=4)),
        (Colour, '"red"', Colour.RED),
        (Any, '{"a": [null]}', {"a": [None]}),
        (int | None, "null", None),
    ],
    ids=str,
)
def test_an_answer_is_of_the_type_that_was_asked_for(schema, json, value, lab, answer) -> None:
    flow = asking(schema=schema)
    run = lab.start(flow)
    answer("approve", json)

    again = lab.resume(run, flow)

    assert again.load() == [value, 1]


@pytest.mark.parametrize(
    ("schema", "json", "why"),
    [
        (bool, "17", "valid boolean"),
        (int, '"many"', "valid integer"),
        (Size, '{"width": -1}', "width: Input should be greater than 0"),
        (Size, "{}", "width: Field required"),
        (int, "not JSON", "Invalid JSON"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_run_still_waits(
    schema, json, why, lab, answer
) -> None:
    flow = asking(schema=schema)
    run = lab.start(flow)
    number = answer("approve", json)

    again = lab.resume(run, flow)

    assert again.status == "paused"
    (refused,) = [e for e in lab.events(run) if isinstance(e, AnswerRefused)]
    assert refused.message == number
    assert why in refused.reason
    (wait,) = lab.state(run).open_waits()
    assert wait.refused == refused.reason


def test_a_driver_that_has_other_work_takes_the_answer_while_it_lives(lab, answer) -> None:
    @step
    def long() -> int:
        until(lambda: waits_open(lab))
        answer("approve", "5")
        until(lambda: answers_in(lab))
        return 2

    @pipeline
    def flow() -> Any:
        later = long.submit()
        return [wait_for("approve", int), later]

    run = lab.start(flow)

    assert run.load() == [5, 2]
    assert lab.state(run).life == 1


def test_a_driver_lingers_as_long_as_the_wait_says(lab, answer) -> None:
    """The answer comes a moment after everything else is done."""

    def give(number: int, event: Event) -> None:
        if isinstance(event, WaitOpened):
            threading.Timer(0.3, answer, ("approve", "5")).start()

    flow = asking(schema=int, timeout=30)

    run = lab.start(flow, observers=[give])

    assert run.load() == [5, 1]


def test_a_run_with_steps_that_still_run_is_not_paused(lab, notes) -> None:
    @step
    def slow() -> int:
        threading.Event().wait(0.5)
        notes.add("done")
        return 1

    @pipeline
    def flow() -> Any:
        slow.submit()
        return wait_for("approve")

    run = lab.start(flow)

    assert run.status == "paused"
    assert notes.take() == ["done"]


def test_a_body_that_works_by_itself_beside_a_child_that_waits_is_not_paused(lab) -> None:
    @pipeline
    def child() -> Any:
        return wait_for("approve")

    @pipeline
    def flow() -> Any:
        future = child.submit()
        time.sleep(0.5)
        assert not future.done()
        return quick(4)

    run = lab.start(flow)

    assert run.status == "paused"
    assert lab.statuses(run)["quick"] == "completed"


def test_waits_of_children_have_the_childs_name_before_theirs(lab, answer) -> None:
    @pipeline
    def child(x: int) -> Any:
        return wait_for("approve", int) + x

    @pipeline
    def flow() -> Any:
        first, second = child.submit(10), child.submit(20)
        return [first.load(), second.load()]

    run = lab.start(flow)
    names = sorted(wait.display for wait in lab.state(run).open_waits())
    assert names == ["child/approve", "child_2/approve"]
    answer("child/approve", "1")
    answer("child_2/approve", "2")

    again = lab.resume(run, flow)

    assert again.load() == [11, 22]


def test_an_answer_to_one_of_two_waits_leaves_the_other_open(lab, answer) -> None:
    """And the run paused, with the first answer kept."""

    @pipeline
    async def flow() -> Any:
        return await asyncio.gather(wait_for("one", int), wait_for("two", int))

    run = lab.start(flow)
    answer("two", "2")
    halfway = lab.resume(run, flow)
    assert halfway.status == "paused"
    assert [wait.display for wait in lab.state(run).open_waits()] == ["one"]
    answer("one", "1")

    assert lab.resume(run, flow).load() == [1, 2]


def test_L8_answers_that_come_in_another_order_than_the_questions_are_all_kept(lab, answer) -> None:
    """The first question's driver is gone before it is reached again; the second has its answer by then."""

    @pipeline
    def flow() -> Any:
        first = wait_for("same", int)
        second = wait_for("same", int)
        return [first, second]

    run = lab.start(flow)
    answer("same", "1")
    halfway = lab.resume(run, flow)
    assert [wait.display for wait in lab.state(halfway).open_waits()] == ["same_2"]
    answer("same_2", "2")

    assert lab.resume(run, flow).load() == [1, 2]


def test_an_answer_that_fits_no_more_after_an_edit_is_asked_for_again(lab, answer) -> None:
    @step
    def fails() -> int:
        raise OSError

    def edited(schema: Any, end: Any) -> Any:
        @pipeline
        def flow() -> Any:
            value = wait_for("approve", schema)
            end()
            return value

        return flow

    run = lab.start(edited(str, fails))
    answer("approve", '"many"')
    assert isinstance(lab.resume(run, edited(str, fails)).error, OSError)

    again = lab.resume(run, edited(int, quick))

    assert again.status == "paused"
    answer("approve", "3")
    assert lab.resume(run, edited(int, quick)).load() == 3


def test_hooks_are_told_of_a_pause_and_of_the_way_on(lab, answer, notes) -> None:
    @pipeline(on_pause=lambda: notes.add("paused"), on_resume=lambda: notes.add("resumed"))
    def flow() -> Any:
        return wait_for("approve", int)

    run = lab.start(flow)
    assert notes.take() == ["paused"]
    answer("approve", "3")

    assert lab.resume(run, flow).load() == 3
    assert notes.take() == ["resumed"]


def test_an_interrupted_run_is_no_paused_one(lab, notes) -> None:
    @step
    def fails() -> int:
        raise OSError

    @pipeline(on_resume=lambda: notes.add("resumed"))
    def flow() -> Any:
        return fails()

    run = lab.start(flow)
    lab.resume(run, flow)

    assert notes.take() == []


def test_a_body_that_catches_every_exception_is_paused_all_the_same(lab) -> None:
    @pipeline
    def flow() -> Any:
        try:
            return wait_for("approve")
        except Exception:  # noqa: BLE001
            return "caught"

    assert lab.start(flow).status == "paused"


def test_a_pipelines_timeout_ends_a_wait_whose_driver_stays(lab) -> None:
    @pipeline(timeout=0.1)
    def flow() -> Any:
        return wait_for("approve", timeout=3600)

    assert lab.start(flow).status == "failed"


def test_an_answer_is_written_with_who_gave_it(lab, answer) -> None:
    flow = asking(schema=int)
    run = lab.start(flow)
    answer("approve", "3")
    lab.resume(run, flow)

    (wait,) = lab.state(run).waits.values()
    assert (wait.sender, wait.answer_number > 0) == ("ada", True)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: wait_for("", bool), ["''", "no name"]),
        (lambda: wait_for("a/b", bool), ["'a/b'", "slash"]),
        (lambda: wait_for("w", bool, timeout=-1), ["-1", "no duration"]),
        (lambda: wait_for("w", "no such type"), ["'no such type'", "pydantic model"]),
        (lambda: wait_for("w", object()), ["no type that an answer can have"]),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_before_it_is_asked(ask, words, lab) -> None:
    @pipeline
    def flow() -> Any:
        return ask()

    run = lab.start(flow)

    assert isinstance(run.error, CallError)
    assert all(word in str(run.error) for word in words)
    assert len(str(run.error).splitlines()) == 3


def test_a_step_cannot_wait_for_an_answer(lab) -> None:
    @step
    def waiting() -> Any:
        return wait_for("approve")

    @pipeline
    def flow() -> Any:
        return waiting()

    assert "a pipeline's body only" in str(lab.start(flow).error)


def test_a_wait_is_found_by_its_name_and_by_the_end_of_its_path(lab) -> None:
    @pipeline
    def child() -> Any:
        return wait_for("approve")

    @pipeline
    async def flow() -> Any:
        await asyncio.gather(child.submit(), child.submit(), wait_for("sign"))

    state = lab.state(lab.start(flow))

    assert open_wait(state, "sign").display == "sign"
    assert open_wait(state, "child_2/approve").display == "child_2/approve"
    with pytest.raises(UserMistake, match="more than one wait"):
        open_wait(state, "approve")
    with pytest.raises(UserMistake, match="did you mean 'sign'"):
        open_wait(state, "sing")


def until(seen: Callable[[], object]) -> None:
    while not seen():
        threading.Event().wait(0.005)


def events_of(lab, kind: type[Event]) -> list[Event]:
    run: RunId = lab.stack.journal.find("latest")
    return [event for event in lab.events(run) if isinstance(event, kind)]


def waits_open(lab) -> list[Event]:
    return events_of(lab, WaitOpened)


def answers_in(lab) -> list[Event]:
    return events_of(lab, WaitAnswered)


def test_a_body_that_waits_in_a_task_group_is_paused(lab, answer) -> None:
    """The group wraps what ends it."""

    @pipeline
    async def flow() -> Any:
        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(one(name)) for name in ("left", "right")]
        return [task.result() for task in found]

    async def one(name: str) -> int:
        return await wait_for(name, int)

    run = lab.start(flow)
    assert run.status == "paused"
    answer("left", "1")
    answer("right", "2")

    assert lab.resume(run, flow).load() == [1, 2]


def test_a_driver_does_not_leave_over_an_answer_that_it_is_just_taking(lab, answer) -> None:
    """Else the run would be paused with nothing left to be answered."""

    def take_long(number: int, event: Event) -> None:
        if isinstance(event, WaitAnswered):
            threading.Event().wait(0.4)  # several looks of the clock

    flow = asking(schema=int)
    run = lab.start(flow)
    answer("approve", "3")

    again = Run(lab.stack, relaunch(run.id, flow._definition, lab.stack, [take_long]))

    assert again.load() == [3, 1]
