"""The version of a project's source: git's commit, and what has been changed since in files that it tracks."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anabranch import Cache, pipeline, step
from anabranch.engine.caching.sources import source_version
from anabranch.errors import CallError

Git = Callable[..., None]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in the project, which has one commit."""

    def run(*words: str) -> None:
        names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "HOME": str(tmp_path)}
        names |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        command = ["git", "-C", str(tmp_path), *words]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **names})

    (tmp_path / "data.txt").write_text("one\n")
    run("init")
    run("add", "data.txt")
    run("commit", "-m", "first")
    return run


def test_the_version_changes_with_every_commit_and_every_change_of_a_tracked_file(
    git: Git, tmp_path: Path
) -> None:
    versions = [source_version(tmp_path)]
    (tmp_path / "data.txt").write_text("two\n")
    versions.append(source_version(tmp_path))
    git("add", "data.txt")
    assert source_version(tmp_path) == versions[-1]
    git("commit", "-m", "second")
    versions.append(source_version(tmp_path))
    (tmp_path / "data.txt").write_bytes(b"\0binary")
    versions.append(source_version(tmp_path))
    (tmp_path / "data.txt").unlink()
    versions.append(source_version(tmp_path))

    assert len(set(versions)) == 5


def test_what_git_does_not_track_is_not_part_of_the_version(git: Git, tmp_path: Path) -> None:
    before = source_version(tmp_path)
    (tmp_path / "other.txt").write_text("x")

    assert source_version(tmp_path) == before


@pytest.mark.parametrize("what", ["no repository", "no commit", "no git"])
def test_without_a_commit_there_is_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "no commit":
        subprocess.run(["git", "-C", str(tmp_path), "init"], check=True, capture_output=True)
    if what == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CallError) as caught:
        source_version(tmp_path)
    assert len(str(caught.value).splitlines()) == 3


def test_a_step_with_the_source_in_its_key_runs_again_after_a_change_that_no_fingerprint_sees(
    git: Git, tmp_path: Path, lab, notes
) -> None:
    @step(cache=Cache(source_version=True))
    def read() -> str:
        notes.add("ran")
        return (tmp_path / "data.txt").read_text()

    @pipeline
    def flow() -> Any:
        return read()

    found = [lab.start(flow).load() for _ in range(2)]
    (tmp_path / "data.txt").write_text("two\n")
    found += [lab.start(flow).load() for _ in range(2)]

    assert found == ["one\n", "one\n", "two\n", "two\n"]
    assert len(notes) == 2
