"""A project of its own for each test, away from the user's files and environment."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Write = Callable[[str, str], Path]

TOY = """
from typing import Literal
from anabranch.artifacts import LocalStore
from anabranch.errors import JournalError, StackError
from anabranch.journal.sqlite import SqliteJournal
from anabranch.plugins import *

ANABRANCH_API = 1


class Pool(Settings):
    size: int = 1


class ToySettings(Settings):
    namespace: str
    level: Literal["low", "high"] = "low"
    token: str = ""
    pool: Pool = Pool()


class Backend:
    def __init__(self, settings):
        self.settings = settings

    def find(self, run):
        if self.settings.token:
            raise StackError(f"no entry with {self.settings.token}", self.settings.token, "ask")
        return ()

    def close(self):
        pass


def create(opening):
    return Backend(opening.settings(ToySettings))


def explode(opening):
    raise RuntimeError(f"no route to {opening.location}")


@hookimpl
def anabranch_orchestrators():
    yield OrchestratorRecord(
        name="toy", summary="", create=create, settings=f"{__name__}:ToySettings",
        capabilities=Capabilities(present={"driver_loss": "restart"}),
    )
    yield OrchestratorRecord(
        name="here", summary="", create=None, settings=f"{__name__}:ToySettings",
        capabilities=Capabilities(present={"driver_loss": "restart"}),
    )


@hookimpl
def anabranch_executors():
    yield ExecutorRecord(name="toy", summary="", create=create, settings=f"{__name__}:ToySettings")


@hookimpl
def anabranch_artifact_stores():
    yield ArtifactStoreRecord(name="bomb", summary="", create=explode, schemes=("bomb",))


@hookimpl
def anabranch_journals():
    yield JournalRecord(name="bomb", summary="", create=explode, schemes=("bomb",))
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current directory; the user has no files."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in [*os.environ]:
        if name.startswith(("ANABRANCH_", "XDG_")):
            monkeypatch.delenv(name)
    return root


@pytest.fixture
def write(project: Path) -> Write:
    """`write("stacks/prod.toml", text)` makes a file of the project."""

    def write(name: str, text: str) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
        return path

    return write


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed plugin with components that have settings, or that cannot be made."""
    site = tmp_path / "site"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_plugin.py").write_text(TOY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[anabranch]\ntoy = toy_plugin\n")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("toy_plugin", None)
