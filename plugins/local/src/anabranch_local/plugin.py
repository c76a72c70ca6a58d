"""What this distribution provides. Listing it imports neither SQLite nor pydantic: `create` does, once it is needed.

The artifact store and the journal live in the core, for a stranger's backend builds on them too; that a stack can
choose them is told here, by the same door as for any plugin.
"""

from collections.abc import Iterator
from pathlib import Path

from anabranch.artifacts.interface import ArtifactStore
from anabranch.journal.interface import Journal
from anabranch.plugins import (
    ArtifactStoreRecord,
    Capabilities,
    JournalRecord,
    Opening,
    OrchestratorRecord,
    hookimpl,
)

ANABRANCH_API = 1

_HERE = "steps run in the process that starts the run"

CAPABILITIES = Capabilities(
    present={"driver_loss": "anabranch resume"},
    absent={
        "isolated_steps": f"{_HERE}; isolated processes are not built yet",
        "detach": "the driver is the process that starts the run, and ends with it",
        "run_environment": "the driver has the environment of the process that starts the run",
        "queue_timeout": f"{_HERE}; they wait for no machine",
        "resources": f"{_HERE}, and share what it has",
        "custom_image": f"{_HERE}; there is no image",
        "secrets": f"{_HERE}, and see its environment",
        "settings": f"{_HERE}; nothing about it can be set for one step",
    },
)


@hookimpl
def anabranch_orchestrators() -> Iterator[OrchestratorRecord]:
    """Drivers in the calling process."""
    yield OrchestratorRecord(
        name="local",
        summary="runs the driver in the process that starts the run",
        create=None,
        capabilities=CAPABILITIES,
    )


@hookimpl
def anabranch_artifact_stores() -> Iterator[ArtifactStoreRecord]:
    """A folder: `.anabranch/artifacts`, or a path that the stack gives."""
    yield ArtifactStoreRecord(
        name="local",
        summary="keeps artifacts in a folder of this machine",
        create=create_store,
        settings="anabranch_local.settings:LocalStoreSettings",
        schemes=("file",),
    )


@hookimpl
def anabranch_journals() -> Iterator[JournalRecord]:
    """A SQLite file: `.anabranch/journal.db`, or a path that the stack gives."""
    yield JournalRecord(
        name="sqlite",
        summary="keeps runs in one SQLite file",
        create=create_journal,
        settings="anabranch_local.settings:SqliteSettings",
        check="anabranch_local.checks:check_journal",
        schemes=("file",),
    )


def create_store(opening: Opening) -> ArtifactStore:
    """Settings are read only where there are some, which spares a plain run pydantic."""
    from anabranch.artifacts.local import LocalStore  # noqa: PLC0415

    root = Path(opening.location or opening.home / "artifacts")
    if not opening.table:
        return LocalStore(root)
    from anabranch_local.settings import LocalStoreSettings  # noqa: PLC0415

    return LocalStore(root, is_synced=opening.settings(LocalStoreSettings).synced)


def create_journal(opening: Opening) -> Journal:
    """The same for the journal."""
    from anabranch.journal.sqlite import SqliteJournal  # noqa: PLC0415

    path = Path(opening.location or opening.home / "journal.db")
    if not opening.table:
        return SqliteJournal(path)
    from anabranch_local.settings import SqliteSettings  # noqa: PLC0415

    return SqliteJournal(path, opening.settings(SqliteSettings).synchronous)
