"""A program with everything in it, and drivers that run it and can be killed at any moment."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anabranch.journal.events import Event, OutcomeDiscarded, OutcomeRecorded
from anabranch.journal.fold import RunState, fold
from anabranch.journal.sqlite import SqliteJournal

FLOW = """
import asyncio, json, os

from anabranch import (
    Retry, as_completed, context, gather, now, pipeline, random, step, unmapped, uuid4,
)

SIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "side.jsonl")

def note(*what):
    line = json.dumps([os.getpid(), *what]) + "\\n"
    side = os.open(SIDE, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(side, line.encode())
    os.close(side)

def ran():
    note("ran", context().invocation_id)

@step
def square(x: int) -> int:
    ran()
    print("square of", x)
    return x * x

@step
async def nap(x: int) -> int:
    ran()
    await asyncio.sleep(0.0005 * ((x * 7) % 5))
    return x + 1

@step
def numbers(n: int) -> list[int]:
    ran()
    return list(range(n))

@step
def total(values: list[int], extra: int = 0) -> int:
    ran()
    return sum(values) + extra

@step
def two(x: int) -> tuple[int, str]:
    ran()
    return x, str(x)

@step
def large(x: int) -> bytes:
    ran()
    return bytes([x]) * 50_000

@step
def size(data: bytes) -> int:
    ran()
    return len(data)

@step
def bad(x: int) -> int:
    ran()
    if x % 2 == 0:
        raise ValueError(f"no {x}")
    return x

@step(retry=Retry(max_attempts=3, delay=0.001))
def flaky(x: int) -> int:
    note("attempt", context().invocation_id, context().attempt)
    if context().attempt < 3:
        raise OSError(f"attempt {context().attempt}")
    return x

@step(retry=3)
async def aflaky(x: int) -> int:
    note("attempt", context().invocation_id, context().attempt)
    await asyncio.sleep(0)
    if context().attempt < 2:
        raise OSError("once")
    return x

@pipeline
def child(n: int):
    note("drawn", f"child {n}", [str(uuid4())])
    return total(square.map(range(n)))

@pipeline
async def achild(n: int):
    found = await asyncio.gather(*(nap.submit(x) for x in range(n)))
    order = []
    async for future in as_completed([nap.submit(x + 100) for x in range(4)]):
        order.append(future.load())
        note("order", f"achild {n}", list(order))
    return {"sum": total(found), "plain": n}

@pipeline
def everything() -> dict:
    value = 1
    for _ in range(4):
        value = total([value, square(2)])
    note("drawn", "body", [now().isoformat(), str(uuid4()), random()])
    doubled = nap.map(square.map(numbers(8)))
    paired = total.map([[1], [2], [3]], extra=unmapped(value))
    order = []
    mixed = [nap.submit(x + 20) for x in range(6)] + [square.submit(x + 20) for x in range(4)]
    for future in as_completed(mixed):
        order.append(future.load())
        note("order", "body", list(order))
    try:
        bad(4)
        handled = "nothing"
    except ValueError as error:
        handled = str(error)
    error = bad.submit(6).exception()
    collected = bad.map(range(4), on_error="collect")
    children = [child.submit(n) for n in (2, 3)]
    inner = achild(3)
    note("drawn", "body later", [now().isoformat(), random()])
    chain = square.submit(3)
    for _ in range(8):
        chain = nap.submit(chain)
    one, other = two.submit(5)
    named = square.submit(9, id="nine", after=chain)
    flakies = [flaky(1), flaky.submit(2), aflaky.submit(3)]
    return {
        "value": value.load(),
        "doubled": total(doubled).load(),
        "paired": paired.load(),
        "order": sorted(order),
        "handled": [handled, str(error), sorted(collected.failures)],
        "children": [found.load() for found in gather(*children)],
        "inner": [inner["sum"].load(), inner["plain"]],
        "chain": chain.load(),
        "two": [one.load(), other.load()],
        "named": named.load(),
        "size": size(large(7)).load(),
        "flaky": [found.load() for found in flakies],
    }

@pipeline
async def aeverything() -> dict:
    return await_everything(await everything.submit())

def await_everything(found):
    return {key: value for key, value in found.items()}
"""

EXPECTED = {
    "value": 17,
    "doubled": sum(x * x + 1 for x in range(8)),
    "paired": [18, 19, 20],
    "order": sorted([*range(21, 27), *(x * x for x in range(20, 24))]),
    "handled": ["no 4", "no 6", [0, 2]],
    "children": [1, 5],
    "inner": [6, 3],
    "chain": 17,
    "two": [5, "5"],
    "named": 81,
    "size": 50_000,
    "flaky": [1, 2, 3],
}

# Imports once and forks for every driver, so that a driver costs what it does and not what Python costs to start.
NURSERY = """
import json, os, signal, sys, traceback
import flow
from anabranch.authoring.runs import Run, resume as resume_run
from anabranch.engine.launching import Finished
from anabranch.journal.sqlite import SqliteWriter
from anabranch.stacks import open_stack

def dies():
    os.kill(os.getpid(), signal.SIGKILL)

def arm(when, write):
    append, keep, count = SqliteWriter.append, SqliteWriter._keep_status, iter(range(1, 10**9))
    now = [0]

    def counted(self, added):
        now[0] = next(count)
        if when == "before" and now[0] == write:
            dies()
        made = append(self, added)
        if when == "after" and now[0] == write:
            dies()
        return made

    def within(self, db, added):
        if when == "within" and now[0] == write:
            dies()
        return keep(self, db, added)

    SqliteWriter.append, SqliteWriter._keep_status = counted, within
    return now

def drive(order):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the answers go there, not what steps print
    now = arm(order.get("when"), order.get("write"))
    try:
        if order["run"] == "new":
            run = getattr(flow, order["pipeline"]).start()
        elif order["run"] == "ended":
            stack = open_stack()
            run = Run(stack, Finished(stack.journal.find("latest"), "completed"))
        else:
            run = resume_run("latest", observers=())
        value = run.load() if run.status == "completed" else None
        with open("result.part", "w") as file:
            json.dump([run.status, value, now[0]], file)
        os.rename("result.part", "result.json")
        code = 0
    except KeyboardInterrupt:
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        drive(order)
    print(json.dumps({"pid": pid}), file=sys.__stdout__, flush=True)
    _, status = os.waitpid(pid, 0)
    print(json.dumps({"status": status}), file=sys.__stdout__, flush=True)
"""


@dataclass
class Drivers:
    """Starts drivers in a project, one after another, and looks at what they left."""

    folder: Path
    nursery: "subprocess.Popen[bytes]"
    seen: list[list[Any]] = field(default_factory=list)

    def drive(
        self,
        run: str,
        *,
        pipeline: str = "everything",
        when: str = "",
        write: int = 0,
        seconds: float | None = None,
        with_signal: int = signal.SIGKILL,
    ) -> bool:
        """One driver life, of a `"new"` run or the `"latest"`; whether that came to its end.

        It is killed at its `write`-th write, before, within or after it; or after `seconds`.
        """
        (self.folder / "result.json").unlink(missing_ok=True)
        order = {"run": run, "pipeline": pipeline, "when": when, "write": write}
        assert self.nursery.stdin is not None
        self.nursery.stdin.write(json.dumps(order).encode() + b"\n")
        self.nursery.stdin.flush()
        pid = self._answer()["pid"]
        if seconds is not None and not self._answers_within(seconds):
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(pid, with_signal)
        status = self._answer()["status"]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "see what it has printed"
        return self.count() > 0 and self.state().status == "completed"

    def _answer(self) -> dict[str, int]:
        assert self.nursery.stdout is not None
        line = self.nursery.stdout.readline()
        assert line, "the nursery has died"
        return json.loads(line)  # type: ignore[no-any-return]

    def _answers_within(self, seconds: float) -> bool:
        return bool(select.select([self.nursery.stdout], [], [], seconds)[0])

    # --- what they left ------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """Of the newest run; empty if there is none."""
        journal = SqliteJournal(self.folder / ".anabranch" / "journal.db")
        try:
            if not journal.runs():
                return []
            return [event for _, event in journal.read(journal.find("latest"))]
        finally:
            journal.close()

    def count(self) -> int:
        """How many runs there are."""
        journal = SqliteJournal(self.folder / ".anabranch" / "journal.db")
        try:
            return len(journal.runs(limit=10_000))
        finally:
            journal.close()

    def state(self) -> RunState:
        return fold(enumerate(self.events(), 1))

    def recorded(self) -> set[str]:
        """The invocations that have an outcome which a resume does not try to better."""
        found = self.state().invocations.items()
        return {id for id, known in found if known.has_outcome and known.status != "cancelled"}

    def result(self) -> tuple[Any, int]:
        """The value of the newest run, which is complete, and the number of writes of its last driver."""
        path = self.folder / "result.json"
        if (
            not path.exists()
        ):  # it was killed after it had written its end, and before it could tell
            self.drive("ended")
        status, value, writes = json.loads(path.read_text())
        path.unlink()
        assert status == "completed"
        return value, writes

    def told(self) -> list[list[Any]]:
        """What bodies and steps have noted since the last time, as `[pid, kind, ...]`."""
        side = self.folder / "side.jsonl"
        lines = side.read_text().splitlines() if side.exists() else []
        side.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture
def drivers(project: Any) -> Iterator[Drivers]:
    project.write(FLOW)
    project.write(NURSERY, "nursery.py")
    nursery = subprocess.Popen(
        [sys.executable, "-W", "error", "nursery.py"],
        cwd=project.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    yield Drivers(project.folder, nursery)
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.close()
    nursery.wait(30)
    nursery.stdout.close()


@pytest.fixture
def expected() -> dict[str, Any]:
    """What the program returns when nobody disturbs it."""
    return EXPECTED


class History:
    """Holds one run to the laws over all of its driver lives."""

    def __init__(self, drivers: Drivers) -> None:
        self.drivers = drivers
        self.drawn: dict[str, Any] = {}
        self.orders: dict[str, list[Any]] = {}
        self.recorded: set[str] = set()

    def life(self) -> None:
        """Looks at the life that has just ended."""
        for _, kind, *what in self.drivers.told():
            if kind in ("ran", "attempt"):
                assert what[0] not in self.recorded, "what has an outcome was executed again (L1)"
            elif kind == "drawn":
                name, values = what
                assert self.drawn.setdefault(name, values) == values, "another draw (L8)"
            else:
                name, order = what
                known = self.orders.get(name, [])
                shorter, longer = sorted((known, order), key=len)
                assert longer[: len(shorter)] == shorter, "another order (L8)"
                self.orders[name] = longer
        after = self.drivers.recorded()
        assert self.recorded <= after, "an outcome was lost (L1)"
        self.recorded = after

    def end(self, expected: dict[str, Any]) -> None:
        """The run is complete: the right result, and one outcome for each invocation."""
        value, _ = self.drivers.result()
        assert value == expected
        counts: dict[str, int] = {}
        for event in self.drivers.events():
            if isinstance(event, OutcomeRecorded):
                counts[event.invocation] = counts.get(event.invocation, 0) + 1
            elif isinstance(event, OutcomeDiscarded):
                assert event.reason == "it was cancelled; resume tries again"
                counts[event.invocation] -= 1
        assert set(counts.values()) == {1}
        assert set(counts) == set(self.drivers.state().invocations)


@pytest.fixture
def history(drivers: Drivers) -> Any:
    """Makes a new history, for a run that is about to begin."""
    return lambda: History(drivers)
