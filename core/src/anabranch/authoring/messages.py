"""What is said to a run from outside: an answer that it waits for, or that it is to end.

Only a driver writes to its run. So both leave a message in the journal; where no driver is there to read it, whoever
answers becomes the driver, and whoever cancels ends the run in its place.
"""

import getpass
import platform
import time
from collections.abc import Sequence

from pydantic_core import PydanticSerializationError, to_json

from anabranch.authoring.runs import Run
from anabranch.authoring.runs import resume as resume_run
from anabranch.engine.launching import Finished, cancel_undriven
from anabranch.engine.recording import Observer
from anabranch.errors import (
    InfrastructureError,
    NotSerializable,
    RunBusy,
    RunNotResumable,
    UserMistake,
    suggestion,
)
from anabranch.journal.events import AnswerRefused, WaitAnswered
from anabranch.journal.fold import RunState, WaitState, read_state
from anabranch.journal.interface import Message
from anabranch.model.ids import RunId
from anabranch.model.records import FINAL
from anabranch.stacks import Stack, open_stack

_LOOK_SECONDS = 0.1


def answer(
    run: str,
    name: str,
    value: object,
    *,
    stack: str | None = None,
    observers: Sequence[Observer] | None = None,
    resume: bool = True,
) -> Run:
    """Answers the wait called `name` of a run, with anything that pydantic can write as JSON.

    A run that is paused is then resumed in this process, as `anabranch.resume` does it; one that has a driver goes on
    there. `resume=False` leaves a paused run to whoever resumes it next. Raises `RunNotFound`, `UserMistake` for a
    wait that is not open or an answer that does not fit, which stays open, and what a resume raises.
    """
    with open_stack(stack) as opened:
        id = opened.journal.find(run)
        wait = open_wait(read_state(opened.journal, id), name)
        message = Message(
            kind="answer", sender=_sender(), subject=wait.wait, data=_json(name, value)
        )
        number = opened.journal.post(id, message)
        taken = _verdict(opened, id, number)
        if taken is None and resume:
            ended = resume_run(id, stack=stack, observers=observers)
            taken = _verdict(opened, id, number)
        else:
            ended = Run(open_stack(stack), Finished(id, opened.journal.summary(id).status))
    if isinstance(taken, AnswerRefused):
        raise UserMistake(
            f"the answer does not fit: {taken.reason}",
            f"wait {wait.display!r} of run {id}",
            "answer again; the run still waits",
        )
    return ended


def cancel(run: str, *, stack: str | None = None, patience_seconds: float = 30.0) -> RunId:
    """Ends a run for good: what runs is cancelled, nothing new starts, and it cannot be resumed.

    Returns once it is over. Raises `RunNotFound`, `RunNotResumable` for a run that is over, and `InfrastructureError`
    if its driver has not ended it after `patience_seconds`.
    """
    sender = _sender()
    with open_stack(stack) as opened:
        id = opened.journal.find(run)
        status = opened.journal.summary(id).status
        if status in FINAL:
            raise RunNotResumable(
                f"the run is {status}; there is nothing to cancel",
                f"run {id}",
                f"look at it: anabranch runs show {id}",
            )
        opened.journal.post(id, Message(kind="cancel", sender=sender))
        deadline = time.monotonic() + patience_seconds
        while (summary := opened.journal.summary(id)).status not in FINAL:
            if summary.status != "running":
                _end(id, opened, sender)
            elif time.monotonic() > deadline:
                raise InfrastructureError(
                    f"the driver has not ended the run after {patience_seconds:g} s",
                    f"run {id}, driver {summary.lease.holder if summary.lease else 'unknown'}",
                    "the message stays; end that process, then cancel again",
                )
            else:
                time.sleep(_LOOK_SECONDS)
    return id


def open_wait(state: RunState, name: str) -> WaitState:
    """The open wait that is meant by its name, or by the end of its path. Raises `UserMistake`."""
    found = state.open_waits()
    exact = [wait for wait in found if wait.display == name]
    near = exact or [wait for wait in found if wait.display.endswith(f"/{name}")]
    if len(near) == 1:
        return near[0]
    names = [wait.display for wait in found]
    if near:
        what, do = f"more than one wait is called {name!r}", f"say which: {', '.join(names)}"
    elif names:
        what, do = f"the run does not wait for {name!r}", suggestion(name, names)
    else:
        what, do = "the run waits for no answer", f"look at it: anabranch runs show {state.run}"
    raise UserMistake(what, f"run {state.run}", do)


def _end(run: RunId, opened: Stack, sender: str) -> None:
    try:
        cancel_undriven(run, opened, sender)
    except RunBusy:  # somebody resumes it just now, and will find the message
        time.sleep(_LOOK_SECONDS)


def _verdict(opened: Stack, run: RunId, number: int) -> WaitAnswered | AnswerRefused | None:
    """What became of an answer; waits for a driver that lives. `None` if there is none, and nobody has seen it."""
    seen = 0
    while True:
        is_driven = opened.journal.summary(run).status == "running"
        for place, event in opened.journal.read(run, after=seen):
            seen = place
            if isinstance(event, WaitAnswered | AnswerRefused) and event.message == number:
                return event
        if not is_driven:
            return None
        time.sleep(_LOOK_SECONDS)


def _json(name: str, value: object) -> bytes:
    try:
        return to_json(value)
    except PydanticSerializationError as error:
        raise NotSerializable(
            f"the answer is not JSON: {error}", f"wait {name!r}", "pass plain values or a model"
        ) from None


def _sender() -> str:
    return f"{getpass.getuser()}@{platform.node()}"
