"""A kill at every write does no harm to the examples, nor to a pipeline with everything in it (laws L1 and L8)."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from anabranch import pipeline, step
from anabranch.authoring.entries import load_pipeline
from anabranch.errors import CallError, CapabilityMissing, EntryError, NotSerializable, RunFailed
from anabranch.testing import CrashReport, crash_everywhere

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").rglob("*.py"))
SMALL: dict[str, dict[str, object]] = {
    "first_pipeline": {"season": "spring"},
    "search": {"depth": 3},
    "analysis": {"days": 40},
    "tuning": {"rounds": 3, "width": 3},
}
"""Arguments with which an example makes fewer calls, of the same kinds."""

FLOW = """
from anabranch import pipeline, step

@step
def double(x: int) -> int:
    return 2 * x

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline
def flow(count: int = 3) -> int:
    return total(double.map(range(count)))
"""


WAITING = """
from anabranch import pipeline, step, wait_for

@step
def double(x: int) -> int:
    return 2 * x

@pipeline
def flow():
    first = double(wait_for("first", int))
    return first.load() + wait_for("second", int)
"""


@pytest.fixture(autouse=True)
def _own_path(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported from a file adds its folder to the path, here until the test ends."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Any:
    """Prints a report past pytest, so that the counts stand in CI's log."""

    def told(what: str, report: CrashReport) -> None:
        with capsys.disabled():
            print(f"\n{what}: {report}", file=sys.__stderr__)  # a worker has no other output

    return told


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_L1_an_example_survives_a_kill_at_every_write(path: Path, tell: Any) -> None:
    report = crash_everywhere(load_pipeline(str(path)), SMALL.get(path.stem))

    tell(path.stem, report)
    assert report.points > 20
    assert report.kills > report.points


@pytest.mark.slow
def test_L1_a_pipeline_with_everything_in_it_survives_a_kill_at_every_write(tell: Any) -> None:
    """Maps, children in children, retries, failures that are handled, async steps, sleeps, waits, large values."""
    report = crash_everywhere(
        load_pipeline(f"{HERE / 'long_pipeline.py'}:everything"),
        answers={"waiting/more": 1, "approve": True},
    )

    tell("everything", report)
    assert report.invocations > 200
    assert report.points > 100


def test_L8_a_pipeline_that_asks_the_time_chance_and_who_is_first_survives_a_kill_at_every_write(
    tell: Any,
) -> None:
    """Two runs of it differ, and `same` says in what they may not; a resumed run sees again what it saw."""

    def same(one: Any, other: Any) -> bool:
        return bool(one["of"] == other["of"] and one["drawn"] != other["drawn"])

    report = crash_everywhere(load_pipeline(f"{HERE / 'long_pipeline.py'}:eager"), same=same)

    tell("eager", report)
    assert report.points > 20


def test_L8_a_pipeline_that_waits_for_answers_survives_a_kill_at_every_write(project: Any) -> None:
    """Killed before the question and after it, before the answer is taken and after it."""
    made = project.load(WAITING).flow

    report = crash_everywhere(made, answers={"first": 20, "second": 22})

    assert report.points > 25
    assert report.kills > report.points


def test_a_pipeline_that_waits_and_gets_no_answer_is_told(project: Any) -> None:
    made = project.load(WAITING).flow

    with pytest.raises(RunFailed, match="paused"):
        crash_everywhere(made, answers={"first": 20})


def test_a_report_is_one_line_that_counts(project: Any) -> None:
    flow = project.load(FLOW).flow

    report = crash_everywhere(flow, {"count": 2}, points=[1, 4, 5])

    assert (report.points, report.unreached, report.invocations, report.writes) == (3, 0, 3, 3)
    assert report.kills == 3 + 1, "every fourth point is killed while it is resumed, too"
    assert str(report) == (
        "crash_everywhere: 3 crashes (1 more while resuming) at 3 writes of 3 calls; 0 lost, 0 twice, equal results;"
        f" {report.repeated} attempt{'s' * (report.repeated != 1)} made again that had no outcome"
    )


@step
def doubled(number: int) -> int:
    """Here, in a test's file."""
    return 2 * number


@pipeline
def doubling() -> int:
    """The same."""
    return doubled(doubled(1))


def test_a_pipeline_may_be_in_the_file_of_its_test() -> None:
    assert crash_everywhere(doubling, points=[1, 2, 5, 6]).points == 4


def test_a_pipeline_in_a_package_may_import_its_neighbours(project: Any) -> None:
    project.write("", "garden/__init__.py")
    project.write("FACTOR = 3\n", "garden/factors.py")
    project.write(
        "from anabranch import pipeline, step\nfrom garden.factors import FACTOR\n"
        "@step\ndef grow(x: int) -> int:\n    return x * FACTOR\n"
        "@pipeline\ndef season() -> int:\n    return grow(2)\n",
        "garden/seasons.py",
    )

    report = crash_everywhere(load_pipeline("garden.seasons:season"))

    assert report.points >= 6


