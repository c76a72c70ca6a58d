"""What peers do when a run is taken up again, and what must not happen here (PEERS §3: 1, 2, 3; §4)."""

import os
import random as chance
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from anabranch import Run
from anabranch.authoring.runs import resume as resume_run
from anabranch.errors import RunBusy
from anabranch.journal.events import OutcomeReused
from anabranch.stacks import open_stack

HEAD = """
from anabranch import pipeline, step, unmapped

@step
def work(name: str, factor: int = 1) -> str:
    print(name)
    return name * factor

@step
def other(name: str) -> str:
    print("other " + name)
    return name.upper()

@step
def joined(parts: list[str]) -> str:
    return "-".join(parts)

@step
def last(result):
    {last}

@pipeline
def flow():
{body}
"""

FAILS, WORKS = "raise OSError('not yet')", "return result"


class Edits:
    """A program that is run, edited and resumed, as in a new process each time."""

    def __init__(self, project: Any) -> None:
        self._project = project
        self.run: Run | None = None

    def first(self, body: str, head: str = HEAD) -> list[str]:
        """Runs it up to the failure of its last step; returns what ran."""
        self.run = self._project.load(_text(head, body, FAILS)).flow.start()
        assert isinstance(self.run.error, OSError), self.run.error
        return self.run.logs().splitlines()

    def then(self, body: str, head: str = HEAD) -> tuple[Any, list[str]]:
        """Resumes it with this body; returns the result and what ran again."""
        assert self.run is not None
        before = self.run.logs()
        self._project.load(_text(head, body, WORKS))
        self.run = resume_run(self.run.id, observers=())
        return self.run.load(), self.run.logs().removeprefix(before).splitlines()

    def reasons(self) -> dict[str, str]:
        """Why outcomes were not used again, by display id."""
        assert self.run is not None
        return {k.display: k.discarded for k in self.run.state.invocations.values() if k.discarded}


def _text(head: str, body: str, last: str) -> str:
    lines = "\n".join("    " + line for line in body.splitlines())
    return head.format(body=lines, last=last)


@pytest.fixture
def edits(project: Any) -> Edits:
    return Edits(project)


# --- order (1) -------------------------------------------------------------------------------------------------


def test_reordered_calls_keep_their_own_outputs(edits: Edits) -> None:
    """L2. A peer gave each call the other's output, and said that all was well."""
    assert edits.first('a = work("a")\nb = work("b")\nreturn last([a, b])') == ["a", "b"]

    assert edits.then('b = work("b")\na = work("a")\nreturn last([a, b])') == (["a", "b"], [])


def test_a_call_that_is_inserted_runs_and_the_others_do_not(edits: Edits) -> None:
    """L2."""
    edits.first('return last([work("a"), work("b")])')

    result, again = edits.then('return last([work("new"), work("a"), work("b")])')
    assert (result, again) == (["new", "a", "b"], ["new"])


def test_a_call_that_is_removed_leaves_the_others_alone(edits: Edits) -> None:
    """L2."""
    edits.first('return last([work("a"), work("b"), work("c")])')

    assert edits.then('return last([work("c"), work("a")])') == (["c", "a"], [])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("verb", ["work", "work.submit"])
def test_two_hundred_shuffled_calls_are_all_known_again(edits: Edits, seed: int, verb: str) -> None:
    """L2."""
    names = [str(i) for i in range(200)]
    shuffled = names.copy()
    chance.Random(seed).shuffle(shuffled)
    body = (
        "found = {{n: {verb}(n) for n in {names}}}\nreturn last([found[n] for n in sorted(found)])"
    )
    assert sorted(edits.first(body.format(verb=verb, names=names))) == sorted(names)

    result, again = edits.then(body.format(verb=verb, names=shuffled))
    assert (result, again) == (sorted(names), [])


def test_an_item_that_is_inserted_into_a_mapped_list_runs_alone(edits: Edits) -> None:
    """L2."""
    edits.first('return last(work.map(["a", "b", "c"]))')

    result, again = edits.then('return last(work.map(["new", "c", "b", "a"]))')
    assert (result, again) == (["new", "c", "b", "a"], ["new"])


