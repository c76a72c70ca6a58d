"""`anabranch runs ls`, `show` and `graph`, over journals that hold a story."""

import pytest

from anabranch.cli.exits import TROUBLE


@pytest.fixture
def story(tell):
    story = tell()
    story.ran("load", outputs=(story.output(),))
    story.ran("train", after=["id-load"], status="failed", failure=story.failure("no bucket"))
    story.tick(2)
    return story.end("failed", story.failure("no bucket"))


def test_no_runs_yet_says_how_to_start_one(type_here):
    done = type_here("runs", "ls")

    assert (done.code, done.out) == (0, "")
    assert done.err == "no runs yet; start one with: anabranch run FILE.py\n"


def test_runs_are_listed_the_newest_first(type_here, tell):
    tell(run="20261124-035512-aaaaa").end()
    tell(run="20261124-035512-bbbbb").end("failed")
    lines = type_here("runs", "ls").out.splitlines()

    assert [line.split()[1] for line in lines[1:]] == [
        "20261124-035512-bbbbb",
        "20261124-035512-aaaaa",
    ]


def test_a_limit_keeps_the_list_short(type_here, tell):
    for letter in "abc":
        tell(run=f"20261124-035512-{letter * 5}").end()

    assert len(type_here("runs", "ls", "--limit", "2", "--json").json["runs"]) == 2
    assert type_here("runs", "ls", "--limit", "0").code == 2
    assert type_here("runs", "ls", "--limit", "many").code == 2


def test_the_list_as_json(type_here, story):
    [run] = type_here("runs", "ls", "--json").json["runs"]

    assert run == {
        "run": "20261124-035512-k7qf3",
        "pipeline": "train_model",
        "status": "failed",
        "created": run["created"],
        "ended": run["ended"],
        "seconds": 2.0,
        "events": 9,
        "driver": None,
    }


@pytest.mark.parametrize("name", ["latest", "20261124", "20261124-035512-k7qf3"])
def test_a_run_is_shown_by_any_of_its_names(type_here, story, name):
    done = type_here("runs", "show", name)

    assert done.code == 0
    assert done.out.splitlines()[0] == "✗ train_model  20261124-035512-k7qf3"


def test_a_failed_run_is_shown_with_its_traceback_unshortened(type_here, story):
    lines = type_here("runs", "show", "latest").out.splitlines()

    assert "  ✗ train        0.12 s  ValueError: no bucket" in lines
    assert lines[-3:] == [
        "Traceback (most recent call last):",
        '  File "train.py", line 3, in score',
        "ValueError: no bucket",
    ]


def test_a_run_as_json(type_here, story):
    document = type_here("runs", "show", "latest", "--json").json

    assert sorted(document) == [
        *("counts", "created", "driver", "ended", "entry", "events", "failed", "failure"),
        *("invocations", "lives", "maps", "metadata", "origin", "outputs", "pipeline", "reused"),
        *("run", "seconds", "stack", "status", "tags", "version", "waits"),
    ]
    assert [call["display"] for call in document["invocations"]] == ["load", "train"]


def test_a_run_whose_driver_is_gone_is_shown_as_lost(type_here, tell):
    tell(lease_seconds=0.0)

    assert type_here("runs", "show", "latest", "--json").json["status"] == "lost"
    assert "resume it: anabranch resume" in type_here("runs", "show", "latest").out


def test_a_run_that_does_not_exist_is_told_in_three_lines(type_here, story, project):
    done = type_here("runs", "show", "2025")

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "no run is called '2025'",
        f"  in: {project / '.anabranch' / 'journal.db'}",
        "  do: see: anabranch runs ls",
    ]


def test_a_beginning_that_two_runs_share_is_told(type_here, story, tell):
    tell(run="20261124-035512-zzzzz").end()
    done = type_here("runs", "show", "2026")

    assert done.code == 2
    assert "more than one run is called '2026'" in done.err


@pytest.mark.parametrize(
    ("form", "first"), [("text", "✓ load"), ("mermaid", "flowchart TD"), ("dot", "digraph run {")]
)
def test_the_graph_of_a_run(type_here, story, form, first):
    done = type_here("runs", "graph", "latest", "--format", form)

    assert done.out.splitlines()[0] == first


def test_the_graph_as_json(type_here, story):
    document = type_here("runs", "graph", "latest", "--json").json

    assert document["edges"] == [["id-load", "id-train"]]


def test_a_damaged_journal_is_trouble_and_no_traceback(type_here, story, project):
    story.journal.close()
    (project / ".anabranch" / "journal.db").write_bytes(b"not a database" * 1000)
    for suffix in ("-wal", "-shm"):
        (project / ".anabranch" / f"journal.db{suffix}").unlink(missing_ok=True)
    done = type_here("runs", "show", "latest")

    assert done.code == TROUBLE
    assert len(done.err.splitlines()) == 3
    assert "damaged" in done.err


def test_a_stack_that_does_not_exist_is_told(type_here, story):
    done = type_here("runs", "ls", "--stack", "prd")

    assert done.code == 2
    assert done.err.splitlines()[0] == "no stack is called 'prd'"
