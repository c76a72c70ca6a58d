"""L3 between runs: with a cache a pipeline gives what it gives without one, whatever was edited; and never twice."""

import importlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.authoring.runs import Run
from anabranch.engine.launching import launch
from anabranch.journal.events import InvocationCreated, OutcomeRecorded
from anabranch.journal.fold import fold
from anabranch.journal.sqlite import SqliteJournal
from anabranch.stacks import Stack, open_stack
from anabranch.stacks.places import HOME_VARIABLE

# --- never stale, and always found -------------------------------------------------------------------------------

HELPERS = """
def deep(x):
    return x + {imported_helper}

def wide(x):
    return deep(x) * 2

LIMITS = {{"low": {imported_constant}}}
"""
FLOW = """
import helpers
from anabranch import pipeline, step

THRESHOLD = {constant}

class Base:
    def origin(self):
        return {base}

class Model(Base):
    rate = {class_constant}

    def fit(self):
        return self.origin() + {method}

def scaled(factor):
    def apply(x):
        return x * factor
    return apply

scale = scaled({closure} + 2)

def near(x):
    return x - {helper}

@step
def source(n: int) -> list[int]:
    return [n, {source}, 7]

@step
def work(x, a={default}, *, b={kwdefault}):
    inner = [y + {nested} for y in (x, a)]
    found = near(x), helpers.wide(x), THRESHOLD, scale(x), Model().fit(), Model.rate, inner, b
    return [*found, helpers.LIMITS["low"], {body}]

@step
def joined(parts, extra):
    return [parts, extra]

@pipeline(enable_cache=True)
def flow():
    numbers = source({argument})
    return joined(work.map(numbers), extra=work(numbers.chunk(1), b={call_argument}))

def plainly():
    numbers = source({argument})
    return joined([work(n) for n in numbers], extra=work(numbers[1], b={call_argument}))
"""
PLACES = [
    *("argument", "base", "body", "call_argument", "class_constant", "closure", "constant"),
    *("default", "helper", "imported_constant", "imported_helper", "kwdefault", "method"),
    *("nested", "source"),
]
"""What can be edited."""

VERSION = st.fixed_dictionaries(dict.fromkeys(PLACES, st.integers(0, 1)))


def opened(folder: Path) -> Stack:
    """The built-in stack of a project in this folder."""
    return open_stack(start=folder, environ={HOME_VARIABLE: str(folder / ".anabranch")})


@contextmanager
def imported(folder: Path, version: dict[str, int]) -> Iterator[Any]:
    """The module `flow` of a project with these values in it, as the next process would import it."""
    (folder / "helpers.py").write_text(HELPERS.format(**version))
    (folder / "flow.py").write_text(FLOW.format(**version))
    sys.path.insert(0, str(folder))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("flow")
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = before
        for name in ("flow", "helpers"):
            sys.modules.pop(name, None)


def executed(stack: Stack, run: Run) -> int:
    """How many calls of a run were executed."""
    events = [event for _, event in stack.journal.read(run.id)]
    return sum(isinstance(e, OutcomeRecorded) and e.origin is None for e in events)


def histories(test: Callable[..., None]) -> Callable[..., None]:
    """A first version, and edits of a few places each."""
    edits = st.lists(st.sets(st.sampled_from(PLACES), max_size=3), min_size=1, max_size=5)
    return settings(deadline=None, max_examples=40, database=None)(
        given(first=VERSION, edits=edits)(test)
    )


@histories
def test_l03_with_a_cache_the_result_is_always_that_of_the_code_as_it_is(
    first: dict[str, int], edits: list[set[str]]
) -> None:
    """And a version that ran before is not executed again, nor is any call of it that another version had made."""
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as stack:
        version, seen = first, []
        for edit in [set(), *edits]:
            version = {place: value ^ (place in edit) for place, value in version.items()}
            with imported(Path(name), version) as module:
                run = Run(stack, launch(module.flow._definition, {}, {}, stack))
                assert run.load() == module.plainly()
            if version in seen:
                assert executed(stack, run) == 0
            seen.append(version)


@settings(deadline=None, max_examples=40, database=None)
@given(edited=st.sampled_from(PLACES))
def test_l03_an_edit_of_one_place_makes_what_it_reaches_run_again_and_nothing_else(
    edited: str,
) -> None:
    version = dict.fromkeys(PLACES, 0)
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as stack:
        with imported(Path(name), version) as module:
            launch(module.flow._definition, {}, {}, stack)
        with imported(Path(name), version | {edited: 1}) as module:
            run = Run(stack, launch(module.flow._definition, {}, {}, stack))
        names = {i: known.step for i, known in fold(stack.journal.read(run.id)).invocations.items()}
        events = [event for _, event in stack.journal.read(run.id)]
        ran = {
            names[e.invocation] for e in events if isinstance(e, OutcomeRecorded) and not e.origin
        }

    if edited in ("argument", "source"):
        assert "source" in ran
    else:
        assert ran == {"work", "joined"}


