"""Large maps, killed or failed: every item has one outcome, and only what is left to do is done (laws L1 and L12)."""

import signal
from typing import Any

import pytest

from anabranch.journal.events import LogWritten, OutcomeRecorded, OutcomeReused
from anabranch.journal.fold import fold
from anabranch.journal.sqlite import SqliteJournal

FLOW = """
import atexit, os, resource, signal
from pathlib import Path

from anabranch import pipeline, step

HERE = Path(__file__).parent

def tell_peak():
    # Linux's ru_maxrss counts what the process was before exec(2), which may be a large one of the tests
    status = Path("/proc/self/status")
    if status.exists():
        peak = int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open(HERE / "peaks.txt", "a") as file:
        file.write(f"{peak}\\n")

atexit.register(tell_peak)

@step(enable_step_logs=False)
def item(x: int) -> int:
    if x == 50_000 and not (HERE / "killed").exists():
        (HERE / "killed").touch()
        tell_peak()
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


def life(project: Any, *words: str) -> int:
    """How one driver life ended; negative: by that signal."""
    return int(project.python("-m", "anabranch", *words, timeout=280).returncode)


@pytest.mark.slow
def test_L1_L12_a_map_of_100_000_that_was_killed_in_the_middle_is_resumed_in_bounded_memory(
    project,
) -> None:
    project.write(FLOW)

    lives = [life(project, "run", "flow.py:killed"), life(project, "resume", "latest")]

    assert lives == [-signal.SIGKILL, 0]
    peaks = [int(peak) / 1e6 for peak in (project.folder / "peaks.txt").read_text().split()]
    assert len(peaks) == 2
    assert max(peaks) < 600
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
    assert life(project, "run", "flow.py:failing") == 1
    ran = project.folder / "ran.txt"
    begun = ran.read_text().split()
    ran.unlink()
    (project.folder / "mended").touch()

    assert life(project, "resume", "latest") == 0

    assert sorted(map(int, begun)) == list(range(10_000))
    assert ran.read_text().split() == ["7777"]
    journal = SqliteJournal(project.folder / ".anabranch" / "journal.db")
    state = fold(journal.read(journal.find("latest")))
    journal.close()
    assert state.counts() == {"completed": 10_001}
