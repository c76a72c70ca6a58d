"""Large maps, killed or failed: every item has one outcome, and only what is left to do is done (laws L1 and L12)."""

import os
import signal
import sys
from typing import Any

import pytest

from anabranch.journal.events import LogWritten, OutcomeRecorded, OutcomeReused
from anabranch.journal.fold import fold
from anabranch.journal.sqlite import SqliteJournal

FLOW = """
import os, signal
from pathlib import Path

from anabranch import pipeline, step

HERE = Path(__file__).parent

@step(enable_step_logs=False)
def item(x: int) -> int:
    if x == 50_000 and not (HERE / "killed").exists():
        (HERE / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x + 1

@pipeline
def killed() -> None:
    item.map(range(100_000))

@step(enable_step_logs=False)
def picky(x: int) -> int:
    with open(HERE / "ran.txt", "a") as file:
        file.write(f"{x}\\n")
    if x == 7_777 and not (HERE / "mended").exists():
        raise ValueError(x)
    return x

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline
def failing() -> int:
    return total(picky.map(range(10_000)))
"""

MEGABYTES = 1024 if sys.platform == "linux" else 1024 * 1024
"""In the unit of `ru_maxrss`, which is kilobytes on Linux and bytes on macOS (getrusage(2))."""


def life(project: Any, *words: str) -> tuple[int, float]:
    """How one driver life ended (negative: by that signal), and how many megabytes it held at most."""
    command = [sys.executable, "-m", "anabranch", *words]
    pid = os.posix_spawn(sys.executable, command, os.environ)
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_maxrss / MEGABYTES


@pytest.mark.slow
def test_L1_L12_a_map_of_100_000_that_was_killed_in_the_middle_is_resumed_in_bounded_memory(
    project,
) -> None:
    project.write(FLOW)

    code, first = life(project, "run", "flow.py:killed")
    again, second = life(project, "resume", "latest")

    assert (code, again) == (-signal.SIGKILL, 0)
    assert max(first, second) < 600
    journal = SqliteJournal(project.folder / ".anabranch" / "journal.db")
    outcomes: dict[str, int] = {}
    reused = 0
    for _, event in journal.read(journal.find("latest"), without=(LogWritten,)):
        if isinstance(event, OutcomeRecorded):
            outcomes[event.invocation] = outcomes.get(event.invocation, 0) + 1
        reused += isinstance(event, OutcomeReused)
    journal.close()
    assert len(outcomes) == 100_000
    assert set(outcomes.values()) == {1}
    assert 0 < reused < 100_000


def test_L1_a_resumed_map_of_10_000_executes_the_one_item_that_failed(project) -> None:
    project.write(FLOW)
    assert life(project, "run", "flow.py:failing")[0] == 1
    ran = project.folder / "ran.txt"
    begun = ran.read_text().split()
    ran.unlink()
    (project.folder / "mended").touch()

    assert life(project, "resume", "latest")[0] == 0

    assert sorted(map(int, begun)) == list(range(10_000))
    assert ran.read_text().split() == ["7777"]
    journal = SqliteJournal(project.folder / ".anabranch" / "journal.db")
    state = fold(journal.read(journal.find("latest")))
    journal.close()
    assert state.counts() == {"completed": 10_001}