def test_arguments_and_results_may_be_of_the_pipelines_own_classes(project: Any) -> None:
    made = project.load(
        "from dataclasses import dataclass\nfrom anabranch import pipeline, step\n"
        "@dataclass(frozen=True)\nclass Point:\n    x: int\n"
        "@step\ndef moved(point: Point) -> Point:\n    return Point(point.x + 1)\n"
        "@pipeline\ndef flow(point: Point) -> Point:\n    return moved(point)\n"
    )

    seen = []
    report = crash_everywhere(
        made.flow,
        {"point": made.Point(1)},
        points=[3, 4],
        same=lambda one, other: seen.append(one) or one == other == made.Point(2),
    )

    assert report.points == 2
    assert [type(each) for each in seen] == [made.Point, made.Point]


def test_steps_see_their_usual_environment_and_folder(project: Any) -> None:
    flow = project.load(
        "import os\nfrom anabranch import pipeline, step\n"
        "@step\ndef seen() -> tuple[str, str]:\n    return os.environ['ANABRANCH_HOME'], os.getcwd()\n"
        "@pipeline\ndef flow():\n    return seen()\n"
    ).flow
    usual = [str(project.folder / ".anabranch"), str(project.folder)]

    def same(one: Any, other: Any) -> bool:
        return list(one) == list(other) == usual

    assert crash_everywhere(flow, points=[2], same=same).points == 1


def test_nothing_is_left_behind(project: Any) -> None:
    """Not in the project, which keeps no run of these, and not in the folder that was given."""
    flow = project.load(FLOW).flow

    crash_everywhere(flow, points=[3], folder="runs")

    assert list((project.folder / "runs").iterdir()) == []
    assert not (project.folder / ".anabranch").exists()


# --- what is refused -----------------------------------------------------------------------------------------------


def test_a_pipeline_that_no_other_process_can_find_is_refused() -> None:
    @pipeline
    def within() -> None:
        pass

    with pytest.raises(EntryError, match="made in a function") as refused:
        crash_everywhere(within)

    assert len(str(refused.value).splitlines()) == 3


def test_a_variant_of_a_pipeline_is_refused_since_a_resume_would_not_find_it(project: Any) -> None:
    flow = project.load(FLOW).flow

    with pytest.raises(EntryError, match="another pipeline of this name"):
        crash_everywhere(flow.with_options(tags=["variant"]))


def test_a_system_without_fork_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")

    with pytest.raises(CapabilityMissing, match="needs fork"):
        crash_everywhere(doubling)


@pytest.mark.parametrize("points", [[0], [], [-1, 2]])
def test_points_are_numbers_from_1(points: list[int], project: Any) -> None:
    with pytest.raises(CallError, match="points are numbers from 1"):
        crash_everywhere(project.load(FLOW).flow, points=points)


def test_points_that_no_run_comes_to_are_an_error_and_no_success(project: Any) -> None:
    with pytest.raises(CallError, match="no run came to point 100000\n"):
        crash_everywhere(project.load(FLOW).flow, points=[99_999, 100_000])


def test_arguments_that_do_not_fit_are_refused_before_anything_runs(project: Any) -> None:
    flow = project.load(FLOW).flow

    with pytest.raises(CallError, match="'amount'"):
        crash_everywhere(flow, {"amount": 3})
    with pytest.raises(NotSerializable, match="cannot be sent to another process"):
        crash_everywhere(flow, {"count": lambda: 3})


def test_a_pipeline_that_fails_by_itself_is_told_from_one_that_a_crash_breaks(project: Any) -> None:
    flow = project.load(
        "from anabranch import pipeline\n@pipeline\ndef flow():\n    raise ValueError('broken')\n"
    ).flow

    with pytest.raises(
        RunFailed, match="when nobody disturbs it: the run is failed: builtins:ValueError: broken"
    ):
        crash_everywhere(flow)


def test_a_file_that_cannot_be_imported_twice_is_named(project: Any) -> None:
    once = "from pathlib import Path\nPath('imported').touch(exist_ok=False)\n"
    flow = project.load(once + FLOW).flow

    with pytest.raises(EntryError, match="cannot be imported: FileExists") as refused:
        crash_everywhere(flow)

    assert str(project.folder / "flow.py") in str(refused.value)


def test_a_script_that_calls_it_without_a_guard_is_told_to_have_one(project: Any) -> None:
    """The other process imports the script, and would come to the call again."""
    call = "from anabranch.testing import crash_everywhere\n"
    project.write(FLOW + call + "crash_everywhere(flow)\n", "bare.py")
    project.write(
        FLOW + call + 'if __name__ == "__main__":\n    print(crash_everywhere(flow, points=[3]))\n',
        "guarded.py",
    )

    bare, guarded = project.python("bare.py"), project.python("guarded.py")

    assert 'put the call into a test, or under if __name__ == "__main__":' in bare.stderr
    assert guarded.stdout.startswith("crash_everywhere: 1 crash at 1 write of"), guarded.stderr
