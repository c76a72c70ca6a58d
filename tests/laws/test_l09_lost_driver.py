"""L9: a run whose driver is gone does not look as if it were going on."""

import json
import signal
import subprocess
import sys
from pathlib import Path

SLOW = """
import time
from anabranch import pipeline, step

@step
def slow(x: int) -> int:
    print("begun", flush=True)
    time.sleep(600)
    return x

@pipeline
def flow():
    return slow(1)
"""


def anabranch(project: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "anabranch", *arguments]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True)


def status(project: Path) -> str:
    told, _ = anabranch(project, "runs", "ls", "--json").communicate(timeout=60)
    (run,) = json.loads(told)["runs"]
    return run["status"]


def test_L9_a_run_is_lost_as_soon_as_its_driver_was_killed_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(SLOW)
    driver = anabranch(tmp_path, "run", "flow.py")
    assert driver.stdout is not None
    while "begun" not in driver.stdout.readline():
        assert driver.poll() is None
    assert status(tmp_path) == "running"

    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=60)

    assert status(tmp_path) == "lost"
