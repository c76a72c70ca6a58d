"""The programs in examples/ run as their docstrings say, and go on after a SIGKILL to the result of an unbroken run."""

import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anabranch.journal.events import LogWritten, OutcomeRecorded, OutcomeReused
from anabranch.journal.fold import RunState, fold
from anabranch.stacks import open_stack

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """A program, its last step, a text that this prints, and after how many finished steps it is killed."""

    file: str
    last: str
    prints: str
    kill_after: int
    needs: str = ""

    @property
    def path(self) -> Path:
        return EXAMPLES / self.file

    def __str__(self) -> str:
        return self.path.stem


ALL = [
    Example("first_pipeline.py", "report", "squash   ############", 4),
    Example(
        "hierarchical_doc_search/search.py",
        "answer",
        "Ropes > Care > Drying: Dry a wet rope in the shade",
        6,
    ),
    Example("rlm_document_analysis/analysis.py", "combine", "day 049, lock: level 9.6 m, flood", 6),
    Example("optuna_hyperparameter_tuning/tuning.py", "report", "of them diverged)", 8, "optuna"),
]


@pytest.fixture(params=ALL, ids=str)
def example(request: pytest.FixtureRequest) -> Example:
    chosen: Example = request.param
    if chosen.needs and importlib.util.find_spec(chosen.needs) is None:
        pytest.skip(f"{chosen} needs {chosen.needs}")
    return chosen


def newest() -> RunState:
    """The state of the newest run. Folding it is a test by itself: two outcomes of one call are refused (L1)."""
    with open_stack() as stack:
        run = stack.journal.find("latest")
        return fold(stack.journal.read(run, without=(LogWritten,)))


def result_of(state: RunState, example: Example) -> str:
    """The digest of what the last step returned."""
    (last,) = [known for known in state.invocations.values() if known.step == example.last]
    return last.outputs[0].digest


@pytest.mark.slow
def test_an_example_runs_as_a_script_and_as_a_target_with_one_result(
    project: Any, example: Example
) -> None:
    results = []
    for command in ([example.path], ["-m", "anabranch", "run", example.path]):
        done = project.python(*command)
        assert done.returncode == 0, done.stderr
        assert example.prints in done.stdout
        state = newest()
        assert state.status == "completed"
        results.append(result_of(state, example))

    assert results[0] == results[1]


@pytest.mark.slow
def test_a_killed_example_is_resumed_to_the_same_result(project: Any, example: Example) -> None:
    """L1, L2, L8, L9. Nothing that was recorded is executed again."""
    whole = project.python(example.path)
    assert whole.returncode == 0, whole.stderr
    unbroken = newest()

    kill(example, project.folder)
    recorded = outcomes()
    assert example.kill_after <= recorded < len(unbroken.invocations)
    resumed = project.python("-m", "anabranch", "resume", "latest")

    assert resumed.returncode == 0, resumed.stderr
    state = newest()
    assert state.run != unbroken.run
    assert (state.status, state.life) == ("completed", 2)
    assert set(state.invocations) == set(unbroken.invocations)
    assert result_of(state, example) == result_of(unbroken, example)
    assert reused() == recorded
    assert outcomes() == len(state.invocations)


def kill(example: Example, folder: Path) -> None:
    """Starts it, and kills it once it has told of so many steps that they are done."""
    driver = subprocess.Popen(
        [sys.executable, "-u", str(example.path)],
        cwd=folder,
        env={**os.environ, "ANABRANCH_CONSOLE": "plain"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert driver.stderr is not None
    with driver, driver.stderr as lines:
        told = 0
        for line in lines:
            told += line.startswith(("completed", "failed"))
            if told == example.kill_after:
                break
        os.kill(driver.pid, signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL, "it ended before it was killed"


def outcomes() -> int:
    """How many outcomes the newest run has recorded."""
    return count(OutcomeRecorded)


def reused() -> int:
    return count(OutcomeReused)


def count(kind: type) -> int:
    with open_stack() as stack:
        events = stack.journal.read(stack.journal.find("latest"))
        return sum(isinstance(event, kind) for _, event in events)


def test_the_examples_are_small_and_say_what_they_are() -> None:
    """Under 200 lines each, and each opens with how to run it."""
    for example in ALL:
        text = example.path.read_text()
        assert len(text.splitlines()) < 200, example
        assert f"examples/{example.file}" in text.split('"""')[1], example
    assert {path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.py")} == {
        Path(example.file) for example in ALL
    }


def test_another_model_plugs_in_by_name(project: Any) -> None:
    path = EXAMPLES / "rlm_document_analysis" / "analysis.py"
    project.write(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\nclass Call:\n    tool: str\n    argument: str\n"
        "class Loud:\n    def next_call(self, question, seen):\n"
        "        return Call('answer', 'level 1.5 m, at once')\n",
        "loud.py",
    )
    done = project.python(path, ANABRANCH_EXAMPLE_MODEL="loud:Loud", PYTHONPATH=str(project.folder))

    assert done.returncode == 0, done.stderr
    assert "at once" in done.stdout
    assert "5 agents answered in 5 turns" in done.stdout