def test_equal_calls_are_told_apart_by_their_number_alone(edits: Edits) -> None:
    assert edits.first('return last([work("a"), work("a"), work("a")])') == ["a"] * 3

    assert edits.then('return last([work("a"), work("b"), work("a")])') == (["a", "b", "a"], ["b"])


def test_a_call_with_an_id_is_known_by_it_when_its_arguments_change(edits: Edits) -> None:
    """L3. It is the same call, with other inputs: so it runs again, and the reason is told."""
    edits.first('return last(work("a", id="mine"))')

    assert edits.then('return last(work("b", id="mine"))') == ("b", ["b"])
    assert edits.reasons()["mine"] == "its inputs have changed"


def test_submitted_and_called_are_the_same_call(edits: Edits) -> None:
    edits.first('return last([work("a"), work("b")])')

    assert edits.then('f = work.submit("a")\nreturn last([f, work("b")])') == (["a", "b"], [])


def test_chunk_size_and_concurrency_do_not_matter_to_a_resume(edits: Edits) -> None:
    edits.first('return last(work.map(["a", "b", "c"], chunk_size=2))')

    body = 'return last(work.map(["a", "b", "c"], chunk_size=1, max_concurrency=1))'
    assert edits.then(body) == (["a", "b", "c"], [])


# --- what has changed (4) --------------------------------------------------------------------------------------


def test_a_changed_argument_runs_its_call_and_what_depends_on_it(edits: Edits) -> None:
    """L3. Systems that compare names alone give the old result."""
    edits.first('return last([other(work("a")), other(work("b"))])')

    result, again = edits.then('return last([other(work("x")), other(work("b"))])')
    assert (result, again) == (["X", "B"], ["x", "other x"])


def test_a_changed_step_runs_again_with_the_reason(edits: Edits) -> None:
    """L3."""
    edits.first('return last([work("a"), other("b")])')

    changed = HEAD.replace("name.upper()", "name.upper() + '!'")
    result, again = edits.then('return last([work("a"), other("b")])', changed)
    assert (result, again) == (["a", "B!"], ["other b"])
    assert edits.reasons()["other"].startswith("its code has changed")


@pytest.mark.parametrize(
    ("before", "after"),
    [("SUFFIX = '1'", "SUFFIX = '2'"), ("    return text + SUFFIX", "    return SUFFIX + text")],
    ids=["constant", "helper"],
)
def test_a_changed_helper_or_constant_runs_the_steps_that_reach_it(
    edits: Edits, before: str, after: str
) -> None:
    """L3."""
    head = HEAD.replace(
        "@step\ndef other",
        "SUFFIX = '1'\n\ndef helper(text):\n    return text + SUFFIX\n\n@step\ndef other",
    ).replace("name.upper()", "helper(name)")
    edits.first('return last([work("a"), other("b")])', head)

    _, again = edits.then('return last([work("a"), other("b")])', head.replace(before, after))
    assert again == ["other b"]
    reason = edits.reasons()["other"]
    assert "SUFFIX" in reason or "helper" in reason


def test_what_lies_behind_a_step_that_gave_the_same_again_is_kept(edits: Edits) -> None:
    """L3. Digests decide, not the fact that something ran."""
    edits.first('return last(other(work("a")))')

    changed = HEAD.replace("return name * factor", "return factor * name")
    assert edits.then('return last(other(work("a")))', changed) == ("A", ["a"])


def test_a_cache_that_a_step_fills_is_not_taken_for_a_change_of_its_code(edits: Edits) -> None:
    """Its code is looked at before it runs for the first time, in every life."""
    head = HEAD.replace("@step\ndef other", "CACHE = {{}}\n\n@step\ndef other").replace(
        "return name.upper()", "return CACHE.setdefault(name, name.upper())"
    )
    body = 'return last([other("a"), other("b"), other.submit("c")])'
    edits.first(body, head)

    assert edits.then(body, head) == (["A", "B", "C"], [])


