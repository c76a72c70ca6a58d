"""A run fails, its body is edited, and the run is resumed: nothing is executed that need not be (laws L2 and L3).

Each case is a body that fails at its last call, the body after the edit, what the edited run returns, and what it
executes. Steps print what they do, so that the logs tell.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from anabranch import Run, resume
from anabranch.authoring.plans import plan_resume
from anabranch.journal.events import OutcomeRecorded
from anabranch.model.ids import InvocationId
from anabranch.stacks import open_stack

HEAD = """
import os

from anabranch import as_completed, pipeline, step, unmapped, wait_any

@step
def work(name):
    print(name)
    return name

@step
def twice(name):
    print("twice", name)
    return name * 2

@step
def parts(name):
    print("parts", name)
    return list(name)

@step
def joined(names):
    print("joined", *names)
    return "".join(names)

@step
def breaks(name):
    print("breaks", name)
    if name == os.environ.get("BAD"):
        raise ValueError(name)
    return name

@step
def last(result):
    if not READY:
        raise OSError("not yet")
    return result
"""


@dataclass(frozen=True)
class Case:
    """`bad` is what fails in `breaks`, before the edit and after it, for reasons outside the code."""

    before: str
    after: str
    result: Any
    ran: list[str]
    bad: tuple[str, str] = ("", "")


FAMILY = """
@pipeline
def leaf(name):
    made = work(name)
    return twice(made)

@pipeline
def branch(name):
    left = leaf(name + "l")
    right = leaf(name + "r")
    return joined([left, right, breaks(name)])

@pipeline
def flow():
    return last(branch("x"))
"""

RECURSION = """
@pipeline
def down(name):
    here = work(name)
    if len(name) < 4:
        return joined([here, down(name + "o")])
    return joined([here, breaks(name)])

@pipeline
def flow():
    return last(down("w"))
"""

CHAIN = """
@pipeline
def flow():
    first = twice.map(parts("abc"))
    second = breaks.map(first)
    return last(joined(twice.map(second)))
"""

WATCHED = """
@pipeline
def flow():
    futures = [work.submit(name) for name in "abcd"]
    found = sorted(future.load() for future in as_completed(futures))
    return last(joined(found))
"""

TRYING = """
@pipeline
def child(name):
    return breaks(name)

@pipeline
def flow():
    found = []
    for name in "abc":
        try:
            found.append(child(name).load())
        except ValueError as error:
            found.append(work("not " + str(error)).load())
    return last(found)
"""

MENDED = """
@step
def breaks(name):
    print("breaks", name)
    return name
"""

LOOP = """
@pipeline
def flow():
    name = "a"
    while len(name) < 8:
        name = twice(name).load()
    return last(work(name))
