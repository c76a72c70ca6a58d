"""Two processes drive two runs in one journal at the same time; what becomes of one is nothing to the other."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from anabranch.journal.events import OutcomeRecorded
from anabranch.journal.fold import RunState, fold
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

FLOW = """
import os, signal, time
from pathlib import Path

from anabranch import pipeline, step

HERE = Path(__file__).parent

def meet(mine, other):
    (HERE / mine).touch()
    while not (HERE / other).exists():
        time.sleep(0.001)

@step
def work(x: int, name: str) -> bytes:
    if x == 5:
        meet(f"{name} has begun", f"{'b' if name == 'a' else 'a'} has begun")
    if x == 60 and name == "a" and not (HERE / "a is gone").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if x == 90 and name == "b":
        meet("b is waiting", "a is gone")
    return f"{name} {x}".encode() * 200

@step
def total(parts: list[bytes]) -> int:
    return sum(map(len, parts))

@pipeline
def one_by_one(name: str) -> int:
    return total([work(x, name) for x in range(120)])

@pipeline
def at_once(name: str) -> int:
    return total(work.map(range(120), [name] * 120, max_concurrency=8))
"""


def driver(project: Any, pipeline: str, name: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "anabranch",
        "run",
        f"flow.py:{pipeline}",
        "-p",
        f"name={name}",
    ]
    return subprocess.Popen(command, cwd=project.folder)


def runs(project: Any) -> dict[str, tuple[RunId, str, RunState, int]]:
    """By the argument: the run, its status, its state, and how many outcomes there are."""
    journal = SqliteJournal(project.folder / ".anabranch" / "journal.db")
    found = {}
    for summary in journal.runs():
        numbered = list(journal.read(summary.run))
        assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
        name = json.loads(journal.data(summary.run, 1))
        outcomes = sum(isinstance(event, OutcomeRecorded) for _, event in numbered)
        found[name] = summary.run, summary.status, fold(numbered), outcomes
    journal.close()
    return found


@pytest.mark.parametrize("pipeline", ["one_by_one", "at_once"])
def test_L1_L4_a_driver_that_is_killed_in_the_middle_of_writing_leaves_its_neighbour_alone(
    pipeline, project
) -> None:
    project.write(FLOW)
    first, second = (driver(project, pipeline, name) for name in ("a", "b"))

    assert first.wait(60) == -signal.SIGKILL
    (project.folder / "a is gone").touch()
    assert second.wait(60) == os.EX_OK

    (run, status, _, _), (_, other, state, outcomes) = runs(project)["a"], runs(project)["b"]
    assert (status, other) == ("lost", "completed")
    assert outcomes == len(state.invocations) == 121
    assert project.python("-m", "anabranch", "resume", run).returncode == 0
    _, status, state, outcomes = runs(project)["a"]
    assert status == "completed"
    assert outcomes == len(state.invocations) == 121
    assert runs(project)["b"][1:2] == ("completed",)
