"""L12: what a run holds in memory grows far slower than what it has done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import anabranch

PROGRAM = """
import resource, sys
from pathlib import Path
from anabranch import pipeline, step
from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.local import LocalStore
from anabranch.authoring.runs import Run
from anabranch.engine.launching import launch
from anabranch.journal.sqlite import SqliteJournal
from anabranch.plugins.discovery import Found
from anabranch.plugins.registry import Registry
from anabranch.stacks import Stack

count, home = int(sys.argv[1]), Path(sys.argv[2])

@step
def item(x: int) -> int:
    return x + 1

@step
def total(values: list[int]) -> int:
    return len(values)

@pipeline
def flow(n: int):
    return total(item.map(range(n)))

stack = Stack(
    name="lab", project=home, home=home, journal=SqliteJournal(home / "journal.db"),
    store=LocalStore(home / "artifacts"), codecs=Codecs(), capabilities={}, lacks={},
    lease_seconds=60.0, registry=Registry(Found((), (), ())),
)
ended = launch(flow._definition, {"n": count}, {}, stack)
assert ended.status == "completed", ended.error
assert stack.journal.summary(ended.run).events > count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_of(count: int, home: Path) -> float:
    """Peak resident memory of a process that maps over so many items, in MB."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(count), str(home)],
        env={**os.environ, "PYTHONPATH": str(Path(anabranch.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / (1024 if sys.platform != "darwin" else 1024**2)


@pytest.mark.slow
def test_L12_ten_times_the_items_take_less_than_five_times_the_memory(tmp_path: Path) -> None:
    """All of the process counts, Python and the engine's code included: both parts must stay small."""
    small = peak_of(10_000, tmp_path / "small")
    large = peak_of(100_000, tmp_path / "large")

    print(f"10,000 items: {small:.0f} MB; 100,000 items: {large:.0f} MB; ratio {large / small:.2f}")
    assert large / small < 5
