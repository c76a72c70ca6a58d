"""An open stack has its components, closes them all, and tells what it cannot do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.artifacts import Buffers, digest_of
from anabranch.artifacts.local import LocalStore
from anabranch.backends.capabilities import CAPABILITIES
from anabranch.errors import JournalError, StackError
from anabranch.stacks import Stack, open_stack

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("location", "folder"),
    [
        ("./data", "{project}/data"),
        ("data/", "{project}/data"),
        ("..", "{parent}"),
        ("/var/data", "/var/data"),
        ("~/data", "{parent}/user/data"),
        ("file:///var/a%20b", "/var/a b"),
        ("local", "{project}/.anabranch/artifacts"),
    ],
)
def test_a_path_is_a_folder_for_artifacts(
    location: str, folder: str, project: Path, write: Write
) -> None:
    write("stacks/s.toml", f"artifact_store = '{location}'")

    with open_stack("s") as stack:
        assert isinstance(stack.store, LocalStore)
        assert str(stack.store.root) == folder.format(project=project, parent=project.parent)


def test_a_bare_word_is_a_name_and_not_a_path(write: Write) -> None:
    write("stacks/s.toml", "artifact_store = 'data'")

    with pytest.raises(StackError, match="has an artifact store called 'data'"):
        open_stack("s")


def test_a_uri_of_an_unknown_scheme_is_told(write: Write) -> None:
    write("stacks/s.toml", "artifact_store = 's3://bucket/prefix'")

    with pytest.raises(StackError, match="has an artifact store for s3:// URIs"):
        open_stack("s")


def test_the_home_of_nobody_is_no_path(write: Write) -> None:
    write("stacks/s.toml", "journal = '~nobody-at-all/x.db'")

    with pytest.raises(StackError, match="journal is not a usable path"):
        open_stack("s")


@pytest.mark.usefixtures("toy")
def test_what_a_plugin_raises_is_a_stack_error_that_keeps_its_cause(write: Write) -> None:
    write("stacks/s.toml", "journal = 'bomb://host'")

    with pytest.raises(StackError) as caught:
        open_stack("s")

    assert caught.value.what == "journal 'bomb' failed: RuntimeError: no route to bomb://host"
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_without_the_local_plugin_a_stack_does_not_open() -> None:
    with pytest.raises(StackError, match="no installed plugin has an orchestrator called 'local'"):
        open_stack(plugins=["no:local"])


def test_a_broken_plugin_does_not_keep_a_stack_from_opening_but_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site/broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[anabranch]\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path / "site")

    with open_stack() as stack:
        (problem,) = stack.problems

    assert problem.startswith("plugin 'broken' of broken 1.0: left out; ModuleNotFoundError")


def test_the_default_stack_answers_for_every_capability() -> None:
    """Law L7."""
    with open_stack() as stack:
        assert set(stack.capabilities) | set(stack.lacks) == set(CAPABILITIES)
        assert stack.capabilities == {
            "driver_loss": "anabranch resume",
            "caching": "",
            "waits": "",
            "run_timeout": "",
        }
        assert all(stack.lacks.values())


def test_closing_closes_every_component_whatever_the_others_do() -> None:
    closed = []

    class Failing:
        def close(self) -> None:
            closed.append("journal")
            raise JournalError("no")

    class Store:
        def close(self) -> None:
            closed.append("store")

    with open_stack() as real:
        stack = Stack(
            **{name: getattr(real, name) for name in Stack.__slots__}
            | {"journal": Failing(), "store": Store()}
        )
    with pytest.raises(JournalError):
        stack.close()

    assert sorted(closed) == ["journal", "store"]


def test_a_stack_keeps_artifacts_and_runs_in_its_home(project: Path) -> None:
    payload = Buffers([b"some bytes"])
    with open_stack() as stack:
        stack.store.put(digest_of(payload), payload)
        assert stack.store.open(digest_of(payload)).read() == b"some bytes"
        assert stack.journal.runs() == ()

    assert {path.name for path in (project / ".anabranch").iterdir()} == {"artifacts"}


def test_nobody_watches_a_run_unless_a_plugin_does() -> None:
    with open_stack() as stack:
        assert list(stack.observers("r")) == []  # type: ignore[arg-type]
