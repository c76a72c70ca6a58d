"""A clock that is set back makes nothing wait longer and nothing run twice: while a run goes on, and between lives."""

import json
import signal
from typing import Any

import pytest

HOUR = 3600
FLOW = """
import asyncio, json, os, signal, time
from pathlib import Path

real, time.shift = time.time, float(os.environ["SHIFT"])  # not the project's: no fingerprint changes by it
time.time = lambda: real() + time.shift

from anabranch import Retry, as_completed, context, pipeline, sleep, step
from anabranch.journal.sqlite import SqliteJournal

HERE = Path(__file__).parent

def note(*what):
    with open(HERE / "told.jsonl", "a") as file:
        file.write(json.dumps(what) + "\\n")

def attempt(x, of):
    note(x, context().attempt)
    if context().attempt < of:
        time.shift -= 3600.0
        raise OSError("not yet")
    return x

@step
def back(x: int) -> int:
    time.shift -= 3600.0
    return attempt(x, 1)

@step
def square(x: int) -> int:
    return attempt(x, 1) ** 2

@step(retry=Retry(max_attempts=3, delay=0.02))
def flaky(x: int) -> int:
    return attempt(x, 3)

@step(retry=Retry(max_attempts=3, delay=0.02))
async def aflaky(x: int) -> int:
    await asyncio.sleep(0)
    return attempt(x, 3)

@pipeline
def during() -> dict:
    squares = square.map(range(5))
    pending = [flaky.submit(11), aflaky.submit(12), back.submit(13)]
    called = [flaky(14).load(), back(15).load(), aflaky(16).load()]
    sleep(0.03)
    order = sorted(future.load() for future in as_completed(pending))
    return {"called": called, "order": order, "squares": squares.load()}

@step(retry=Retry(max_attempts=2, delay=0.3))
def slow(x: int) -> int:
    return attempt(x, 2)

@step(retry=Retry(max_attempts=2, delay=0.3))
async def aslow(x: int) -> int:
    return attempt(x, 2)

@step
async def die_once(sign: str) -> None:
    if (HERE / "died").exists():
        return
    journal = SqliteJournal(HERE / ".anabranch" / "journal.db")
    run = journal.find("latest")
    while sign not in {type(event).__name__ for _, event in journal.read(run)}:
        await asyncio.sleep(0.001)
    (HERE / "died").touch()
    os.kill(os.getpid(), signal.SIGKILL)

@pipeline
def between(how: str) -> int:
    done = square(7).load()
    die_once.submit("ValueDrawn" if how == "asleep" else "AttemptEnded")
    if how == "asleep":
        sleep(0.3)
    elif how == "called":
        done += slow(1).load()
    else:
        done += (slow if how == "submitted" else aslow).submit(1).load()
    return done
"""

LOAD = """
import json, sys, flow
from anabranch.authoring.runs import resume as resume_run
run = getattr(flow, sys.argv[1]).start(json.loads(sys.argv[3])) if sys.argv[2] == "new" else resume_run("latest")
print(json.dumps(run.load()))
"""


def life(project: Any, pipeline: str, which: str, shift: int, **arguments: str) -> Any:
    """One life of a run by a clock that is wrong by `shift` seconds: what it printed, or the signal that ended it."""
    words = (pipeline, which, json.dumps(arguments))
    done = project.python("-c", LOAD, *words, SHIFT=str(shift))
    if done.returncode < 0:
        return -done.returncode
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(project: Any) -> list[list[int]]:
    """The attempts that began, as `[argument, attempt]`."""
    lines = (project.folder / "told.jsonl").read_text().splitlines()
    return sorted(map(json.loads, lines))


def test_a_clock_that_is_set_back_again_and_again_while_a_run_goes_on_disturbs_nothing(
    project,
) -> None:
    project.write(FLOW)

    value = life(project, "during", "new", 0)

    assert value == {
        "called": [14, 15, 16],
        "order": [11, 12, 13],
        "squares": [0, 1, 4, 9, 16],
    }
    thrice = [[x, attempt] for x in (11, 12, 14, 16) for attempt in (1, 2, 3)]
    assert told(project) == sorted([*thrice, *([x, 1] for x in (0, 1, 2, 3, 4, 13, 15))])


@pytest.mark.parametrize("how", ["called", "submitted", "async", "asleep"])
def test_a_clock_that_was_set_back_between_two_lives_lengthens_no_wait(how, project) -> None:
    """A run that waited for an attempt, or slept, when it was killed; and its lease ends by the clock of before."""
    project.write(FLOW)
    assert life(project, "between", "new", 0, how=how) == signal.SIGKILL
    before = told(project)

    value = life(project, "between", "latest", -3 * HOUR)

    assert before[-1] == [7, 1]
    assert value == (49 if how == "asleep" else 50)
    assert told(project) == sorted([*before, *([[1, 2]] if how != "asleep" else [])])
