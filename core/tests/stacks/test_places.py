"""Where a project begins, and where it keeps its runs."""

import os
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import open_stack
from anabranch.stacks.places import find_project, places


@pytest.mark.parametrize(
    "mark", [".anabranch/", "pyproject.toml", ".git/", ".git", "stacks/a.toml"]
)
def test_a_projects_root_is_the_nearest_folder_with_a_mark(mark: str, tmp_path: Path) -> None:
    root, below = tmp_path / "root", tmp_path / "root/a/b"
    below.mkdir(parents=True)
    (root / mark).parent.mkdir(exist_ok=True)
    (root / mark).mkdir() if mark.endswith("/") else (root / mark).touch()

    assert find_project(below) == root
    assert find_project(root) == root


def test_a_folder_called_stacks_without_a_stack_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "code/stacks").mkdir(parents=True)
    (tmp_path / "code/stacks/__init__.py").touch()

    assert find_project(tmp_path / "code/stacks") == tmp_path / "code/stacks"


def test_a_place_without_any_mark_is_its_own_project(tmp_path: Path) -> None:
    assert find_project(tmp_path) == tmp_path


def test_a_stack_is_opened_for_the_project_around_start(tmp_path: Path) -> None:
    (tmp_path / "other/src").mkdir(parents=True)
    (tmp_path / "other/pyproject.toml").touch()

    with open_stack(start=tmp_path / "other/src") as stack:
        assert stack.project == tmp_path / "other"


def test_the_home_folder_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_HOME", str(tmp_path / "elsewhere"))

    with open_stack() as stack:
        assert stack.home == tmp_path / "elsewhere"


def test_a_stack_can_be_opened_for_another_environment(tmp_path: Path) -> None:
    with open_stack(environ={"ANABRANCH_HOME": str(tmp_path / "apart")}) as stack:
        assert stack.home == tmp_path / "apart"
    assert os.environ.get("ANABRANCH_HOME") != str(tmp_path / "apart")


def test_a_relative_home_starts_at_the_current_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANABRANCH_HOME", "../runs")

    assert places().home == project.parent / "runs"


def test_a_current_directory_that_is_gone_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(StackError, match="the current directory is gone"):
        open_stack()
    os.chdir(tmp_path)


def test_nobody_needs_a_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nowhere))

    assert places().user is None