def test_a_comment_or_a_moved_line_changes_nothing(edits: Edits) -> None:
    edits.first('return last(work("a"))')

    changed = HEAD.replace("@step\ndef work", "# a comment\n\n\n@step\ndef work")
    assert edits.then('return last(work("a"))', changed) == ("a", [])


# --- trying again (2) ------------------------------------------------------------------------------------------


def test_a_second_resume_is_a_fixed_point(edits: Edits, project: Any) -> None:
    body = 'return last([work("a"), other(work("b"))])'
    edits.first(body)
    assert edits.run is not None
    before = edits.run.logs()
    for _ in range(2):
        project.load(_text(HEAD, body, FAILS))
        edits.run = resume_run(edits.run.id, observers=())
        assert isinstance(edits.run.error, OSError)
        assert edits.run.logs() == before

    assert edits.then(body) == (["a", "B"], [])


def test_a_resume_says_what_it_used_again(edits: Edits, project: Any) -> None:
    edits.first('return last([work("a"), work("b")])')
    assert edits.run is not None
    events: list[object] = []
    project.load(_text(HEAD, 'return last([work("a"), work("b")])', WORKS))
    run = resume_run(edits.run.id, observers=[lambda _, event: events.append(event)])

    assert sum(isinstance(event, OutcomeReused) for event in events) == 2
    known = {k.display: k.reused_in_life for k in run.state.invocations.values()}
    assert known == {"work": 2, "work_2": 2, "last": 0}


# --- children, maps and bodies of every kind ------------------------------------------------------------------

CHILD = HEAD.replace(
    "@pipeline\ndef flow",
    """@pipeline
def child(name):
    print("body of " + name)
    return other(work(name))

@step
def breaks(name: str) -> str:
    print("breaks " + name)
    if name == "b":
        raise ValueError(name)
    return name

@pipeline
def flow""",
)


def test_a_child_that_is_finished_answers_without_its_body_being_run(
    edits: Edits, capfd: pytest.CaptureFixture[str]
) -> None:
    body = 'return last([child("a"), child.submit("b")])'
    assert sorted(edits.first(body, CHILD)) == ["a", "b", "other a", "other b"]
    assert capfd.readouterr().out.count("body of") == 2

    assert edits.then(body, CHILD) == (["A", "B"], [])
    assert "body of" not in capfd.readouterr().out


def test_a_child_whose_body_was_edited_is_run_again_over_its_finished_steps(edits: Edits) -> None:
    """L3."""
    body = 'return last([child("a"), child("b")])'
    edits.first(body, CHILD)

    changed = CHILD.replace("return other(work(name))", "return other(work(name, factor=2))")
    result, again = edits.then(body, changed)
    assert (result, again) == (["AA", "BB"], ["a", "other aa", "b", "other bb"])


def test_a_failed_child_is_taken_up_at_the_step_that_failed(edits: Edits) -> None:
    inside = HEAD.replace(
        "@pipeline\ndef flow",
        "@pipeline\ndef child():\n    return last(other(work('a')))\n\n@pipeline\ndef flow",
    )
    assert edits.first("return child()", inside) == ["a", "other a"]

    assert edits.then("return child()", inside) == ("A", [])


def test_failures_that_a_map_has_collected_are_history_to_a_resume(edits: Edits) -> None:
    body = (
        'made = breaks.map(["a", "b", "c"], on_error="collect")\n'
        "return last([sorted(made.failures), joined(made)])"
    )
    assert sorted(edits.first(body, CHILD)) == ["breaks a", "breaks b", "breaks c"]

    assert edits.then(body, CHILD) == ([[1], "a-c"], [])


