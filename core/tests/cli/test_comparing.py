"""`anabranch runs diff`, over runs of one pipeline with other arguments and other code."""

import re

import pytest

from anabranch.cli.exits import COMPLETED, MISTAKE


@pytest.fixture
def two(project, anabranch, type_here):
    """Two runs, the second with more rows, another rate and an edited step; the older id first."""
    anabranch("run", "train.py:train", "-p", "rows=3", "-p", "rate=0.5")
    flow = (project / "train.py").read_text()
    (project / "train.py").write_text(flow.replace("row * 0.5", "row * 0.25"))
    anabranch("run", "train.py:train", "-p", "rows=4", "-p", "rate=0.5", BREAK="1")
    return [run["run"] for run in type_here("runs", "ls", "--json").json["runs"]][::-1]


def lines(text: str) -> list[str]:
    """Without the blanks that make columns, and the times."""
    return [re.sub(r"\d+\.\d+ s", "TIME", " ".join(line.split())) for line in text.splitlines()]


def test_two_runs_side_by_side(type_here, two):
    done = type_here("runs", "diff", *two)

    told = lines(done.out)
    assert done.code == COMPLETED
    assert [*told[:10], *sorted(told[10:])] == [
        "A B",
        f"run {two[0]} {two[1]}",
        "pipeline train train",
        "status ✓ completed ✗ failed",
        "took TIME TIME",
        "failure ValueError: the rate 0.5 is broken",
        "rows 3 4",
        "rate 0.5 0.5",
        "",
        "0 calls the same · 5 different · 1 only in B",
        "+ score[3] only in B",
        "~ load other inputs · other output",
        "~ score (2 items) other output · other code: train.score changed",
        "~ score[0] other code: train.score changed",
        "~ total completed -> failed · ValueError: the rate 0.5 is broken · other inputs",
    ]


def test_two_runs_side_by_side_as_json(type_here, two):
    found = type_here("runs", "diff", *two, "--json").json

    assert [found[side]["run"] for side in ("old", "new")] == two
    assert found["new"]["failure"]["message"] == "the rate 0.5 is broken"
    assert found["arguments"]["rate"]["same"]
    assert [found["arguments"]["rows"][side]["value"] for side in ("old", "new")] == [3, 4]
    assert found["same"] == 0
    changed = {each["new"]["path"]: each for each in found["changed"]}
    assert sorted(changed) == ["load", "score[0]", "score[1]", "score[2]", "total"]
    assert changed["score[1]"]["code"] == ["train.score changed"]
    assert changed["score[1]"]["outputs"]["output"].keys() == {"old", "new"}
    assert not changed["load"]["same_identity"]
    assert (changed["total"]["status"], changed["total"]["new"]["status"]) == (True, "failed")
    assert found["only_old"] == []
    assert [each["path"] for each in found["only_new"]] == ["score[3]"]


def test_a_run_does_not_differ_from_itself(type_here, two):
    assert lines(type_here("runs", "diff", two[0], two[0]).out)[-1] == "5 calls the same"


def test_a_long_table_ends_and_says_where_the_rest_is(type_here, tell):
    tell(run="20261124-035512-aaaaaa").end()
    story = tell(run="20261124-035512-bbbbbb")
    story.ran_all([f"call_{number}" for number in range(50)])
    story.end()

    done = type_here("runs", "diff", "20261124-035512-a", "20261124-035512-b")

    assert lines(done.out)[-2:] == ["+ call_39 only in B", "10 more lines (all of them: --json)"]


@pytest.mark.parametrize("words", [("latest",), ("latest", "nothing"), ("nothing", "latest")])
def test_two_runs_are_named(type_here, tell, words):
    tell().end()

    done = type_here("runs", "diff", *words)

    assert done.code == MISTAKE
    assert len(done.err.splitlines()) == 3
