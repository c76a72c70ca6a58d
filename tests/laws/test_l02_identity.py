"""L2: identity does not depend on order."""

import random

FLOW = """
from anabranch import pipeline, step

@step
def alone(x: int) -> int:
    return x

@step
def pair(a: int, b: int) -> int:
    return a * 100 + b

@step
def stop(ready: bool) -> None:
    if not ready:
        raise RuntimeError("stop here")

@pipeline
def small(n: int):
    return alone(n)

@pipeline
def flow():
    made = {{}}
{calls}
    stop({ready})
"""


def lines(order: list[int]) -> str:
    """200 calls of many kinds; those that need another's result make it where they stand, if it is not there yet."""
    text = []
    for n in order:
        kind = n % 5
        call = {
            0: f"alone({n})",
            1: f"pair({n}, alone({n + 1000}))",
            2: f"alone.submit({n})",
            3: f"pair.map([{n}, {n + 1}], b=[{n}, 7])",
            4: f"small.submit({n})",
        }[kind]
        text.append(f"    made[{n}] = {call}")
    return "\n".join(text)


def test_l02_two_hundred_shuffled_calls_are_not_executed_again(project, record) -> None:
    order = list(range(200))
    project.write(FLOW.format(calls=lines(order), ready=False))
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    before = len(record.state().invocations)
    assert before > 200

    random.Random(7).shuffle(order)
    project.write(FLOW.format(calls=lines(order), ready=True))
    result = project.python("-m", "anabranch", "resume", "latest")
    assert result.returncode == 0, result.stderr
    assert record.executed() == ["stop"]


def test_l02_inserting_and_removing_calls_leaves_the_others_alone(project, record) -> None:
    order = list(range(60))
    project.write(FLOW.format(calls=lines(order), ready=False))
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1

    changed = [500, *order[10:30], 505, *order[35:]]
    project.write(FLOW.format(calls=lines(changed), ready=True))
    result = project.python("-m", "anabranch", "resume", "latest")
    assert result.returncode == 0, result.stderr
    assert record.executed() == ["alone", "alone_2", "stop"] or len(record.executed()) == 3


def test_l02_equal_calls_are_told_apart_by_their_count(project, record) -> None:
    module = project.load(FLOW.format(calls="    alone(1); alone(1); alone(1)", ready=True))
    module.flow()
    names = [known.display for known in record.state().invocations.values()]
    assert names == ["alone", "alone_2", "alone_3", "stop"]


def test_l02_an_item_more_in_a_map_of_a_map_leaves_the_other_items_alone(project, record) -> None:
    source = "    alone.map(pair.map({values}, b={values})).wait()"
    project.write(FLOW.format(calls=source.format(values=[1, 2, 3]), ready=False))
    assert project.python("-m", "anabranch", "run", "flow.py:flow").returncode == 1
    project.write(FLOW.format(calls=source.format(values=[9, 1, 2, 3]), ready=True))
    result = project.python("-m", "anabranch", "resume", "latest")
    assert result.returncode == 0, result.stderr
    assert sorted(record.executed()) == ["alone[0]", "pair[0]", "stop"]
