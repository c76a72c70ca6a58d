"""`anabranch run` and `anabranch resume`, from beginning to end, as a user types them."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

RUN = re.compile(r"\d{8}-\d{6}-\w{6}")


def test_a_run_prints_what_the_user_prints_and_tells_the_rest_on_standard_error(anabranch):
    done = anabranch("run", "train.py:train")

    assert done.code == 0
    assert done.out == "the label is 'none'\nloading 4 rows\n"
    assert re.fullmatch(r"run (\S+) started: train", done.err.splitlines()[0])
    assert re.search(r"^completed  load ", done.err, re.MULTILINE)
    assert re.fullmatch(r"see it: anabranch runs show \S+", done.err.splitlines()[-1])


def test_parameters_are_json_or_text(anabranch):
    done = anabranch("run", "train.py:train", "-p", "rows=2", "--param", "label=my run")

    assert done.out == "the label is 'my run'\nloading 2 rows\n"


def test_a_parameter_that_does_not_exist_is_told(anabranch):
    done = anabranch("run", "train.py:train", "-p", "rwos=2")

    assert (done.code, done.out) == (2, "")
    assert "rwos" in done.err
    assert "Traceback" not in done.err


def test_a_file_with_two_pipelines_asks_for_one(anabranch):
    done = anabranch("run", "train.py")

    assert done.code == 2
    assert len(done.err.splitlines()) == 3
    assert "choose one: train.py:sleep or :train" in done.err


def test_a_module_can_be_the_target(anabranch):
    assert anabranch("run", "train:train").code == 0


def test_quiet_is_quiet(anabranch):
    done = anabranch("run", "train.py:train", ANABRANCH_CONSOLE="quiet")

    assert (done.code, done.err) == (0, "")


def test_a_failed_run_shows_the_users_own_traceback_and_how_to_go_on(anabranch):
    done = anabranch("run", "train.py:train", BREAK="1")

    assert done.code == 1
    traceback, hint = done.err[done.err.index("Traceback") :].rstrip().rsplit("\n\n", 1)
    assert traceback.splitlines()[-1] == "ValueError: the rate 0.5 is broken"
    assert "in total" in traceback
    assert "anabranch/engine" not in traceback
    assert re.fullmatch(r"resume it: anabranch resume \S+", hint)
    assert done.err.count("resume it") == 1


def test_a_failed_run_shows_its_traceback_even_when_quiet(anabranch):
    done = anabranch("run", "train.py:train", BREAK="1", ANABRANCH_CONSOLE="quiet")

    assert "ValueError: the rate 0.5 is broken" in done.err


def test_a_failed_run_is_resumed_and_only_what_failed_runs_again(anabranch):
    anabranch("run", "train.py:train", BREAK="1")
    done = anabranch("resume", "latest")

    assert done.code == 0
    assert "loading" not in done.out, "load is not run again"
    assert re.search(r"^reused     load", done.err, re.MULTILINE)
    assert re.search(r"^completed  total", done.err, re.MULTILINE)
    document = anabranch("runs", "show", "latest", "--json").json
    assert (document["status"], document["lives"]) == ("completed", 2)


def test_a_run_that_is_over_cannot_be_resumed(anabranch):
    anabranch("run", "train.py:train")
    done = anabranch("resume", "latest")

    assert done.code == 2
    assert len(done.err.splitlines()) == 3


def test_what_a_run_did_can_be_looked_at(anabranch):
    anabranch("run", "train.py:train")

    assert "  ✓ score" in anabranch("runs", "show", "latest").out
    assert anabranch("runs", "logs", "latest").out == "load | loading 4 rows\n"
    assert "score [4]" in anabranch("runs", "graph", "latest").out
    assert "train" in anabranch("runs", "ls").out


def test_with_json_standard_output_is_one_document(anabranch):
    """What steps print goes to standard error then, even what subprocesses print."""
    done = anabranch("run", "train.py:train", "--json")

    assert done.code == 0
    assert done.json["status"] == "completed"
    assert done.json["counts"] == {"completed": 6}
    assert "loading 4 rows" in done.err


def test_with_json_a_failed_run_says_what_failed(anabranch):
    done = anabranch("run", "train.py:train", "--json", BREAK="1")

    assert done.code == 1
    assert done.json["failure"]["type"] == "builtins:ValueError"
    assert [call["display"] for call in done.json["failed"]] == ["total"]
    resumed = anabranch("resume", done.json["run"], "--json")
    assert (resumed.code, resumed.json["reused"]) == (0, 5)


def test_json_is_kept_clean_of_what_programs_print(anabranch, project):
    (project / "noisy.py").write_text(
        "import subprocess\n"
        "from anabranch import pipeline\n"
        "subprocess.run(['echo', 'from the import'], check=True)\n"
        "@pipeline\n"
        "def noisy():\n"
        "    subprocess.run(['echo', 'from the body'], check=True)\n"
    )
    done = anabranch("run", "noisy.py", "--json")

    assert done.json["status"] == "completed"
    assert "from the import" in done.err
    assert "from the body" in done.err


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("def f(:\n    pass", "SyntaxError:"),
        ("raise SystemExit(7)", "SystemExit: 7"),
    ],
)
def test_a_file_that_cannot_be_imported_shows_its_own_traceback(anabranch, project, source, last):
    (project / "broken.py").write_text(source)
    done = anabranch("run", "broken.py")
    lines = done.err.splitlines()

    assert done.code == 2
    assert any(line.startswith(last) for line in lines)
    assert lines[-3].startswith("the file cannot be imported")
    assert lines[-2:] == ["  in: broken.py", "  do: mend what the traceback above shows"]
    assert "importlib" not in done.err
    assert "anabranch/" not in done.err


def test_a_mistake_in_a_definition_is_told_with_its_line(anabranch, project):
    (project / "broken.py").write_text(
        "from anabranch import step\n@step(retyr=3)\ndef load():\n    return 1\n"
    )
    done = anabranch("run", "broken.py")
    lines = done.err.splitlines()

    assert done.code == 2
    assert lines[0] == f"{project / 'broken.py'}:2: @step(retyr=3)"
    assert lines[1] == "unknown option 'retyr'"
    assert "did you mean 'retry'?" in lines[-1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize("target", ["missing.py", "missing.py:train", "train.py:trian"])
def test_a_target_that_is_not_there_is_told_in_three_lines(anabranch, target):
    done = anabranch("run", target)

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 3


def test_an_interrupted_run_can_be_resumed(anabranch, project):
    process = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "train.py:sleep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "napping\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert re.fullmatch(r"resume it: anabranch resume \S+", err.splitlines()[-1])
    [run] = anabranch("runs", "ls", "--json").json["runs"]
    assert run["status"] == "interrupted"


def test_logs_are_followed_while_a_run_goes_on(anabranch, project):
    running = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "train.py:sleep", "-p", "seconds=5"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not anabranch("runs", "ls", "--json").json["runs"] and time.monotonic() < deadline:
        time.sleep(0.05)
    done = anabranch("runs", "logs", "latest", "--follow")

    assert done.out == "nap | napping\n"
    assert running.wait(60) == 0


def test_a_reader_who_leaves_early_is_no_error(project, tell):
    for index in range(200):
        tell(run=f"20261124-035512-{index:05}").end()
    command = f"{sys.executable} -m anabranch runs ls --limit 200 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert (done.stdout.split()[0], done.stderr) == ("run", "")


def test_a_fault_of_our_own_is_told_as_one(type_here, monkeypatch):
    monkeypatch.setattr("anabranch.cli.version", lambda *_: 1 // 0, raising=False)
    done = type_here("version", "--json")

    assert done.code == 3
    assert len(done.err.splitlines()) == 3
    assert "ZeroDivisionError" in done.err
    assert json.loads(done.out)["error"]["exit_code"] == 3
    assert "Traceback" not in done.err


def test_a_fault_of_our_own_has_a_traceback_for_those_who_ask(type_here, monkeypatch):
    monkeypatch.setattr("anabranch.cli.version", lambda *_: 1 // 0, raising=False)
    monkeypatch.setenv("ANABRANCH_DEBUG", "1")

    assert "Traceback (most recent call last)" in type_here("version").err


def test_a_template_is_applied(anabranch, project):
    (project / "small.yaml").write_text("parameters:\n  rows: 2\n")
    done = anabranch("run", "train.py:train", "--config", "small.yaml")

    assert "loading 2 rows" in done.out


def test_a_template_that_is_not_there_is_told(anabranch):
    done = anabranch("run", "train.py:train", "--config", "small.yaml")

    assert done.code == 2
    assert len(done.err.splitlines()) == 3


CACHED = """
from anabranch import pipeline, step