"""

CASES: dict[str, Case] = {
    "a failed grandchild, mended": Case(
        FAMILY, FAMILY, "xlxlxrxrx", ["breaks x", "joined xlxl xrxr x"], bad=("x", "")
    ),
    "a failed child, its calls reordered": Case(
        FAMILY,
        FAMILY.replace(
            '    left = leaf(name + "l")\n    right = leaf(name + "r")\n',
            '    right = leaf(name + "r")\n    left = leaf(name + "l")\n',
        ),
        "xlxlxrxrx",
        ["breaks x", "joined xlxl xrxr x"],
        bad=("x", ""),
    ),
    "a failed child, calls inserted and one removed": Case(
        FAMILY,
        FAMILY.replace('    left = leaf(name + "l")\n', '    more = leaf(name + "m")\n').replace(
            "[left, right,", "[more, right,"
        ),
        "xmxmxrxrx",
        ["xm", "twice xm", "breaks x", "joined xmxm xrxr x"],
        bad=("x", ""),
    ),
    "a finished child, called from another place": Case(
        FAMILY,
        FAMILY.replace('last(branch("x"))', 'last([branch("x"), work("new")][0])'),
        "xlxlxrxrx",
        ["new"],
    ),
    "a recursion that failed at its bottom": Case(
        RECURSION,
        RECURSION,
        "wwowoowooowooo",
        [
            *("breaks wooo", "joined wooo wooo", "joined woo wooowooo"),
            *("joined wo woowooowooo", "joined w wowoowooowooo"),
        ],
        bad=("wooo", ""),
    ),
    "a recursion that is finished, with a call more at each level": Case(
        RECURSION,
        RECURSION.replace("    here = work(name)\n", '    here = work(name)\n    twice("-")\n'),
        "wwowoowooowooo",
        ["twice -"] * 4,
    ),
    "a chain of maps that broke at one item": Case(
        CHAIN,
        CHAIN,
        "aaaabbbbcccc",
        ["breaks bb", "twice bb", "joined aaaa bbbb cccc"],
        bad=("bb", ""),
    ),
    "a chain of maps, with another map before it": Case(
        CHAIN,
        CHAIN.replace("    first =", '    twice.map(parts("z"))\n    first ='),
        "aaaabbbbcccc",
        ["parts z", "twice z"],
    ),
    "a chain of maps, its last link taken out": Case(
        CHAIN, CHAIN.replace("twice.map(second)", "second"), "aabbcc", ["joined aa bb cc"]
    ),
    "a watched list, reordered": Case(WATCHED, WATCHED.replace('"abcd"', '"dbca"'), "abcd", []),
    "a watched list with one more and one less": Case(
        WATCHED, WATCHED.replace('"abcd"', '"xbcd"'), "bcdx", ["x", "joined b c d x"]
    ),
    "a watched list, waited for otherwise": Case(
        WATCHED,
        WATCHED.replace("as_completed(futures)", "futures"),
        "abcd",
        [],
    ),
    "failures of children that the body has handled": Case(
        TRYING, TRYING, ["a", "not b", "c"], [], bad=("b", "b")
    ),
    "a handled failure, with calls reordered around it": Case(
        TRYING, TRYING.replace('"abc"', '"cab"'), ["c", "a", "not b"], [], bad=("b", "b")
    ),
    "a handled failure that is mended": Case(
        TRYING, MENDED + TRYING, ["a", "b", "c"], ["breaks a", "breaks b", "breaks c"], ("b", "b")
    ),
    "a failure that is handled after the edit": Case(
        TRYING.replace("except ValueError", "except KeyError"),
        TRYING,
        ["a", "not b", "c"],
        ["breaks b", "not b", "breaks c"],
        bad=("b", "b"),
    ),
    "a loop whose length its values decide": Case(LOOP, LOOP, "aaaaaaaa", []),
    "a loop that goes on for longer": Case(
        LOOP, LOOP.replace("< 8", "< 16"), "a" * 16, ["twice aaaaaaaa", "a" * 16]
    ),
    "a loop that ends sooner": Case(LOOP, LOOP.replace("< 8", "< 4"), "aaaa", ["aaaa"]),
}


HANDLED = [
    name for name in CASES if "that the body has handled" in name or name.startswith("a handled")
]


@pytest.fixture
def load(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pipeline with this body, in a world where `bad` fails."""

    def loaded(body: str, bad: str, ready: bool) -> Any:
        monkeypatch.setenv("BAD", bad)
        return project.load(f"{HEAD}\n{body}\nREADY = {ready}\n").flow

    return loaded


@pytest.mark.parametrize("name", CASES)
def test_after_an_edit_nothing_runs_that_need_not(name: str, load: Any) -> None:
    case = CASES[name]
    first, second = case.bad
    run = load(case.before, first, ready=False).start()
    assert run.status == "failed"

    load(case.after, second, ready=True)
    again, ran = resumed(run)

    assert again.status == "completed", again.error
    assert again.load() == case.result
    assert sorted(ran) == sorted(case.ran)


@pytest.mark.parametrize("name", CASES)
def test_a_resume_before_it_is_mended_runs_the_failure_alone_and_costs_nothing_later(
    name: str, load: Any
) -> None:
    case = CASES[name]
    first, second = case.bad
    run = load(case.before, first, ready=False).start()
    between, ran = resumed(run)
    assert between.status == "failed"
    assert ran == ([f"breaks {first}"] if first and name not in HANDLED else [])

    load(case.after, second, ready=True)
    again, ran = resumed(between)

    assert again.load() == case.result
    assert sorted(ran) == sorted(case.ran)


@pytest.mark.parametrize("name", CASES)
def test_what_a_plan_promises_comes_true(name: str, load: Any) -> None:
    case = CASES[name]
    first, second = case.bad
    run = load(case.before, first, ready=False).start()
    load(case.after, second, ready=True)
    number = run.state.events

    plan = plan_resume(run.id)
    again = resume(run.id, observers=())

    executed = executed_after(again, number)
    for call in plan.calls:
        is_open = "if its inputs" in call.reason or "unless its inputs" in call.reason
        if call.decision in ("reuse", "orphan"):
            assert is_open or call.invocation not in executed, call
        elif call.is_reached:
            assert is_open or call.invocation in executed, call
    assert plan.beyond
    assert executed


def executed_after(run: Run, number: int) -> set[InvocationId]:
    """The calls that got an outcome after that event."""
    with open_stack() as stack:
        events = [event for _, event in stack.journal.read(run.id, after=number)]
    return {event.invocation for event in events if isinstance(event, OutcomeRecorded)}


def resumed(run: Run) -> tuple[Run, list[str]]:
    before = run.logs()
    again = resume(run.id, observers=())
    return again, again.logs().removeprefix(before).splitlines()
