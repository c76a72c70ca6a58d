"""The six hooks that a plugin may implement.

Five of them yield records, which are plain data: nothing is created and no SDK is imported until a stack needs it. The
sixth only watches.
"""

from collections.abc import Iterable

import pluggy

from anabranch.journal.events import Event
from anabranch.model.ids import RunId
from anabranch.plugins.records import (
    ArtifactStoreRecord,
    ExecutorRecord,
    JournalRecord,
    MaterializerRecord,
    OrchestratorRecord,
)

PROJECT = "anabranch"
"""pluggy's project name, and the entry point group of plugins."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the implementation of the hook that has its name."""


@hookspec
def anabranch_orchestrators() -> Iterable[OrchestratorRecord]:
    """What can run drivers."""
    return ()


@hookspec
def anabranch_executors() -> Iterable[ExecutorRecord]:
    """What can run isolated steps."""
    return ()


@hookspec
def anabranch_artifact_stores() -> Iterable[ArtifactStoreRecord]:
    """What can keep artifacts."""
    return ()


@hookspec
def anabranch_journals() -> Iterable[JournalRecord]:
    """What can keep the events of runs."""
    return ()


@hookspec
def anabranch_materializers() -> Iterable[MaterializerRecord]:
    """What can turn values of some types into bytes and back."""
    return ()


@hookspec
def anabranch_event_recorded(run: RunId, number: int, event: Event) -> None:
    """An event is in the journal. `number` counts a run's events from 1.

    Called in the thread that wrote it, for every event in order: be quick. What it raises is shown once, as a warning,
    and the plugin is told no more of that run; the run itself goes on.
    """
