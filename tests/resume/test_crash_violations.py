"""`crash_everywhere` finds the faults that it is for: in an engine that is broken on purpose, and in pipelines.

The engine is broken by the pipeline's file, in those processes alone that are killed.
"""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from anabranch.testing import CrashViolation, crash_everywhere

FLOW = """
import os, sys
from pathlib import Path

import anabranch
from anabranch import as_completed, pipeline, step

IS_KILLED = getattr(sys.modules["__main__"].__spec__, "name", "") == "anabranch.testing.forking"

@step
def double(x: int) -> int:
    return 2 * x

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline
def flow(count: int = 3) -> int:
    first = [future.load() for future in as_completed([double.submit(x) for x in range(count)])]
    return total([*sorted(first), double(10), double(11)])

@pipeline
def lucky() -> float:
    luck = anabranch.random()
    return total([double(1), double(2)]).load() + luck
"""

BROKEN = {
    "an outcome that is recorded twice": (
        """
        from anabranch.journal.events import OutcomeRecorded
        from anabranch.journal.sqlite import SqliteWriter
        append = SqliteWriter.append
        def twice(self, added):
            again = [event for event in added if isinstance(event, OutcomeRecorded)]
            return append(self, [*added, *again])
        SqliteWriter.append = twice
        """,
        "has two outcomes",
    ),
    "events that are said to be durable and are not": (
        """
        from anabranch.journal.events import RunEnded
        from anabranch.journal.sqlite import SqliteWriter
        append = SqliteWriter.append
        def late(self, added):
            held = vars(self).setdefault('held', [])
            if held:
                append(self, held)
            self.held, first = list(added), self._head + 1
            if any(isinstance(event, RunEnded) for event in added):
                append(self, self.held)
                self.held = []
            return first
        SqliteWriter.append = late
        """,
        "was recorded and is not there",
    ),
    "a resume that asks no journal": (
        """
        from anabranch.engine.reusing import Reuse
        Reuse.stands_in = lambda self, node: False
        """,
        "has two outcomes|was executed again",
    ),
    "a resume that trusts no outcome": (
        """
        from anabranch.engine.replaying import Replay, Verdict
        def judge(self, id, inputs, code):
            known = self.known(id)
            return Verdict(reason='of a whim' if known and known.has_outcome else '')
        Replay.judge = judge
        """,
        "was discarded: of a whim",
    ),
    "a step that runs though its outcome is reused": (
        """
        from anabranch.engine.current import StepRun, current
        from anabranch.engine.reusing import Reuse
        stands_in = Reuse.stands_in
        def again(self, node):
            bound = {name: value.load() for name, value in node.inputs.items()}
            stands = stands_in(self, node)
            if stands:
                token = current.set(StepRun(node, print))
                node.definition.signature.call(node.definition.function, bound)
                current.reset(token)
            return stands
        Reuse.stands_in = again
        """,
        "was executed again; its outcome was recorded before",
    ),
    "a body that is handed futures in another order": (
        """
        from anabranch.engine.replaying import Replay
        Replay.order = lambda self, watch: []
        """,
        "the body was handed futures in another order at place 1",
    ),
}


@pytest.fixture
def violation(project: Any) -> Callable[..., CrashViolation]:
    """What `crash_everywhere` says of a pipeline, with a line or more in its file that break something."""

    def violated(text: str, name: str = "flow", **options: Any) -> CrashViolation:
        pipeline = getattr(project.load(FLOW + text), name)
        with pytest.raises(CrashViolation) as found:
            crash_everywhere(pipeline, folder="runs", **options)
        return found.value

    return violated


def in_killed_processes(text: str) -> str:
    return "if IS_KILLED:\n" + indent(dedent(text), "    ")


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_engine_is_found(fault: str, violation: Any) -> None:
    breaking, named = BROKEN[fault]

    assert re.search(named, violation(in_killed_processes(breaking)).what)


