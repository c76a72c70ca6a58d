"""What `anabranch-local` provides: the components of the default stack, by the door that every plugin uses."""

import sqlite3
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import anabranch_local.plugin
from anabranch.artifacts.local import LocalStore
from anabranch.backends.capabilities import CAPABILITIES
from anabranch.errors import JournalError, StackError
from anabranch.journal.events import RunCreated
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId
from anabranch.plugins import (
    ArtifactStoreRecord,
    JournalRecord,
    OrchestratorRecord,
    Registry,
)
from anabranch.stacks import check_stack, open_stack
from anabranch_local.checks import check_journal
from anabranch_local.settings import LocalStoreSettings, SqliteSettings

ROOT = Path(__file__).parents[3]

CREATED = RunCreated(
    at=1.0, run=RunId("a-run"), pipeline="p", entry={}, stack="local", version="0.1.0"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project, which is the current directory."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("ANABRANCH_STACK", "ANABRANCH_HOME", "ANABRANCH_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_it_is_found_by_its_entry_point() -> None:
    (point,) = [point for point in entry_points(group="anabranch") if point.name == "local"]

    assert point.load() is anabranch_local.plugin


def test_it_provides_the_three_components_of_the_default_stack() -> None:
    registry = Registry.installed()

    assert registry.find(OrchestratorRecord, "local").create is None
    assert registry.find(ArtifactStoreRecord, "local") is registry.at(ArtifactStoreRecord, "file")
    assert registry.find(JournalRecord, "sqlite") is registry.at(JournalRecord, "file")
    assert registry.problems == ()


def test_it_declares_every_capability_that_a_backend_decides() -> None:
    """Law L7: what it cannot do has a reason."""
    declared = anabranch_local.plugin.CAPABILITIES

    decided = {name for name, meaning in CAPABILITIES.items() if meaning.decided_by != "engine"}
    assert set(declared.present) | set(declared.absent) == decided
    assert set(declared.present) == {"driver_loss"}
    assert all(declared.absent.values())


def test_by_default_all_is_kept_in_the_projects_home(project: Path) -> None:
    with open_stack() as stack:
        assert isinstance(stack.store, LocalStore)
        assert isinstance(stack.journal, SqliteJournal)
        assert stack.store.root == project / ".anabranch/artifacts"
        assert stack.journal.path == project / ".anabranch/journal.db"


@pytest.mark.parametrize(("level", "pragma"), [("NORMAL", 1), ("FULL", 2)])
def test_the_journal_commits_at_the_level_that_the_stack_sets(
    level: str, pragma: int, project: Path
) -> None:
    (project / "stacks/s.toml").write_text(f'[journal]\nsynchronous = "{level}"\n')

    with open_stack("s") as stack:
        assert isinstance(stack.journal, SqliteJournal)
        stack.journal.create(CREATED, "somebody", 60)
        with stack.journal._file.guarded() as database:
            assert database.execute("PRAGMA synchronous").fetchone() == (pragma,)


@pytest.mark.parametrize("synced", [True, False])
def test_the_store_waits_for_the_disk_if_the_stack_says_so(synced: bool, project: Path) -> None:
    (project / "stacks/s.toml").write_text(f"artifact_store = {{ synced = {str(synced).lower()} }}")

    with open_stack("s") as stack:
        assert isinstance(stack.store, LocalStore)
        assert stack.store._is_synced is synced


def test_without_settings_the_components_have_the_defaults_of_the_models() -> None:
    """Opening the default stack does not load the models, so the two are compared here."""
    with open_stack() as stack:
        assert isinstance(stack.store, LocalStore)
        assert isinstance(stack.journal, SqliteJournal)
        assert stack.store._is_synced is LocalStoreSettings().synced
        assert stack.journal._file._synchronous == SqliteSettings().synchronous


def test_a_check_of_the_journal_leaves_it_as_it_was(project: Path) -> None:
    journal = SqliteJournal(project / "journal.db")
    journal.create(CREATED, "somebody", 60)

    seen = check_journal(journal)

    assert seen.startswith(f"{project}/journal.db can be read and written, SQLite ")
    assert [run.run for run in journal.runs()] == [CREATED.run]
    journal.close()
    with closing(sqlite3.connect(journal.path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "stack_check" not in tables


def test_a_check_of_a_journal_that_is_not_there_makes_its_folder_only(project: Path) -> None:
    seen = check_journal(SqliteJournal(project / "new/journal.db"))

    assert seen.startswith(f"{project}/new/journal.db can be made by the first run, SQLite ")
    assert [file.name for file in (project / "new").iterdir()] == [".gitignore"]


def test_a_journal_whose_folder_cannot_be_made_is_told(project: Path) -> None:
    (project / "file").touch()

    with pytest.raises(StackError, match="the journal cannot be made: Not a directory"):
        check_journal(SqliteJournal(project / "file/below/journal.db"))


def test_a_journal_that_another_process_holds_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = SqliteJournal(project / "journal.db")
    journal.create(CREATED, "somebody", 60)
    monkeypatch.setattr("anabranch_local.checks.PATIENCE_SECONDS", 0.01)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(StackError, match="cannot be written: database is locked"):
            check_journal(journal)

    journal.close()


def test_a_journal_that_is_no_database_is_told(project: Path) -> None:
    (project / "journal.db").write_bytes(b"not a database, though long enough to be one" * 100)

    with pytest.raises(JournalError):
        check_journal(SqliteJournal(project / "journal.db"))


def test_the_worked_example_opens_and_is_well(project: Path) -> None:
    example = (ROOT / "stacks/laptop.toml").read_text()
    (project / "stacks/laptop.toml").write_text(example)

    report = check_stack("laptop")

    assert report.is_ok, report
    assert f"{project}/.anabranch/journal.db" in report.rows[2].detail
