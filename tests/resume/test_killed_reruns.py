"""L1: a rerun that is killed while it takes things over, or later, is resumed; less may be reused, nothing is wrong."""

from typing import Any

import pytest

from anabranch import resume
from anabranch.journal.fold import read_state
from anabranch.stacks import open_stack

FLOW = """
from anabranch import as_completed, pipeline, random, step

@step
def numbers(n: int) -> list[int]:
    print("numbers")
    return list(range(n))

@step
def square(x: int) -> int:
    print("square", x)
    return x * x

@step
def large(x: int) -> bytes:
    print("large")
    return bytes([x]) * 50_000

@step
def total(values: list[int], data: bytes, drawn: float) -> int:
    print("total")
    return sum(values) + len(data)

@pipeline
def child(n: int):
    return square.map(numbers(n)).load()

@pipeline
def flow(n: int = 4):
    order = [future.load() for future in as_completed([square.submit(i) for i in range(10, 14)])]
    assert sorted(order) == [i * i for i in range(10, 14)]
    return total(child(n), large(7), random())
"""

KILLED = """
import os, signal, sys
from anabranch import rerun
from anabranch.engine import rerunning
from anabranch.journal.sqlite import SqliteJournal, SqliteWriter

rerunning._BATCH = 3
writes, create, append = iter(range(1, 10**6)), SqliteJournal.create, SqliteWriter.append

def killed_after(write):
    def counted(self, *given, **named):
        made = write(self, *given, **named)
        if next(writes) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return made
    return counted

SqliteJournal.create, SqliteWriter.append = killed_after(create), killed_after(append)
rerun(sys.argv[1], "total", observers=())
"""


@pytest.fixture
def first(project: Any) -> str:
    run = project.load(FLOW).flow.start()
    assert run.load() == 50_014
    project.write(KILLED, "killed.py")
    return str(run.id)


@pytest.mark.parametrize("write", [1, 2, 4, 7, 10, 13])
def test_L1_a_rerun_that_is_killed_is_resumed_to_the_same_end(
    write: int, first: str, project: Any
) -> None:
    """The first write is the run itself; the next dozen copy what it takes over, three events at a time."""
    died = project.python("killed.py", first, str(write))
    assert died.returncode == -9, died.stderr

    run = resume("latest", observers=())

    assert run.id != first
    assert run.status == "completed"
    assert run.load() == 50_014
    state = run.state
    assert state.created is not None
    assert state.created.origin == first
    assert "total\n" in run.logs()


def test_L1_what_was_taken_over_before_the_kill_does_not_run_again(
    first: str, project: Any
) -> None:
    ran = []
    for write in (1, 6, 11):
        project.python("killed.py", first, str(write))
        ran.append(len(resume("latest", observers=()).logs().splitlines()))

    assert ran[0] == 11, "nothing was taken over"
    assert ran[0] > ran[1] > ran[2]


def test_a_rerun_without_a_kill_runs_what_was_named_alone(first: str, project: Any) -> None:
    done = project.python("killed.py", first, "0")
    assert done.returncode == 0, done.stderr

    with open_stack() as stack:
        state = read_state(stack.journal, stack.journal.find("latest"))
    ran = [known.display for known in state.invocations.values() if not known.reused_in_life]
    assert "total" in ran
    assert done.stdout == "total\n"
