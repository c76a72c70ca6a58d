"""A run that pauses for an answer, as it is used: from the command line, and from another program."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import anabranch
from anabranch.errors import UserMistake
from anabranch.stacks import open_stack

FLOW = """
from pathlib import Path
from anabranch import pipeline, step, wait_for

@step
def prepare() -> int:
    with open("executed", "a") as notes:
        notes.write("prepare\\n")
    return 41

@pipeline
def flow():
    prepared = prepare()
    if wait_for("approve", bool, "Deploy?", timeout={timeout}):
        return prepared.load() + 1
    return 0
"""


@pytest.fixture
def paused(project: Any) -> str:
    """The id of a run that waits, and has no driver."""
    project.write(FLOW.format(timeout=0))
    done = project.python("-m", "anabranch", "run", "flow.py")
    assert done.returncode == 4
    with open_stack() as stack:
        return stack.journal.find("latest")


def status(run: str) -> str:
    with open_stack() as stack:
        return stack.journal.summary(stack.journal.find(run)).status


def test_an_answer_brings_a_paused_run_back_and_to_its_end(paused: str, project: Any) -> None:
    done = project.python("-m", "anabranch", "answer", paused, "approve", "yes", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "completed"
    assert Path("executed").read_text() == "prepare\n"


def test_an_answer_that_does_not_fit_is_told_in_three_lines(paused: str, project: Any) -> None:
    done = project.python("-m", "anabranch", "answer", paused, "approve", "17")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == [
        "the answer does not fit: Input should be a valid boolean, unable to interpret input",
        f"  in: wait 'approve' of run {paused}",
        "  do: answer again; the run still waits",
    ]
    assert status(paused) == "paused"


def test_a_wait_that_there_is_not_is_told_with_the_nearest(paused: str, project: Any) -> None:
    done = project.python("-m", "anabranch", "answer", paused, "aprove", "yes")

    assert done.returncode == 2
    assert "did you mean 'approve'?" in done.stderr


def test_the_open_waits_are_listed_with_what_is_expected(paused: str, project: Any) -> None:
    done = project.python("-m", "anabranch", "answer", paused, "--json")

    (wait,) = json.loads(done.stdout)["waits"]
    assert (wait["name"], wait["question"]) == ("approve", "Deploy?")
    assert wait["schema"] == {"type": "boolean"}
    assert "Deploy?" in project.python("-m", "anabranch", "answer", paused).stdout


def test_an_answer_may_be_left_for_whoever_resumes_the_run(paused: str, project: Any) -> None:
    left = project.python("-m", "anabranch", "answer", paused, "approve", "true", "--no-resume")
    assert (left.returncode, status(paused)) == (4, "paused")

    done = project.python("-m", "anabranch", "resume", paused)

    assert (done.returncode, status(paused)) == (0, "completed")


def test_another_program_answers_with_a_plain_value(paused: str, project: Any) -> None:
    run = anabranch.answer(paused, "approve", True, observers=())

    assert (run.status, run.load()) == ("completed", 42)
    with pytest.raises(UserMistake, match="waits for no answer"):
        anabranch.answer(paused, "approve", True)


def test_a_driver_that_lives_takes_the_answer_and_nobody_else_drives(project: Any) -> None:
    project.write(FLOW.format(timeout=600))
    driver = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "flow.py"], stderr=subprocess.DEVNULL
    )
    try:
        while not Path("executed").exists():
            time.sleep(0.01)
        run = answered_when_open()
        assert driver.wait(30) == 0
    finally:
        driver.kill()
        driver.wait()

    assert (run.status, status("latest")) == ("completed", "completed")


def answered_when_open() -> Any:
    """The step has run; the question comes a moment later."""
    while True:
        try:
            return anabranch.answer("latest", "approve", True, observers=())
        except UserMistake:
            time.sleep(0.01)


def test_a_paused_run_outlives_any_process_and_its_question_is_shown(
    paused: str, project: Any
) -> None:
    shown = project.python("-m", "anabranch", "runs", "show", paused)

    assert "paused" in shown.stdout
    assert "waits for approve: Deploy?" in shown.stdout
    assert "anabranch answer" in shown.stdout
