"""Which display a run gets, and what loading it costs."""

import json
import subprocess
import sys

import pytest

from anabranch import console
from anabranch.console.observing import Quiet
from anabranch.errors import UserMistake


class Terminal:
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def nothing_asked_for(monkeypatch):
    monkeypatch.delenv("ANABRANCH_CONSOLE", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_a_live_tree(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert isinstance(console.observer(), console.LiveTree)


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")

    assert isinstance(console.observer(), console.PlainLines)


def test_anything_else_gets_lines():
    assert isinstance(console.observer(), console.PlainLines)


@pytest.mark.parametrize(("word", "kind"), [("LIVE", "LiveTree"), ("plain", "PlainLines")])
def test_the_environment_decides_otherwise(monkeypatch, word, kind):
    monkeypatch.setenv("ANABRANCH_CONSOLE", word)

    assert type(console.observer()).__name__ == kind


def test_an_explicit_mode_decides_over_the_environment(monkeypatch):
    monkeypatch.setenv("ANABRANCH_CONSOLE", "live")

    assert isinstance(console.observer("quiet"), Quiet)


def test_a_mode_that_does_not_exist_is_refused_in_three_lines(monkeypatch):
    monkeypatch.setenv("ANABRANCH_CONSOLE", "plane")

    with pytest.raises(UserMistake) as caught:
        console.observer()

    assert str(caught.value).splitlines() == [
        "'plane' is no way to show a run",
        "  in: the environment variable ANABRANCH_CONSOLE",
        "  do: unset it, or did you mean 'plain'?",
    ]


@pytest.mark.parametrize(
    "use",
    [
        "import anabranch.console",
        "from anabranch.console import observer; observer('plain')",
        "import anabranch.console.documents, anabranch.console.graphs",
    ],
)
def test_rich_is_loaded_for_terminals_alone(use):
    script = f"import json, sys\n{use}\nprint(json.dumps('rich' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert json.loads(done.stdout) is False
