"""`anabranch resume --plan`, `rerun` and `explain`, as a user types them."""

import re
import signal
import subprocess
import sys

import pytest

EDIT = ("return row * 0.5", "return row * 1.5")


@pytest.fixture
def failed(anabranch):
    """A run whose last step failed: its id."""
    return anabranch("run", "train.py:train", "--json", BREAK="1").json["run"]


def edit(project, before: str = EDIT[0], after: str = EDIT[1]) -> None:
    file = project / "train.py"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def rows(text: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip(), maxsplit=2) for line in text.splitlines()]


# --- resume --plan ---------------------------------------------------------------------------------------------


def test_the_plan_says_what_is_reused_and_what_runs_and_nothing_runs(anabranch, failed):
    done = anabranch("resume", failed, "--plan")

    assert (done.code, done.err) == (0, "")
    assert "loading" not in done.out
    assert rows(done.out)[1:] == [
        ["reuse", "load", "its inputs and its code are the same"],
        ["reuse", "score[0..3]", "4 reuse: its inputs and its code are the same"],
        ["run", "total", "it failed; resume tries again"],
        ["6 calls: 5 reuse, 1 run"],
        ["the body was followed up to total; what comes after it is seen when it is there"],
    ]
    document = anabranch("runs", "show", failed, "--json").json
    assert (document["lives"], document["driver"]) == (1, None)


def test_the_plan_names_an_edit(anabranch, failed, project):
    edit(project)
    done = anabranch("resume", "latest", "--plan")

    assert ["run", "score[0..3]", "4 run: its code has changed: train.score changed"] in rows(
        done.out
    )


def test_the_plan_as_json_has_every_item(anabranch, failed):
    document = anabranch("resume", failed, "--plan", "--json").json

    assert sorted(document) == [
        *("beyond", "calls", "counts", "driver", "failure", "nothing_left", "pipeline", "run"),
        "status",
    ]
    assert document["counts"] == {"reuse": 5, "run": 1}
    assert [call["display"] for call in document["calls"]] == [
        *("load", "score[0]", "score[1]", "score[2]", "score[3]", "total")
    ]
    assert sorted(document["calls"][1]) == [
        *("decision", "display", "id", "kind", "map", "reached", "reason", "scope", "step")
    ]


def test_the_plan_of_a_run_that_is_over_says_that_nothing_is_left(anabranch, project):
    run = anabranch("run", "train.py:train", "--json").json["run"]
    (project / "train.py").unlink()

    done = anabranch("resume", run, "--plan")
    assert (done.code, done.out) == (0, f"run {run} is completed: there is nothing left to do\n")
    document = anabranch("resume", run, "--plan", "--json").json
    assert (document["nothing_left"], document["calls"]) == (True, [])


def test_a_run_that_is_driven_by_another_process_can_be_planned(anabranch, project):
    driver = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "train.py:sleep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert driver.stdout.readline() == "napping\n"
        done = anabranch("resume", "latest", "--plan")
        document = anabranch("resume", "latest", "--plan", "--json").json
        assert anabranch("rerun", "latest", "--from", "nap").code == 2
    finally:
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)

    assert done.code == 0
    assert ["run", "nap", "it has no outcome yet"] in rows(done.out)
    assert "another driver is at work" in done.out
    assert str(driver.pid) in document["driver"]


# --- rerun -----------------------------------------------------------------------------------------------------


def test_a_rerun_is_a_new_run_that_takes_over_what_comes_before(anabranch):
    old = anabranch("run", "train.py:train", "--json").json["run"]
    done = anabranch("rerun", old, "--from", "total")

    assert done.code == 0
    assert done.out == "the label is 'none'\n"
    assert re.search(rf"^run (\S+) started from {old}: train$", done.err, re.MULTILINE)
    assert re.search(r"^reused     load", done.err, re.MULTILINE)
    assert re.search(r"^completed  total", done.err, re.MULTILINE)
    assert f"rerun of {old}" in anabranch("runs", "show", "latest").out
    assert anabranch("runs", "show", "latest", "--json").json["origin"] == old


