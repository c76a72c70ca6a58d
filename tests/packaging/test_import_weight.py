"""`import anabranch` costs next to nothing: its names are resolved when they are first used.

A command line that completes a word, a worker that starts for one item, and a test that only needs a type all
pay this price, so it is kept low by a test rather than by good intentions.
"""

import json
import subprocess
import sys

import pytest

HEAVY = ["asyncio", "cloudpickle", "logging", "numpy", "pydantic", "rich", "typer", "yaml"]
LOADED = "import json, sys, anabranch; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Return the modules that a fresh interpreter has after `import anabranch`."""
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", HEAVY)
def test_import_anabranch_does_not_load(module: str, loaded: set[str]) -> None:
    assert module not in loaded
