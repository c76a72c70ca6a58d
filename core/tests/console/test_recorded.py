"""Runs that are recorded: lists, trees, graphs and documents of real journals."""

import json

import pytest

from anabranch.console.documents import run_document, runs_document
from anabranch.console.graphs import graph_document, graph_of, render
from anabranch.console.tables import columns, runs_table
from anabranch.console.trees import MOST_CALLS, run_tree
from anabranch.journal.fold import fold


@pytest.fixture
def story(tell):
    return tell()


@pytest.fixture
def tree(seen):
    """The lines of a run's tree below its head."""

    def drawn(story, **how):
        summary = story.journal.summary(story.run)
        text = run_tree(state_of(story), summary, width=100, **how)
        return seen(text, 200).splitlines()

    return drawn


def state_of(story):
    return fold(story.journal.read(story.run))


def trained(story):
    """A run with a map, a child, a retry and a failure."""
    story.ran("load", outputs=(story.output(length=3, size=2048),))
    story.add(story.expand("score", 3, after=["id-load"]))
    for index in range(3):
        item = {"map": "id-score", "after": ["id-load"]}
        failed = {"status": "failed", "failure": story.failure()} if index == 1 else {}
        story.ran(f"score[{index}]", **item, **failed)
    story.add(story.create("tune", pipeline=True, after=["id-load"]), story.start("tune"))
    story.ran("train", scope="id-tune", after=["id-load"], attempt=2)
    story.add(story.outcome("tune", seconds=1))
    story.ran("report", after=["id-score", "id-tune"], status="failed", failure=story.failure())
    story.add(
        story.create("publish", after=["id-report"]),
        story.outcome("publish", "skipped", attempt=0, cause="report"),
    )
    story.tick(5)
    return story.end("failed", story.failure())


# --- trees ---------------------------------------------------------------------------------------


def test_a_run_is_a_tree_with_times_outputs_and_errors(story, tree):
    lines = tree(trained(story))

    assert lines[0] == "✗ train_model  20261124-035512-k7qf3"
    assert lines[1] == "  failed in 5.00 s · 5 completed · 2 failed · 1 skipped"
    assert lines[2].endswith("stack local")
    assert lines[3:] == [
        "  ✓ load           0.12 s  dict[3] 2.0 KiB 9f86d081",
        "  ! score                  3 items · 2 completed · 1 failed",
        "    ✗ score[1]     0.12 s  ValueError: bad row",
        "  ✓ tune           1.00 s",
        "    ✓ train        0.12 s  2 attempts",
        "  ✗ report         0.12 s  ValueError: bad row",
        "  ∅ publish                skipped · because report failed",
        "  resume it: anabranch resume 20261124-035512-k7qf3",
    ]


def test_many_calls_are_cut_in_the_middle_and_failures_stay(story, tree):
    for index in range(100):
        failed = {"status": "failed", "failure": story.failure()} if index == 50 else {}
        story.ran(f"train_{index}", **failed)
    lines = tree(story.end())

    assert len(lines) == 3 + MOST_CALLS + 1 + 1
    assert "  … 59 completed · 1 failed (all of them: --all)" in lines
    assert any("train_50" in line for line in lines)


def test_the_whole_tree_has_every_call_and_every_item(story, tree):
    story.add(story.expand("score", 60))
    for index in range(60):
        story.ran(f"score[{index}]", map="id-score")
        story.ran(f"train_{index}")
    lines = tree(story.end(), whole=True)

    assert len([line for line in lines if "score[" in line]) == 60
    assert len([line for line in lines if "train_" in line]) == 60 + 1  # and the pipeline's name


def test_a_resumed_run_says_what_was_reused_and_what_ran_again_and_why(tell, tree):
    first = tell()
    first.ran("load")
    first.ran("train")
    first.interrupt()
    second = tell(begin=False).begin(life=2)
    second.add(second.reuse("load"), second.discard("train", "its code has changed: rate"))
    second.add(second.start("train"), second.outcome("train"))
    lines = tree(second.end())

    assert lines[3:] == [
        "  ↺ load         0.12 s  reused",
        "  ✓ train        0.12 s  ran again: its code has changed: rate",
    ]
    assert "life 2" in lines[2]


def test_a_map_comes_before_what_waited_for_it(story, tree):
    """Although its items were created later."""
    story.add(story.expand("score", 1), story.create("report", after=["id-score"]))
    story.ran("score[0]", map="id-score")
    lines = tree(story)

    assert [line.split()[1] for line in lines[3:]] == ["score", "report"]


# --- lists ---------------------------------------------------------------------------------------


