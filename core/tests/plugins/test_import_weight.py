"""Listing plugins and opening the default stack are part of every run: they load nothing that it can do without.

Measured in a process of its own, away from any project.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = [
    "asyncio",
    "cloudpickle",
    "logging",
    "numpy",
    "pydantic",
    "rich",
    "tomllib",
    "typer",
    "yaml",
]

LIST = """
from anabranch.plugins import Registry
registry = Registry.installed()
assert {item.record.name for item in registry.provided} >= {"local", "sqlite"}
"""
OPEN = """
from anabranch.stacks import open_stack
with open_stack() as stack:
    assert stack.name == "local"
"""


@pytest.mark.parametrize("code", [LIST, OPEN], ids=["listing plugins", "opening the default stack"])
def test_nothing_heavy_is_imported_by(code: str, tmp_path: Path) -> None:
    assert sorted(set(HEAVY) & loaded_by(code, tmp_path)) == []


def test_listing_plugins_imports_no_component() -> None:
    """Neither the SDK of a cloud nor so much as SQLite."""
    loaded = loaded_by(LIST, Path.cwd())

    assert (
        sorted(loaded & {"sqlite3", "anabranch.journal.sqlite", "anabranch_local.settings"}) == []
    )


def test_a_pyproject_that_does_not_speak_of_us_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'theirs'\n")

    assert "tomllib" not in loaded_by(OPEN, tmp_path)


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules of a fresh interpreter after some code."""
    script = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"HOME": str(folder), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))
