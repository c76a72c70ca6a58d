"""L1 and L8: kill -9 at any moment loses nothing that was recorded, and repeats nothing of it."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from anabranch.journal.sqlite import SqliteJournal

FLOW = """
import json, pathlib, time
from anabranch import as_completed, gather, now, pipeline, random, step, uuid4

HERE = pathlib.Path(__file__).parent

def saw(what):
    with open(HERE / "saw.jsonl", "a") as file:
        file.write(json.dumps(what) + "\\n")

@step
def number(x: int) -> int:
    time.sleep(0.002)
    return x * 3 + 1

@step
def numbers(n: int) -> list[int]:
    return list(range(n))

@step
def total(values: list[int]) -> int:
    return sum(values)

@step
async def nap(x: int) -> int:
    import asyncio
    await asyncio.sleep(0.001 * (7 - x))
    return x

@step
def bad(x: int) -> int:
    raise ValueError(f"no {x}")

@step(retry=3)
def flaky(x: int) -> int:
    marker = HERE / f"flaky-{x}"
    if not marker.exists():
        marker.touch()
        raise OSError("once")
    return x

@pipeline
def child(n: int):
    return total(number.map(range(n)))

@pipeline
def everything() -> dict:
    value = number(1)
    for _ in range(5):
        value = number(value)
    drawn = [now().isoformat(), str(uuid4()), random()]
    saw(["drawn", drawn])
    doubled = number.map(number.map(numbers(12)))
    order = [future.load() for future in as_completed([nap.submit(i) for i in range(6)])]
    saw(["order", order])
    try:
        bad(4)
        handled = "no"
    except ValueError as error:
        handled = str(error)
    sums = gather(child.submit(3), child.submit(4))
    tried = flaky(7)
    return {
        "value": value.load(), "total": total(doubled).load(), "order": sorted(order),
        "handled": handled, "sums": [s.load() for s in sums], "tried": tried.load(),
    }
"""

EXPECTED = {
    "value": 1093,
    "total": sum((x * 3 + 1) * 3 + 1 for x in range(12)),
    "order": [0, 1, 2, 3, 4, 5],
    "handled": "no 4",
    "sums": [sum(x * 3 + 1 for x in range(3)), sum(x * 3 + 1 for x in range(4))],
    "tried": 7,
}


def started(project):
    """The program, in a process of its own that can be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "flow.py:everything"],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def resumed(project) -> object:
    """The result of the newest run, once it has been resumed to its end."""
    shown = project.python(
        "-c",
        "import json\n"
        "from anabranch.authoring.runs import resume as resume_run\n"
        "print(json.dumps(resume_run('latest').load()))",
    )
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout.splitlines()[-1])


def saw(project, what: str) -> list[object]:
    lines = (project.folder / "saw.jsonl").read_text().splitlines()
    return [seen for kind, seen in map(json.loads, lines) if kind == what]


@pytest.mark.slow
def test_l01_a_run_killed_at_50_random_moments_ends_as_if_it_had_not_been(project, record) -> None:
    """Every invocation has exactly one outcome, the result is that of an unbroken run, and the body sees again what
    it saw: completion order, time, ids and chance."""
    chance = random.Random(20261124)
    flow = project.write(FLOW)
    begin = time.perf_counter()
    assert started(project).wait() == 0
    unbroken = time.perf_counter() - begin
    kills = 0
    while kills < 50:
        for path in (*project.folder.glob("flaky-*"), *project.folder.glob("saw.jsonl")):
            path.unlink()
        before = len(runs(project))
        process = started(project)
        kills += killed_after(process, chance.uniform(0.2, 1.0) * unbroken)
        if len(runs(project)) == before:
            continue  # it was killed before there was a run
        while record.state().status != "completed" and chance.random() < 0.5:
            again = subprocess.Popen(
                [sys.executable, "-m", "anabranch", "resume", "latest"],
                cwd=project.folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            kills += killed_after(again, chance.uniform(0.2, 0.9) * unbroken)
        if record.state().status != "completed":
            assert resumed(project) == EXPECTED
        assert record.state().status == "completed"
        assert set(record.standing_outcomes().values()) == {1}
        assert len({json.dumps(drawn) for drawn in saw(project, "drawn")}) == 1
        assert len({json.dumps(order) for order in saw(project, "order")}) == 1
    assert flow.exists()


def runs(project) -> list[str]:
    journal = SqliteJournal(project.folder / ".anabranch" / "journal.db")
    try:
        return [summary.run for summary in journal.runs(limit=1000)]
    finally:
        journal.close()


def killed_after(process, seconds: float) -> int:
    """1 if the process was there to be killed."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return 1
    return 0