def test_arguments_of_a_rerun_can_be_replaced(anabranch):
    anabranch("run", "train.py:train")
    done = anabranch("rerun", "latest", "--from", "total", "-p", "rate=2", "--json")

    assert (done.code, done.json["reused"]) == (0, 5)
    [total] = [
        call
        for call in anabranch("runs", "show", "latest", "--json").json["invocations"]
        if call["display"] == "total" and call["status"] == "completed"
    ]
    assert not total["reused"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("latest", "--from", "totla"), "did you mean 'total'?"),
        (("nosuch", "--from", "total"), "see: anabranch runs ls"),
        (("latest", "--from", "total", "-p", "rat=2"), "did you mean 'rate'?"),
        (("latest",), "See: anabranch rerun --help"),
    ],
)
def test_a_rerun_that_cannot_be_is_refused_in_three_lines(anabranch, words, hint):
    anabranch("run", "train.py:train")
    done = anabranch("rerun", *words)

    assert done.code == 2
    assert len(done.err.splitlines()) == 3
    assert hint in done.err
    assert len(anabranch("runs", "ls", "--json").json["runs"]) == 1


# --- explain ---------------------------------------------------------------------------------------------------


def test_every_call_is_explained_in_a_line_and_maps_in_one(anabranch, failed, project):
    anabranch("resume", failed)
    edit(project)
    done = anabranch("explain", failed)

    assert (done.code, done.err) == (0, "")
    lines = [re.sub(r"\d\.\d\d s", "TIME", line) for line in done.out.splitlines()]
    score = "life 1: ran, completed (4) · life 2: reused (4)"
    failed = "life 1: ran, failed in TIME: ValueError: the rate 0.5 is broken"
    again = "life 2: ran again: it failed; resume tries again, completed in TIME"
    edited = "it would run again: its code has changed: train.score changed (4)"
    assert lines == [
        "load      life 1: ran, completed in TIME · life 2: reused",
        f"score[4]  {score} · now: {edited}",
        f"total     {failed} · {again}",
        "6 calls: 1 ran again, 5 reused",
    ]


def test_one_call_is_explained_life_by_life(anabranch, failed, project):
    edit(project)
    anabranch("resume", failed)
    done = anabranch("explain", failed, "score[2]")

    lines = [re.sub(r"\d\.\d\d s", "TIME", line) for line in done.out.splitlines()]
    assert lines == [
        "score[2]",
        "  life 1: ran, completed in TIME",
        "  life 2: ran again: its code has changed: train.score changed, completed in TIME",
        "  now: its code is the same",
    ]


def test_an_explanation_as_json(anabranch, failed, project):
    edit(project, "import os", "import os\nRATE = 3")
    edit(project, "sum(scores) * rate", "sum(scores) * rate * RATE")
    document = anabranch("explain", failed, "total", "--json").json

    assert sorted(document) == ["calls", "lives", "pipeline", "run", "trouble"]
    [call] = document["calls"]
    [life] = call["lives"]
    assert (call["display"], life["status"]) == ("total", "failed")
    assert life["failure"]["type"] == "builtins:ValueError"
    assert "train.RATE is new" in "".join(call["changed"])


@pytest.mark.parametrize("text", ["import nothing_of_this_name", "def f(:", "raise SystemExit(3)"])
def test_code_that_cannot_be_loaded_is_told_in_a_line(anabranch, failed, project, text):
    (project / "train.py").write_text(text)
    done = anabranch("explain", failed, "load")

    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:1] == ["load"]
    assert lines[-1].startswith("now: the code cannot be loaded: ")
    assert len(lines) == 3
    assert anabranch("explain", failed, "--json").json["trouble"]


def test_a_call_that_does_not_exist_cannot_be_explained(anabranch, failed):
    done = anabranch("explain", failed, "laod")

    assert done.code == 2
    assert "did you mean 'load'?" in done.err