def test_chance_that_is_drawn_anew_is_found_though_results_may_differ(violation: Any) -> None:
    breaking = "from anabranch.engine.replaying import Replay\nReplay.drawn = lambda *_: None\n"

    found = violation(in_killed_processes(breaking), "lucky", same=lambda one, other: True)

    assert "random was drawn again; its value was recorded before" in str(found)


def test_a_result_that_chance_decides_is_found(violation: Any) -> None:
    """A step that draws for itself: durable, but no two runs agree, and only `same` can say what is right."""
    found = violation(
        "@step\ndef drawn() -> str:\n    return os.urandom(4).hex()\n"
        "@pipeline\ndef chancy():\n    return drawn()\n",
        "chancy",
    )

    assert "another result than in the undisturbed run" in found.what
    assert "same=" in found.do


def test_a_body_that_decides_by_chance_is_found(violation: Any) -> None:
    """Its calls before the crash are not made again, so work that was recorded is lost, whatever the result."""
    chancy = "@pipeline\ndef chancy():\n    double(int.from_bytes(os.urandom(4)))\n    total([1])\n"

    found = violation(chancy, "chancy")

    assert found.what == "other calls than in the undisturbed run: without double, and with double"


def test_a_body_that_decides_by_chance_is_found_where_results_may_differ(violation: Any) -> None:
    chancy = "@pipeline\ndef chancy():\n    double(int.from_bytes(os.urandom(4)))\n    total([1])\n"

    found = violation(chancy, "chancy", same=lambda one, other: True)

    assert found.what == "double was called before the crash, and is not called any more"


def test_a_step_that_counts_in_a_file_is_found(violation: Any) -> None:
    counting = (
        "@step\ndef counted() -> int:\n"
        "    count = Path('count')\n"
        "    count.write_text('x' + (count.read_text() if count.exists() else ''))\n"
        "    return len(count.read_text())\n"
        "@pipeline\ndef counts():\n    return counted()\n"
    )

    assert "another result" in violation(counting, "counts").what


def test_a_step_that_cannot_be_repeated_is_found(violation: Any) -> None:
    """An attempt that was cut short runs again, and finds what it has done before."""
    once = (
        "@step\ndef book() -> int:\n"
        "    Path(anabranch.context().run_id).touch(exist_ok=False)\n    return 1\n"
        "@pipeline\ndef booking():\n    return book()\n"
    )

    found = violation(once, "booking")

    assert found.what.startswith("the run is failed: builtins:FileExistsError")
    assert "killed before the write of" in found.to


def test_a_driver_that_does_not_come_up_again_is_found(violation: Any) -> None:
    breaking = (
        "from anabranch.engine.replaying import Replay\n"
        "def to_discard(self):\n    if self.state.events:\n        raise OSError('no way back')\n"
        "    return []\n"
        "Replay.to_discard = to_discard\n"
    )

    assert "the driver ended with an error: OSError: no way back" in str(
        violation(in_killed_processes(breaking), points=[4])
    )


def test_a_violation_names_its_moment_and_how_to_see_it_again(violation: Any, project: Any) -> None:
    """The folder of the run stays, with a journal that the command line reads."""
    breaking, _ = BROKEN["a resume that trusts no outcome"]

    found = violation(in_killed_processes(breaking), points=range(1, 30))
    what, where, do = str(found).splitlines()
    folder = Path(do.rpartition("kept in ")[2].partition(";")[0])
    shown = project.python("-m", "anabranch", "runs", "ls", ANABRANCH_HOME=str(folder))

    assert what == found.what
    point = int(where.removeprefix("  in: point ").partition(":")[0])
    assert "killed " in where
    assert "; last events: " in where
    assert f"points=[{point}]" in do
    assert folder.parent.parent == project.folder / "runs"
    assert shown.stdout.count(" flow ") == 1, shown.stderr


def test_a_violation_is_an_assertion_that_survives_pickling() -> None:
    found = CrashViolation("what", "in", "do")
    again = pickle.loads(pickle.dumps(found))

    assert isinstance(again, AssertionError)
    assert str(again) == str(found) == "what\n  in: in\n  do: do"