@step
def work(x: int) -> int:
    print("working")
    return x


@pipeline(enable_cache=True)
def flow():
    return work(1)
"""


def test_a_second_run_says_where_its_outcomes_come_from(anabranch, project):
    (project / "cached.py").write_text(CACHED)
    first, again = (anabranch("run", "cached.py") for _ in range(2))
    run = RUN.search(first.err)[0]

    assert (first.out, again.out) == ("working\n", "")
    assert re.search(rf"^reused     work +from {run}$", again.err, re.MULTILINE)
    assert "(1 completed · 1 reused)" in again.err
    shown = anabranch("runs", "show", "latest").out
    assert f"reused from {run}" in shown
    document = json.loads(anabranch("runs", "show", "latest", "--json").out)
    [call] = document["invocations"]
    assert (call["origin"], call["reused"], call["seconds"]) == (run, True, 0.0)


def test_a_run_is_forced_to_compute_anew_or_keeps_off_the_cache(anabranch, project):
    (project / "cached.py").write_text(CACHED)
    anabranch("run", "cached.py")

    assert anabranch("run", "cached.py", "--no-cache").out == "working\n"
    forced = anabranch("run", "cached.py", "--force")
    assert forced.out == "working\n"
    assert f"from {RUN.search(forced.err)[0]}" in anabranch("run", "cached.py").err


def test_a_run_cannot_be_forced_and_keep_off_the_cache_at_once(anabranch):
    done = anabranch("run", "train.py:train", "--force", "--no-cache")

    assert done.code == 2
    assert len(done.err.splitlines()) == 3
    assert "--force" in done.err


def test_a_template_turns_the_cache_on_and_says_how_old_an_outcome_may_be(anabranch, project):
    (project / "plain.py").write_text(CACHED.replace("enable_cache=True", ""))
    (project / "on.yaml").write_text("steps: {work: {cache: {ttl: 3600, key: one}}}")
    (project / "all.yaml").write_text("enable_cache: true")
    (project / "bad.yaml").write_text("steps: {work: {cache: {ttl: soon}}}")

    for template in ("on.yaml", "all.yaml"):
        outs = [anabranch("run", "plain.py", "--config", template).out for _ in range(2)]
        assert outs == ["working\n", ""]
    refused = anabranch("run", "plain.py", "--config", "bad.yaml")
    assert refused.code == 2
    assert "ttl='soon'" in refused.err