# --- one at a time, and whatever is killed -----------------------------------------------------------------------

SHARED = """
import os, sys, time
from pathlib import Path

from anabranch import pipeline, step

def entered() -> int:
    with open("entered", "a") as file:
        file.write(f"{os.getpid()}\\n")
    return len(Path("entered").read_text().splitlines())

@step(enable_cache=True)
def slow(x: int) -> int:
    if entered() == 1:
        while not Path("go").exists():
            time.sleep(0.005)
    return x + 1

@step(enable_cache=True)
def large(x: int) -> bytes:
    return bytes(x) * 100_000

@pipeline
def flow():
    return slow(1)

@pipeline
def submitted():
    return slow.submit(1)
"""


class Shared:
    """A project whose runs meet in one journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flow.py").write_text(SHARED)

    def run(self, pipeline: str = "flow", command: str = "run") -> "subprocess.Popen[str]":
        target = f"flow.py:{pipeline}" if command == "run" else pipeline
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "anabranch", command, target],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )

    def entered(self) -> int:
        path = self.folder / "entered"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def calls(self) -> int:
        """How many runs have made their call."""
        journal = SqliteJournal(self.folder / ".anabranch" / "journal.db")
        try:
            runs = [summary.run for summary in journal.runs()]
            return sum(
                isinstance(event, InvocationCreated) for r in runs for _, event in journal.read(r)
            )
        finally:
            journal.close()

    def statuses(self) -> list[str]:
        """Of the runs, the oldest first."""
        journal = SqliteJournal(self.folder / ".anabranch" / "journal.db")
        try:
            return [summary.status for summary in reversed(journal.runs())]
        finally:
            journal.close()


@pytest.fixture
def shared(project: Any) -> Shared:
    return Shared(project.folder)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def two_that_need_the_same(
    shared: Shared, pipeline: str
) -> tuple["subprocess.Popen[str]", "subprocess.Popen[str]"]:
    """The first is computing it, and the second has come to where it needs it."""
    first = shared.run()
    until(lambda: shared.entered() == 1)
    second = shared.run(pipeline)
    until(lambda: shared.calls() == 2)
    return first, second


@pytest.mark.parametrize("pipeline", ["flow", "submitted"])
def test_l03_of_two_processes_that_need_the_same_one_computes_it(
    shared: Shared, pipeline: str
) -> None:
    first, second = two_that_need_the_same(shared, pipeline)
    (shared.folder / "go").touch()

    for process in (first, second):
        assert process.wait(60) == 0, process.communicate()
        process.communicate()
    assert shared.entered() == 1
    assert shared.statuses() == ["completed", "completed"]


@pytest.mark.parametrize("pipeline", ["flow", "submitted"])
def test_l03_if_the_process_that_computes_it_is_killed_the_other_does_it(
    shared: Shared, pipeline: str
) -> None:
    """At once, since its holder is known to be gone, and not only when its lease is over; and a resume finds it."""
    first, second = two_that_need_the_same(shared, pipeline)
    assert shared.entered() == 1

    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert second.wait(60) == 0, second.communicate()
    second.communicate()
    assert shared.entered() == 2
    journal = SqliteJournal(shared.folder / ".anabranch" / "journal.db")
    killed = journal.runs()[-1].run
    journal.close()
    resumed = shared.run(killed, "resume")
    assert resumed.wait(60) == 0, resumed.communicate()
    resumed.communicate()

    assert shared.entered() == 2
    assert shared.statuses() == ["completed", "completed"]


KILLED = """
import itertools, os, signal, sys

from anabranch.journal.sqlite import SqliteJournal, SqliteWriter

def armed(kind, name, touches, last, when):
    plain = getattr(kind, name)

    def touched(self, *args):
        now = next(touches)
        if now == last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = plain(self, *args)
        if now == last and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(kind, name, touched)

touches = itertools.count(1)
for kind, name in (
    (SqliteJournal, "kept"), (SqliteWriter, "claim"), (SqliteWriter, "append"),
    (SqliteWriter, "give_up"), (SqliteWriter, "_keep_outcomes"),
):
    armed(kind, name, touches, int(sys.argv[1]), sys.argv[2])

import flow

flow.flow.start()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_l03_a_driver_that_is_killed_at_any_touch_of_the_journal_leaves_nothing_that_hinders_others(
    shared: Shared, when: str
) -> None:
    (shared.folder / "go").touch()
    for touch in range(1, 16):
        (shared.folder / "flow.py").write_text(SHARED.replace("x + 1", f"x + {touch}"))
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(touch), when],
            cwd=shared.folder,
            check=False,
            timeout=60,
        )
        before = shared.entered()
        following = subprocess.run(
            [sys.executable, "-c", "import flow; print(flow.flow.start().load())"],
            cwd=shared.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert following.stdout.split() == [str(1 + touch)], following.stderr
        assert shared.entered() <= before + 1
        if ended.returncode == 0:
            break
    assert ended.returncode == 0, "the driver has no more touches of the journal than these"
