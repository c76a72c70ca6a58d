"""A disk that is full ends the run with three lines; once there is room, a resume completes it. Nothing is lost.

The disk is real: a small tmpfs in a mount namespace of its own, which is gone when its last process is. A
limit on the size of files, which needs no privileges, refuses a write in the middle of a run as well, with another
error number. Outside CI it has to do where the kernel lets us mount nothing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anabranch.journal.fold import RunState, fold
from anabranch.journal.sqlite import SqliteJournal

FLOW = """
from pathlib import Path

from anabranch import pipeline, step

RAN = Path(__file__).with_name("ran.txt")

def note(x):
    with RAN.open("a") as file:
        file.write(f"{x}\\n")

@step
def block(x: int, size: int) -> bytes:
    note(x)
    return x.to_bytes(4, "big") * (size // 4)

@step
def total(blocks: list[bytes]) -> int:
    return sum(map(len, blocks))

@pipeline
def one_by_one(size: int, count: int) -> int:
    return total([block(x, size) for x in range(count)])

@pipeline
def at_once(size: int, count: int) -> int:
    return total(block.map(range(count), [size] * count))

@pipeline
def swallowing(size: int, count: int) -> int:
    done = []
    for x in range(count):
        try:
            done.append(block(x, size))
        except Exception:
            pass
    return total(done)

@pipeline
def returning(size: int, count: int) -> bytes:
    note("body")
    return bytes(size * count)
"""

MOUNTED = """
set -u
mkdir -p {small}
mount -t tmpfs -o size={kilobytes}k none {small}
{run}
echo "exit $?" >> told.txt
cp -r .anabranch first
mount -o remount,size=64m {small}
{resume}
echo "exit $?" >> told.txt
cp -r .anabranch second
"""

LIMITED = """
set -u
(ulimit -f {kilobytes}; {run})
echo "exit $?" >> told.txt
cp -r .anabranch first
{resume}
echo "exit $?" >> told.txt
cp -r .anabranch second
"""

ANABRANCH = f"{sys.executable} -W error -m anabranch"
NAMESPACE = (
    ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
)


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


KINDS = ["limited"] + ["mounted"] * ("CI" in os.environ or _can_mount())
REFUSED = {"limited": "nothing that was recorded is lost", "mounted": "free some space"}
PIPELINES = ["one_by_one", "at_once", "swallowing"]


@dataclass(frozen=True)
class Lives:
    """What a run on a full disk, and the resume with room, have told; and what there was after each."""

    codes: Sequence[str]
    told: Sequence[str]
    states: Sequence[RunState]
    ran: Sequence[str]


def lives(project: Any, kind: str, small: str, kilobytes: int, run: str) -> Lives:
    project.write(FLOW)
    script = {"mounted": MOUNTED, "limited": LIMITED}[kind].format(
        small=small,
        kilobytes=kilobytes,
        run=f"{ANABRANCH} run {run} 2> run.txt",
        resume=f"{ANABRANCH} resume latest 2> resume.txt",
    )
    command = [*(NAMESPACE if kind == "mounted" else []), "bash", "-c", script]
    subprocess.run(command, cwd=project.folder, check=True, timeout=120)
    return Lives(
        codes=project.folder.joinpath("told.txt").read_text().split("\n")[:-1],
        told=[project.folder.joinpath(f"{name}.txt").read_text() for name in ("run", "resume")],
        states=[state(project.folder / name) for name in ("first", "second")],
        ran=project.folder.joinpath("ran.txt").read_text().split(),
    )


def state(home: Path) -> RunState:
    journal = SqliteJournal(home / "journal.db")
    try:
        return fold(journal.read(journal.find("latest")))
    finally:
        journal.close()


def check(found: Lives, *words: str) -> None:
    """It has told the trouble in three lines, and the second life has done what was left, and no more."""
    assert found.codes == ["exit 3", "exit 0"], found.told
    error = found.told[0].splitlines()[-3:]
    assert error[1].startswith("  in: "), found.told[0]
    assert error[2].startswith("  do: "), found.told[0]
    assert "Traceback" not in found.told[0]
    for word in words:
        assert word in "\n".join(error)
    first, second = found.states
    assert second.status == "completed"
    recorded = {id for id, known in first.invocations.items() if known.has_outcome}
    assert all(first.invocations[id].status == "completed" for id in recorded)
    for id in recorded:
        assert second.invocations[id].reused_in_life == 2, "what was recorded is there"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PIPELINES)
def test_L1_a_run_whose_journal_is_on_a_full_disk_ends_and_is_resumed_when_there_is_room(
    name, kind, project
) -> None:
    found = lives(project, kind, ".anabranch", 600, f"flow.py:{name} -p size=20000 -p count=60")

    check(found, "journal.db", REFUSED[kind])
    assert 0 < len([k for k in found.states[0].invocations.values() if k.has_outcome]) < 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PIPELINES)
def test_L1_a_run_whose_artifacts_are_on_a_full_disk_ends_and_is_resumed_when_there_is_room(
    name, kind, project
) -> None:
    """A step that could not leave its result has not failed: it has no outcome, whatever the body makes of it."""
    size = 100_000 if kind == "mounted" else 2_000_000  # a limit on files is one on each of them
    found = lives(
        project,
        kind,
        ".anabranch/artifacts",
        1000,
        f"flow.py:{name} -p size={size} -p count=20",
    )

    check(found, "artifact store cannot be written", "make room")
    assert "failed" not in {known.status for known in found.states[0].invocations.values()}


@pytest.mark.parametrize("kind", KINDS)
def test_L1_a_result_of_the_body_that_the_full_disk_refuses_is_asked_for_again(
    kind, project
) -> None:
    run = "flow.py:returning -p size=100000 -p count=20"
    found = lives(project, kind, ".anabranch/artifacts", 1000, run)

    check(found, "artifact store cannot be written", "make room")
    assert found.ran == ["body", "body"]


@pytest.mark.parametrize("kilobytes", [4, 36], ids=["no file", "no run"])
def test_a_run_that_the_full_disk_does_not_let_begin_runs_no_step(kilobytes, project) -> None:
    project.write(FLOW)
    command = f"{ANABRANCH} run flow.py:one_by_one -p size=10 -p count=3"

    full = subprocess.run(
        ["bash", "-c", f"ulimit -f {kilobytes}; {command}"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert full.returncode == 3
    assert len(full.stderr.splitlines()) == 3, full.stderr
    assert not (project.folder / "ran.txt").exists()
    subprocess.run(command.split(), cwd=project.folder, timeout=60, check=True)
    assert state(project.folder / ".anabranch").status == "completed"
