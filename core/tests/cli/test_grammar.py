"""What can be typed, and what is said to whoever mistypes."""

import json
import subprocess
import sys

import pytest

COMMANDS = ["run", "resume", "runs", "stack", "plugins", "doctor", "version"]


def test_nothing_typed_gets_help(type_here):
    done = type_here()

    assert done.code == 0
    assert done.out.startswith("usage: anabranch")


def test_the_help_names_every_command_and_exit_code(type_here):
    help_text = type_here("--help").out

    assert [word for word in COMMANDS if f"\n    {word} " not in help_text] == []
    assert [code for code in (0, 1, 2, 3, 130) if f"\n  {code:<4} " not in help_text] == []


@pytest.mark.parametrize("words", [("runs",), ("stack",)])
def test_half_a_command_gets_help(type_here, words):
    done = type_here(*words)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: anabranch {words[0]}")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["rums"],
            [
                "unknown command 'rums'",
                "  in: anabranch",
                "  do: did you mean 'runs'? See: anabranch --help",
            ],
        ),
        (
            ["runs", "shw", "latest"],
            [
                "unknown command 'shw'",
                "  in: anabranch runs",
                "  do: did you mean 'show'? See: anabranch runs --help",
            ],
        ),
        (
            ["run", "train.py", "--stak", "prod"],
            [
                "unknown option '--stak'",
                "  in: anabranch run",
                "  do: did you mean '--stack'? See: anabranch run --help",
            ],
        ),
        (
            ["run", "train.py", "--stack=prod", "--cofnig=x.yaml"],
            [
                "unknown option '--cofnig'",
                "  in: anabranch run",
                "  do: did you mean '--config'? See: anabranch run --help",
            ],
        ),
        (
            ["runs", "ls", "latest"],
            [
                "unexpected argument 'latest'",
                "  in: anabranch runs ls",
                "  do: See: anabranch runs ls --help",
            ],
        ),
        (
            ["run"],
            [
                "the following arguments are required: TARGET",
                "  in: anabranch run",
                "  do: See: anabranch run --help",
            ],
        ),
    ],
)
def test_a_mistyped_command_is_told_in_three_lines(type_here, words, lines):
    done = type_here(*words)

    assert done.code == 2
    assert done.out == ""
    assert done.err.splitlines() == lines


def test_an_option_is_never_guessed_from_its_beginning(type_here):
    assert type_here("runs", "ls", "--lim", "3").code == 2


def test_a_format_that_does_not_exist_is_refused(type_here):
    done = type_here("runs", "graph", "latest", "--format", "pdf")

    assert done.code == 2
    assert "'pdf'" in done.err
    assert "mermaid" in done.err


@pytest.mark.parametrize("words", [("--json", "rums"), ("rums", "--json")])
def test_with_json_a_mistake_is_a_document_too(type_here, words):
    error = type_here(*words).json["error"]

    assert error == {
        "type": "UserMistake",
        "what": "unknown command 'rums'",
        "in": "anabranch",
        "do": "did you mean 'runs'? See: anabranch --help",
        "exit_code": 2,
    }


@pytest.mark.parametrize("words", [("--version",), ("version",)])
def test_the_version_is_told(type_here, words):
    assert type_here(*words).out.startswith("anabranch ")


@pytest.mark.parametrize("words", [("--json", "version"), ("version", "--json")])
def test_json_may_stand_before_or_behind_the_command(type_here, words):
    assert sorted(type_here(*words).json) == ["anabranch", "platform", "python"]


def test_python_m_anabranch_is_anabranch(anabranch):
    assert anabranch("--version").out.startswith("anabranch ")


HELP = """
import json, sys
from anabranch.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def test_help_loads_neither_the_engine_nor_anything_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))

    assert not loaded & {"asyncio", "pluggy", "pydantic", "rich", "sqlite3", "typer", "yaml"}
    assert not {
        name for name in loaded if name.startswith(("anabranch.engine", "anabranch.journal"))
    }
