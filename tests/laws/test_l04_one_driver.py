"""L4: a run has one driver; a second one waits for it, says for whom, and does only what is left."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anabranch import pipeline, step
from anabranch.authoring.runs import resume as resume_run
from anabranch.errors import RunBusy

FLOW = """
import time
from pathlib import Path
from anabranch import pipeline, step

@step
def work(x: int) -> int:
    with open("executed", "a") as notes:
        notes.write("work\\n")
    print("begun", flush=True)
    while not Path("go on").exists():
        time.sleep(0.02)
    if Path("fail").exists():
        raise ValueError("as told")
    return x + 1

@pipeline
def flow():
    return work(1)
"""


class Project:
    """A folder with the pipeline above, and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "flow.py").write_text(FLOW)
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "anabranch", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def driver(self) -> subprocess.Popen[str]:
        """A driver whose step has begun, and goes on once there is a file `go on`."""
        process = self.start("run", "flow.py")
        assert process.stdout is not None
        while "begun" not in process.stdout.readline():
            assert process.poll() is None
        return process

    def parked(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        """A second driver, and what it says about the first."""
        process = self.start("resume", "latest", *arguments)
        assert process.stderr is not None
        return process, process.stderr.readline()

    def go_on(self) -> None:
        (self.folder / "go on").touch()

    def executed(self) -> int:
        return len((self.folder / "executed").read_text().splitlines())

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def project(tmp_path: Path) -> Any:
    project = Project(tmp_path)
    yield project
    project.end()


def test_L4_a_second_driver_names_the_first_waits_and_tells_how_the_run_ended(
    project: Project,
) -> None:
    first = project.driver()
    second, said = project.parked("--json")

    assert f":{first.pid}" in said
    assert "waiting for it" in said
    project.go_on()
    told, _ = second.communicate(timeout=60)
    assert json.loads(told)["status"] == "completed"
    assert second.returncode == 0
    assert project.executed() == 1


def test_L4_the_failure_that_ended_the_first_driver_is_that_of_the_second(
    project: Project,
) -> None:
    (project.folder / "fail").touch()
    project.driver()
    second, _ = project.parked("--json")
    project.go_on()

    told, _ = second.communicate(timeout=60)

    assert json.loads(told)["status"] == "failed"
    assert second.returncode == 1
    assert project.executed() == 1


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_L4_L9_a_second_driver_takes_over_when_the_first_is_gone(
    project: Project, end: signal.Signals
) -> None:
    first = project.driver()
    second, _ = project.parked()

    first.send_signal(end)
    if end is signal.SIGINT:
        first.send_signal(end)
    first.communicate(timeout=60)
    project.go_on()
    second.communicate(timeout=60)

    assert second.returncode == 0
    assert project.executed() == 2


def test_L4_whoever_does_not_want_to_wait_is_told_at_once(project: Project) -> None:
    first = project.driver()
    second = project.start("resume", "latest", "--no-wait")

    _, said = second.communicate(timeout=60)

    assert second.returncode == 3
    assert f":{first.pid}" in said
    assert len(said.splitlines()) == 3


def test_L4_20_drivers_that_race_for_one_run_execute_it_once(project: Project) -> None:
    first = project.driver()
    first.kill()
    first.communicate()
    drivers = [project.start("resume", "latest") for _ in range(20)]
    project.go_on()

    ended = [(driver.communicate(timeout=120), driver.returncode) for driver in drivers]

    assert [code for _, code in ended if code not in (0, 2)] == []
    assert project.executed() == 2


def test_L4_a_driver_whose_run_was_deleted_while_it_was_stopped_writes_nothing_anywhere(
    project: Project,
) -> None:
    """The newest run is deleted, and the next takes its place in the journal: not its number."""
    (project.folder / "stacks").mkdir()
    (project.folder / "stacks" / "hasty.toml").write_text("[journal]\nlease_seconds = 1\n")
    (project.folder / "pyproject.toml").write_text("[tool.anabranch]\ndefault = 'hasty'\n")
    zombie = project.driver()
    zombie.send_signal(signal.SIGSTOP)
    while project.start("runs", "delete", "latest", "--yes").wait(timeout=60) != 0:
        assert zombie.poll() is None  # its lease still lasts
    other = project.driver()

    zombie.send_signal(signal.SIGCONT)
    project.go_on()
    _, said = zombie.communicate(timeout=60)
    other.communicate(timeout=60)

    assert "no longer holds run" in said
    assert zombie.returncode == 3
    assert other.returncode == 0
    [run] = json.loads(project.start("runs", "ls", "--json").communicate(timeout=60)[0])["runs"]
    shown = project.start("runs", "show", run["run"], "--json").communicate(timeout=60)[0]
    assert (run["status"], json.loads(shown)["counts"]) == ("completed", {"completed": 1})


@step
def resumes_itself() -> str:
    with pytest.raises(RunBusy):
        resume_run("latest", observers=())
    return "refused"


@pipeline
def selfish() -> Any:
    return resumes_itself()


def test_L4_a_run_that_resumes_itself_is_refused_and_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert selfish.start(observers=()).load() == "refused"
