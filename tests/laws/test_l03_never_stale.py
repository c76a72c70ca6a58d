"""L3: a recorded outcome is reused only where identity, inputs and code all match; otherwise the reason is recorded."""

import pytest

FLOW = """
from anabranch import pipeline, step

FACTOR = 2

def helper(x):
    return x + 1

@step
def source() -> list[int]:
    return [1, 2, 3]

@step
def work(x: int, extra: int = 0) -> int:
    return helper(x) * FACTOR + extra

@step
def total(values: list[int]) -> int:
    return sum(values)

@step
def stop(ready: bool) -> None:
    if not ready:
        raise RuntimeError("stop here")

@pipeline
def flow():
    result = total(work.map(source()))
    stop(False)
    return result
"""

EDITS = {
    "a constant": ("FACTOR = 2", "FACTOR = 3", "FACTOR", 27),
    "a helper": ("return x + 1", "return x + 2", "helper", 24),
    "a default": ("extra: int = 0", "extra: int = 10", "work", 48),
    "its own code": ("* FACTOR + extra", "* FACTOR + extra + 1", "work", 21),
}


@pytest.mark.parametrize("what", EDITS)
def test_l03_after_a_change_of_the_code_the_step_runs_again_and_says_why(
    project, record, what: str
) -> None:
    old, new, named, result = EDITS[what]
    project.write(FLOW)
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    project.write(FLOW.replace(old, new).replace("stop(False)", "stop(True)"))
    shown = project.python(
        "-c",
        "from anabranch.authoring.runs import resume as resume_run; print(resume_run('latest').load())",
    )
    assert shown.stdout.split()[-1] == str(result), shown.stderr
    assert sorted(record.executed()) == ["stop", "total", "work[0]", "work[1]", "work[2]"]
    assert named in record.reasons()["work[0]"]


def test_l03_a_changed_argument_runs_again_and_nothing_else(project, record) -> None:
    project.write(FLOW)
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    changed = FLOW.replace("work.map(source())", "work.map(source(), extra=[0, 0, 5])")
    project.write(changed.replace("stop(False)", "stop(True)"))
    assert project.python("-m", "anabranch", "resume", "latest").returncode == 0
    assert "source" not in record.executed()
    assert "total" in record.executed()


def test_l03_what_lies_below_an_upstream_that_gave_the_same_is_reused(project, record) -> None:
    project.write(FLOW)
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    same = FLOW.replace("return [1, 2, 3]", "return [1] + [2, 3]")
    project.write(same.replace("stop(False)", "stop(True)"))
    assert project.python("-m", "anabranch", "resume", "latest").returncode == 0
    assert sorted(record.executed()) == ["source", "stop"]


def test_l03_an_item_that_changed_runs_again_alone(project, record) -> None:
    project.write(FLOW)
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    changed = FLOW.replace("return [1, 2, 3]", "return [1, 2, 4]")
    project.write(changed.replace("stop(False)", "stop(True)"))
    assert project.python("-m", "anabranch", "resume", "latest").returncode == 0
    assert sorted(record.executed()) == ["source", "stop", "total", "work[2]"]
    assert record.reasons()["work[2]"] == "its inputs have changed"
