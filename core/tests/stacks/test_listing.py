"""All stacks that can be chosen are listed, also those that cannot be used as they are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import describe_stack, list_stacks

Write = Callable[[str, str], Path]


def test_without_files_there_is_the_built_in_stack() -> None:
    (row,) = list_stacks()

    assert (row.name, row.source, row.is_active) == ("local", "the built-in stack", True)


def test_every_stack_is_listed_once_with_its_source(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("stacks/prod.toml", "")
    write("pyproject.toml", "[tool.anabranch.stacks.team]")
    mine = write("../user/.config/anabranch/stacks/mine.toml", "")
    write("../user/.config/anabranch/stacks/prod.toml", "")
    monkeypatch.setenv("ANABRANCH_STACK", "team")

    assert [(row.name, row.source, row.is_active) for row in list_stacks()] == [
        ("local", "the built-in stack", False),
        ("mine", str(mine.resolve()), False),
        ("prod", "stacks/prod.toml", False),
        ("team", "pyproject.toml [tool.anabranch.stacks.team]", True),
    ]


def test_a_stack_that_cannot_be_read_is_listed_with_its_problem(write: Write) -> None:
    write("stacks/bad.toml", "x = ")
    write("stacks/not a name.toml", "")

    problems = {row.name: row.problem for row in list_stacks()}

    assert problems["local"] == ""
    assert problems["bad"].startswith("this is not TOML")
    assert "cannot be the name of a stack" in problems["not a name"]


def test_a_malformed_pyproject_is_an_error(write: Write) -> None:
    write("pyproject.toml", "[tool.anabranch]\ndefault = ")

    with pytest.raises(StackError, match="this is not TOML"):
        list_stacks()


def test_a_description_of_the_built_in_stack(project: Path) -> None:
    described = describe_stack()

    assert described.is_active
    assert described.home == project / ".anabranch"
    assert all(row.is_default for row in described.rows)
    assert described.capabilities == {
        "driver_loss": "anabranch resume",
        "caching": "",
        "waits": "",
        "run_timeout": "",
    }
    assert described.problems == ()


def test_a_description_tells_what_stands_in_the_way(write: Write) -> None:
    write("stacks/s.toml", "journal = '${env:NOT_SET}'")

    described = describe_stack("s")

    assert not described.is_active
    assert described.capabilities == {}
    assert "environment variable 'NOT_SET' is not set" in described.problems[0]
