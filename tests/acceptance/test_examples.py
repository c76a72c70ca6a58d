"""The examples run offline, from end to end, and go on after they were killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "first_pipeline.py": "squash",
    "hierarchical_doc_search/search.py": "nature/plants/flowers",
    "rlm_document_analysis/analysis.py": "Outlook: Orders for 60 million",
    "optuna_hyperparameter_tuning/tuning.py": "'loss'",
}


def test_every_example_is_tested() -> None:
    assert {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")} == set(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_a_script(project, name: str) -> None:
    shown = project.python(EXAMPLES / name)
    assert shown.returncode == 0, shown.stderr
    assert SAYS[name] in shown.stdout


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_from_the_command_line(project, name: str) -> None:
    shown = project.python("-m", "anabranch", "run", EXAMPLES / name, timeout=120)
    assert shown.returncode == 0, shown.stderr


def test_an_example_that_was_killed_goes_on_to_the_same_result(project) -> None:
    """L1. Killed as soon as it has printed what its fifth watering did."""
    name = "first_pipeline.py"
    unbroken = project.python(EXAMPLES / name).stdout.splitlines()[-6:]
    process = subprocess.Popen(
        [sys.executable, "-u", EXAMPLES / name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ},
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    shown = project.python(
        "-c",
        "from anabranch.authoring.runs import resume_run as r; print(r('latest').load())",
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-6:] == unbroken
    assert shown.stdout.count("watering") < 9
