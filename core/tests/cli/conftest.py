"""A project of its own for each test, and two ways to type a command in it."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anabranch.cli import main

_PATH = Path(__file__).parents[1] / "console" / "story.py"
_SPEC = importlib.util.spec_from_file_location("story", _PATH)
_STORY = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_STORY)

PIPELINES = """
import os
import time

from anabranch import pipeline, step


@step
def load(rows: int) -> list[int]:
    print(f"loading {rows} rows")
    return list(range(rows))


@step
def score(row: int) -> float:
    return row * 0.5


@step
def total(scores: list[float], rate: float) -> float:
    if os.environ.get("BREAK"):
        raise ValueError(f"the rate {rate} is broken")
    return sum(scores) * rate


@step
def nap(seconds: float) -> None:
    print("napping", flush=True)
    time.sleep(seconds)


@pipeline
def train(rows: int = 4, rate: float = 0.5, label: str = "none"):
    print(f"the label is {label!r}")
    scores = score.map(load(rows))
    return total(scores, rate)


@pipeline
def sleep(seconds: float = 30.0):
    nap(seconds)
"""


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with two pipelines in train.py."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "train.py").write_text(PIPELINES)
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("ANABRANCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # a file that is edited twice in a second
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def tell(project: Path) -> Iterator[Callable[..., Any]]:
    """Begin a story in the project's own journal."""

    stories: list[Any] = []

    def told(*, begin: bool = True, **how: Any) -> Any:
        stories.append(_STORY.Story(project / ".anabranch" / "journal.db", **how))
        return stories[-1].begin() if begin else stories[-1]

    yield told
    for story in stories:
        story.journal.close()


@pytest.fixture
def type_here(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Type a command that runs no user code: `type_here("runs", "ls")`, in this process."""

    def typed(*words: str) -> Done:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:  # argparse's --help
            code = int(ended.code or 0)
        return Done(code, *capsys.readouterr())

    return typed


@pytest.fixture
def anabranch(project: Path) -> Callable[..., Done]:
    """Type a command: `anabranch("run", "train.py:train", BREAK="1")`, in a process of its own."""

    def typed(*words: str, **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "anabranch", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=project,
            env={**os.environ, **environment},
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return typed
