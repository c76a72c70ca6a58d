"""A user's editor and type checker see through `@step` and `@pipeline`.

Both checkers read user_code.py, where `assert_type` says what must be known, and an ignored line what must be refused:
an ignore that is not needed is an error of its own.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
USER_CODE = HERE / "user_code.py"


def check(*command: str) -> None:
    """Runs a checker as a module of this Python. Its complaints are the test's."""
    pytest.importorskip(command[0])
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_sees_what_a_step_takes_and_gives() -> None:
    """In strict mode, by pyproject.toml: nothing of ours is unknown to it."""
    check("pyright", "--pythonpath", sys.executable, str(USER_CODE))


def test_mypy_sees_what_a_step_takes_and_gives() -> None:
    check("mypy", "--strict", "--config-file=", "--cache-dir=/dev/null", str(USER_CODE))


SHOWN = {
    "twice.submit(1)": "StepFuture[int]",
    "twice(1)": "Artifact[int]",
    "twice(1).load()": "int",
    "twice.map([1])": "MapFuture[int]",
    "both(1)": "tuple[Artifact[int], Artifact[str]]",
    "waits.submit()": "StepFuture[bytes]",
    "nothing()": "None",
}


def test_an_editor_shows_the_types_of_calls(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "shown.py"
    script.write_text(
        "from anabranch import step\n"
        "@step\ndef twice(value: int) -> int: return 2 * value\n"
        "@step\ndef both(value: int) -> tuple[int, str]: return value, ''\n"
        "@step\ndef nothing() -> None: ...\n"
        "@step\nasync def waits() -> bytes: return b''\n"
        + "".join(f"reveal_type({call})\n" for call in SHOWN)
    )
    command = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir=/dev/null", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert [re.sub(r"\w+\.", "", kind) for kind in revealed] == list(SHOWN.values())
