"""A journal in a new file, and the first event of a run."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import anabranch
from anabranch.journal.events import DriverStarted, InvocationCreated, OutcomeRecorded, RunCreated
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import InvocationId, RunId

# Other work on the machine must not fail a test, and the checkout stays clean.
settings.register_profile("journal", deadline=None, database=None, max_examples=60)
settings.load_profile("journal")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".anabranch" / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(file)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def created() -> Callable[..., RunCreated]:
    """The first event of a run."""

    def make(run: str = "20260101-120000-aaaaa", at: float = 1000.0) -> RunCreated:
        return RunCreated(
            at=at,
            run=RunId(run),
            pipeline="flow",
            entry={"file": "flow.py", "name": "flow"},
            stack="local",
            version="0",
        )

    return make


@pytest.fixture(scope="session")
def life() -> Callable[..., DriverStarted]:
    return lambda number=1: DriverStarted(
        at=1000.0, life=number, holder=f"driver {number}", python="3.11"
    )


@pytest.fixture(scope="session")
def call() -> Callable[..., InvocationCreated]:
    """The event that an invocation exists."""
    return lambda id="a", **more: InvocationCreated(
        at=1001.0, invocation=InvocationId(id), step="work", display=f"work_{id}", **more
    )


@pytest.fixture(scope="session")
def outcome() -> Callable[..., OutcomeRecorded]:
    """The outcome of an invocation."""
    return lambda id="a", **more: OutcomeRecorded(
        **{
            "at": 1002.0,
            "invocation": InvocationId(id),
            "attempt": 1,
            "status": "completed",
            **more,
        }
    )


@pytest.fixture
def three_lines() -> Callable[[BaseException], None]:
    """Checks that an error says what happened, to what, and what to do (L11)."""

    def check(error: BaseException) -> None:
        lines = str(error).splitlines()
        assert len(lines) == 3, str(error)
        assert lines[1].startswith("  in: ")
        assert lines[2].startswith("  do: ")

    return check


@pytest.fixture(scope="session")
def other_process() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts another interpreter, which knows this package, on some code."""
    home = str(Path(anabranch.__file__).parents[1])

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": home},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