def test_failures_that_a_loop_has_handled_are_history_to_a_resume(edits: Edits) -> None:
    body = """found = []
for future in as_completed(breaks.map(["a", "b", "c"])):
    try:
        found.append(future.load())
    except ValueError as error:
        found.append("not " + str(error))
return last(sorted(found))"""
    head = CHILD.replace("import pipeline", "import as_completed, pipeline")
    edits.first(body, head)

    assert edits.then(body, head) == (["a", "c", "not b"], [])


def test_an_async_body_is_resumed_like_any_other(edits: Edits) -> None:
    head = HEAD.replace("def flow", "async def flow")
    body = 'a = await work.submit("a")\nreturn last([a, await work.map(["b", "c"])])'
    assert sorted(edits.first(body, head)) == ["a", "b", "c"]

    assert edits.then(body, head) == (["a", ["b", "c"]], [])


def test_arguments_of_the_run_are_those_that_it_was_started_with(project: Any) -> None:
    """Defaults that have been edited since do not matter: what the body was given, it is given again."""
    text = (
        "from anabranch import pipeline, step\n"
        "@step\ndef last(value):\n    {last}\n"
        "@pipeline\ndef flow(size, *more, name='x', **rest):\n"
        "    return last(f'{{size}} {{more}} {{name}} {{rest}}')\n"
    )
    flow = project.load(text.format(last="raise OSError")).flow
    with pytest.raises(OSError, match=r"^$"):
        flow(3, 4, name="y", z=5)
    project.load(text.format(last="return value"))

    assert resume_run("latest", observers=()).load() == "3 (4,) y {'z': 5}"


# --- a driver that is gone (3) ---------------------------------------------------------------------------------

KILLED = """
import os
import sys
import time
from pathlib import Path
from anabranch import pipeline, step

@step
def first() -> int:
    print("first")
    return 1

@step
def waits(value: int) -> int:
    Path("running").touch()
    while not Path("go on").exists():
        time.sleep(0.01)
    print("waited")
    return value + 1

@pipeline
def flow():
    return waits.submit(first())

if __name__ == "__main__":
    flow()
"""


@pytest.fixture
def killed(project: Any) -> str:
    """A run whose driver was killed with SIGKILL while a step ran: its id."""
    script = project.write(KILLED)
    driver = subprocess.Popen(
        [sys.executable, str(script)], cwd=project.folder, stdout=subprocess.DEVNULL
    )
    try:
        _await(project.folder / "running", driver)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    with open_stack() as stack:
        (only,) = stack.journal.runs()
    return only.run


def _await(path: Path, driver: "subprocess.Popen[bytes]") -> None:
    while not path.exists():
        assert driver.poll() is None, "the driver ended by itself"
        time.sleep(0.01)


def test_a_run_whose_driver_was_killed_is_lost_when_its_lease_is_over(
    killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L9. A peer shows it as running for ever."""
    present = time.time
    monkeypatch.setattr(time, "time", lambda: present() + 3600)
    with open_stack() as stack:
        assert stack.journal.summary(stack.journal.find(killed)).status == "lost"


def test_a_run_whose_driver_was_killed_goes_on_where_it_was(killed: str, project: Any) -> None:
    (project.folder / "go on").touch()
    project.load(KILLED)
    run = resume_run(killed, observers=())

    assert (run.status, run.load()) == ("completed", 2)
    assert run.logs() == "first\nwaited\n"


def test_a_second_driver_is_refused_with_the_name_of_the_first(project: Any) -> None:
    """L4. It is told in three lines; the first driver goes on as if nothing had happened."""
    script = project.write(KILLED)
    driver = subprocess.Popen(
        [sys.executable, str(script)], cwd=project.folder, stdout=subprocess.DEVNULL
    )
    try:
        _await(project.folder / "running", driver)
        project.load(KILLED)
        with pytest.raises(RunBusy) as refused:
            resume_run("latest", observers=(), wait=False)
        (project.folder / "go on").touch()
        assert driver.wait(20) == 0
    finally:
        driver.kill()
        driver.wait()
    assert str(driver.pid) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 3
    with open_stack() as stack:
        assert [run.status for run in stack.journal.runs()] == ["completed"]
