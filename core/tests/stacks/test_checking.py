"""`check_stack` reaches every component for real, and one that fails hides none of the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.artifacts.local import LocalStore
from anabranch.errors import ArtifactMissing, StackError
from anabranch.stacks import StackReport, check_stack

Write = Callable[[str, str], Path]


def details(report: StackReport) -> dict[str, tuple[bool, str]]:
    return {row.component: (row.is_ok, row.detail) for row in report.rows}


def test_the_default_stack_is_well(project: Path) -> None:
    report = check_stack()

    assert report.is_ok
    assert [row.component for row in report.rows] == [
        "orchestrator",
        "artifact store",
        "journal",
        "this release",
    ]
    assert all("\n" not in row.detail for row in report.rows)


def test_a_check_leaves_no_journal_and_no_artifact(project: Path) -> None:
    check_stack()

    left = [path.name for path in (project / ".anabranch").rglob("*") if path.is_file()]
    assert left == []


def test_a_check_can_be_repeated(project: Path) -> None:
    assert check_stack().is_ok
    assert check_stack().is_ok


def test_a_store_that_cannot_be_written_is_told_and_the_rest_is_looked_at(
    project: Path, write: Write
) -> None:
    (project / "file").touch()
    write("stacks/s.toml", "artifact_store = './file'")

    report = check_stack("s")

    is_ok, detail = details(report)["artifact store"]
    assert not is_ok
    assert detail.startswith("the local artifact store cannot be written: Not a directory\n")
    assert [row.component for row in report.rows if not row.is_ok] == ["artifact store"]
    assert not report.is_ok


@pytest.mark.parametrize("content", [b"this is not a database, and long enough to tell", None])
def test_a_journal_that_is_none_is_told(content: bytes | None, project: Path, write: Write) -> None:
    journal = project / "journal.db"
    journal.mkdir() if content is None else journal.write_bytes(content)
    write("stacks/s.toml", "journal = './journal.db'")

    report = check_stack("s")

    assert [row.component for row in report.rows if not row.is_ok] == ["journal"]


def test_a_store_that_gives_back_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStore, "contains", lambda *_: False)

    is_ok, detail = details(check_stack())["artifact store"]

    assert not is_ok
    assert detail.startswith("the artifact store does not give back what it was given\n")


def test_a_store_that_forgets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStore, "put", lambda *_: None)

    is_ok, detail = details(check_stack())["artifact store"]

    assert not is_ok
    assert detail.startswith(str(ArtifactMissing("the artifact store no longer has the bytes")))


@pytest.mark.usefixtures("toy")
def test_a_backend_is_asked_for_jobs(write: Write) -> None:
    write(
        "stacks/s.toml",
        'orchestrator = "toy"\nexecutors = ["toy"]\n[toy]\nnamespace = "ml"',
    )

    rows = details(check_stack("s"))

    answer = "toy: answers; knows 0 jobs of run 'stack-check'"
    assert rows["orchestrator"] == (True, answer)
    assert rows["executor toy"] == (True, answer)
    assert rows["this release"][0] is False


@pytest.mark.usefixtures("toy")
def test_what_cannot_be_made_is_told_for_each_component(write: Write) -> None:
    write(
        "stacks/s.toml",
        'orchestrator = "gone"\njournal = "bomb"\nartifact_store = "bomb://x"\nexecutors = ["away"]',
    )

    report = check_stack("s")

    assert [(row.component, row.is_ok) for row in report.rows] == [
        ("orchestrator", False),
        ("executor away", False),
        ("artifact store", False),
        ("journal", False),
        ("this release", False),
    ]
    assert report.capabilities == {}
    assert report.lacks == {}


def test_a_stack_that_cannot_be_read_is_an_error_and_no_report(write: Write) -> None:
    write("stacks/s.toml", "orchestrator =")

    with pytest.raises(StackError, match="this is not TOML"):
        check_stack("s")
