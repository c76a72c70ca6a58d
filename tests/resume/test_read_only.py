"""A journal that may not be written is told in three lines before any step runs; with the right to write all goes on.

Root may write anywhere, whatever the permissions say. So as root the program is run without that privilege.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLOW = """
from pathlib import Path

from anabranch import pipeline, step

HERE = Path(__file__).parent

@step
def number(x: int) -> int:
    with open(HERE / "ran.txt", "a") as file:
        file.write(f"{x}\\n")
    return x

@step
def fails_at_first() -> int:
    if not (HERE / "mended").exists():
        raise ValueError("not yet")
    return 3

@pipeline
def flow() -> int:
    number(1)
    return fails_at_first()
"""

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def anabranch(project: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command line, for a user whom permissions bind."""
    command = [sys.executable, "-W", "error", "-m", "anabranch", *words]
    return subprocess.run(
        [*(UNPRIVILEGED if os.geteuid() == 0 else []), *command],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ran(project: Any) -> list[str]:
    path = project.folder / "ran.txt"
    return path.read_text().split() if path.exists() else []


def three_lines(done: "subprocess.CompletedProcess[str]") -> str:
    """What it has told, after a check that it is nothing but an error in three lines."""
    assert done.returncode == 3, (done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 3, done.stderr
    assert lines[1].startswith("  in: ")
    assert lines[2].startswith("  do: make ")
    return done.stderr


@pytest.fixture
def failed(project: Any) -> Any:
    """A project with a run that failed, and can be resumed now."""
    project.write(FLOW)
    assert anabranch(project, "run", "flow.py").returncode == 1
    (project.folder / "mended").touch()
    return project


@pytest.fixture
def locked() -> Iterator[Any]:
    """Takes the right to write to files and folders away until the test is over."""
    taken: list[Path] = []

    def lock(*paths: Path) -> None:
        for path in paths:
            path.chmod(path.stat().st_mode & ~0o222)
        taken.extend(paths)

    yield lock
    for path in taken:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize("what", ["file", "folder", "both"])
def test_a_run_in_a_read_only_journal_is_resumed_once_it_may_be_written(
    what, failed, locked
) -> None:
    home = failed.folder / ".anabranch"
    locked(
        *{"file": [home / "journal.db"], "folder": [home], "both": [home / "journal.db", home]}[
            what
        ]
    )
    before = (home / "journal.db").read_bytes()

    told = three_lines(anabranch(failed, "resume", "latest"))

    assert "journal.db" in told
    assert (home / "journal.db").read_bytes() == before
    assert ran(failed) == ["1"]
    for path in (home, *home.iterdir()):  # SQLite makes the files beside it as the file is
        path.chmod(path.stat().st_mode | 0o200)
    assert anabranch(failed, "resume", "latest").returncode == 0
    assert ran(failed) == ["1"]


@pytest.mark.parametrize("where", [".", ".anabranch"])
def test_a_new_run_where_no_journal_can_be_made_runs_no_step(where, project, locked) -> None:
    project.write(FLOW)
    (project.folder / where).mkdir(exist_ok=True)
    locked(project.folder / where)

    three_lines(anabranch(project, "run", "flow.py"))

    assert ran(project) == []


def test_what_is_recorded_can_be_read_from_a_file_that_may_not_be_written(failed, locked) -> None:
    locked(failed.folder / ".anabranch" / "journal.db")

    shown = anabranch(failed, "runs", "show", "latest")

    assert shown.returncode == 0, shown.stderr
    assert "fails_at_first" in shown.stdout
