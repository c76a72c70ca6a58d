"""Which stack is meant: argument, environment, the project's default, else the built-in one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import list_stacks, open_stack

Write = Callable[[str, str], Path]

PYPROJECT = """
    [tool.anabranch]
    default = "team"

    [tool.anabranch.stacks.team]
    orchestrator = "local"
"""


def opened(name: str | None = None) -> str:
    with open_stack(name) as stack:
        return stack.name


def test_the_built_in_stack_needs_no_file(project: Path) -> None:
    with open_stack() as stack:
        assert stack.name == "local"
        assert stack.project == project
        assert stack.home == project / ".anabranch"
        assert stack.lease_seconds == 15
        assert stack.problems == ()


def test_opening_a_stack_writes_nothing(project: Path) -> None:
    open_stack().close()

    assert [path.name for path in project.iterdir()] == [".git"]


def test_a_file_in_stacks_is_a_stack(write: Write) -> None:
    write("stacks/prod.toml", "")

    assert opened("prod") == "prod"


def test_a_table_of_pyproject_is_a_stack_and_may_be_the_default(write: Write) -> None:
    write("pyproject.toml", PYPROJECT)

    assert opened() == "team"


def test_the_environment_comes_before_the_default(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("pyproject.toml", PYPROJECT)
    write("stacks/prod.toml", "")
    monkeypatch.setenv("ANABRANCH_STACK", "prod")

    assert opened() == "prod"


def test_the_argument_comes_before_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("stacks/prod.toml", "")
    monkeypatch.setenv("ANABRANCH_STACK", "prod")

    assert opened("local") == "local"


def test_an_empty_environment_variable_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_STACK", "")

    assert opened() == "local"


def test_a_file_called_local_takes_the_place_of_the_built_in_stack(write: Write) -> None:
    write("stacks/local.toml", "journal = { lease_seconds = 99 }")

    with open_stack() as stack:
        assert stack.lease_seconds == 99


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME"])
def test_the_users_own_stacks_are_seen_in_every_project(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / ("u/.config" if variable == "HOME" else "u")
    (config / "anabranch/stacks").mkdir(parents=True)
    (config / "anabranch/stacks/mine.toml").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "u"))

    assert opened("mine") == "mine"


def test_the_projects_stack_comes_before_the_users(write: Write, tmp_path: Path) -> None:
    write("stacks/prod.toml", "journal = { lease_seconds = 20 }")
    write("../user/.config/anabranch/stacks/prod.toml", "journal = { lease_seconds = 30 }")

    with open_stack("prod") as stack:
        assert stack.lease_seconds == 20
    assert [row.source for row in list_stacks() if row.name == "prod"] == ["stacks/prod.toml"]


def test_a_stack_that_the_project_defines_twice_is_refused(write: Write) -> None:
    write("pyproject.toml", PYPROJECT)
    write("stacks/team.toml", "")

    with pytest.raises(StackError, match="stack 'team' is defined twice") as caught:
        open_stack("team")

    assert caught.value.to == "stacks/team.toml and pyproject.toml [tool.anabranch.stacks.team]"


def test_an_unknown_name_is_refused_with_what_is_near(write: Write, project: Path) -> None:
    write("stacks/prod.toml", "")

    with pytest.raises(StackError) as caught:
        open_stack("prdo")

    assert str(caught.value).splitlines() == [
        "no stack is called 'prdo'",
        f"  in: project {project}",
        "  do: did you mean 'prod'? Or write stacks/prdo.toml",
    ]


@pytest.mark.parametrize("name", ["../x", "a b", ".hidden", "a/b", "a\0b", "-", "ü"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(StackError, match="cannot be the name of a stack"):
        open_stack(name)


def test_a_bad_name_in_the_environment_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_STACK", "../x")

    with pytest.raises(StackError, match="in: ANABRANCH_STACK"):
        open_stack()