def test_runs_are_listed_with_status_and_times(tell, seen):
    tell(run="20261124-035512-aaaaa", pipeline="a_pipeline_with_a_name_that_is_long").end()
    second = tell(run="20261124-035512-bbbbb")
    second.tick(62)
    second.end("failed")
    lines = seen(runs_table(second.journal.runs(), now=0), 120).splitlines()

    assert lines[0].split() == ["run", "pipeline", "status", "took", "started"]
    assert lines[1].split()[:4] == ["✗", "20261124-035512-bbbbb", "train_model", "failed"]
    assert "1 min 02 s" in lines[1]
    assert "a_pipeline_with_a_name_that_is_…" in lines[2]


def test_a_run_without_a_driver_is_told_as_such(story):
    story.leave()
    [summary] = story.journal.runs()

    assert runs_document([summary])["runs"][0]["status"] == "interrupted"


def test_columns_are_as_wide_as_they_must_be(seen):
    text = columns(["", "b"], [["one", "1"], ["three", "3\n  in: x"]])

    assert seen(text).splitlines() == ["       b", "one    1", "three  3", "         in: x"]


# --- documents -----------------------------------------------------------------------------------


def test_a_run_as_a_document(story):
    document = dumped(run_document(state_of(trained(story)), story.journal.summary(story.run)))

    assert document["run"] == "20261124-035512-k7qf3"
    assert document["status"] == "failed"
    assert document["seconds"] == 5.0
    assert document["counts"] == {"completed": 5, "failed": 2, "skipped": 1}
    assert document["failure"]["type"] == "builtins:ValueError"
    assert document["failure"]["traceback"].startswith("Traceback (most recent call last)")
    assert document["maps"][0]["counts"] == {"completed": 2, "failed": 1}


def test_an_invocation_as_a_document(story):
    document = dumped(run_document(state_of(trained(story)), story.journal.summary(story.run)))
    load, *_, publish = document["invocations"]

    assert sorted(load) == [
        *("after", "attempts", "cause", "display", "ended", "failure", "id", "kind", "map"),
        *("metadata", "origin", "outputs", "ran_again_because", "reused", "scope", "seconds"),
        *("started", "status", "step", "tags"),
    ]
    assert (load["kind"], load["status"], load["attempts"]) == ("step", "completed", 1)
    assert load["outputs"] == [
        {
            "name": "output",
            "artifact": "output",
            "type": "builtins:dict",
            "codec": "json",
            "size": 2048,
            "digest": "9f86d081884c7d659a2feaa0c55ad015",
            "length": 3,
            "stored": "store",
        }
    ]
    assert (publish["status"], publish["cause"]) == ("skipped", "report")


# --- graphs --------------------------------------------------------------------------------------


def test_a_graph_as_text_tells_what_waited_for_what(story):
    graph = graph_of(state_of(trained(story)))

    assert render(graph, "text").splitlines() == [
        "✓ load",
        "✗ score [3]  ← load",
        "✓ tune       ← load",
        "  ✓ train    ← load",
        "✗ report     ← score, tune",
        "∅ publish    ← report",
    ]


def test_a_graph_for_mermaid_encloses_what_a_child_called(story):
    graph = graph_of(state_of(trained(story)))

    assert render(graph, "mermaid").splitlines()[:8] == [
        "flowchart TD",
        '  n0["load"]',
        '  n1[["score [3]"]]',
        '  subgraph n2["tune"]',
        '    n3["train"]',
        "  end",
        '  n4["report"]',
        '  n5["publish"]',
    ]
    assert "  n1 --> n4" in render(graph, "mermaid")


def test_a_graph_for_graphviz_is_balanced_and_quoted(tell):
    story = tell(pipeline='a "b"')
    story.ran('say "hi" \\ there')
    dot = render(graph_of(state_of(story)), "dot")

    assert dot.count("{") == dot.count("}") == 1
    assert '[label="say \\"hi\\" \\\\ there"' in dot


def test_a_graph_as_a_document_has_nodes_and_edges(story):
    document = dumped(graph_document(graph_of(state_of(trained(story)))))

    assert document["nodes"][1] == {
        "id": "id-score",
        "label": "score",
        "kind": "map",
        "scope": None,
        "status": "failed",
        "count": 3,
    }
    assert ["id-score", "id-report"] in document["edges"]


def test_an_edge_from_an_item_is_an_edge_from_its_map(story):
    story.add(story.expand("score", 1))
    story.ran("score[0]", map="id-score")
    story.ran("report", after=["id-score[0]"])

    assert graph_document(graph_of(state_of(story)))["edges"] == [["id-score", "id-report"]]


def dumped(document):
    """What a program reads."""
    return json.loads(json.dumps(document))
