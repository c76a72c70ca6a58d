"""Makes the components that a stack chose, each on its own, from the records of plugins.

Whatever a plugin raises is a `StackError` here, so that no stack file and no plugin gives a traceback, and without what
placeholders have filled in.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from anabranch import backends, stacks
from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.interface import ArtifactStore
from anabranch.errors import AnabranchError, DefinitionError, StackError
from anabranch.journal.interface import Journal
from anabranch.plugins.discovery import explained
from anabranch.plugins.materializers import deferred
from anabranch.plugins.records import (
    ArtifactStoreRecord,
    ExecutorRecord,
    JournalRecord,
    MaterializerRecord,
    Opening,
    OrchestratorRecord,
    Record,
    resolved,
)
from anabranch.plugins.registry import Registry
from anabranch.stacks.choices import Choice, Choices, Table, choices
from anabranch.stacks.definitions import Definition
from anabranch.stacks.placeholders import Placeholders
from anabranch.stacks.places import Places, absolute

R = TypeVar("R", bound=Record)
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Assembly:
    """One stack in the making. Every method may raise `StackError`, and none needs another to have worked."""

    definition: Definition
    places: Places
    registry: Registry
    placeholders: Placeholders
    choices: Choices

    def orchestrator(self) -> OrchestratorRecord:
        """The record, its settings checked; it is up to the caller to create it."""
        return self._backend_record(OrchestratorRecord, self.choices.orchestrator)

    def executors(self) -> list[ExecutorRecord]:
        return [self.executor(name) for name in self.choices.executors]

    def executor(self, name: str) -> ExecutorRecord:
        """The record, its settings checked."""
        return self._backend_record(ExecutorRecord, name)

    def backend(self, record: OrchestratorRecord | ExecutorRecord) -> "backends.Backend | None":
        """`None` if drivers run in the process that starts the run."""
        if record.create is None:
            return None
        opening = self._opening(None, self._table(record.name), record.name)
        return self._made(record, record.create, opening)

    def store(self) -> tuple[ArtifactStoreRecord, ArtifactStore]:
        record, opening = self._chosen(
            ArtifactStoreRecord, self.choices.artifact_store, "artifact_store"
        )
        return record, self._made(record, record.create, opening)

    def journal(self) -> tuple[JournalRecord, Journal]:
        record, opening = self._chosen(JournalRecord, self.choices.journal, "journal")
        return record, self._made(record, record.create, opening)

    def codecs(self) -> tuple[Codecs, list[str]]:
        """All codecs, and lines about those that cannot be taken in."""
        known, problems = Codecs(), []
        for record in self.registry.every(MaterializerRecord):
            try:
                known = known.extended([deferred(self.registry.find(type(record), record.name))])
            except (DefinitionError, StackError) as error:
                problems.append(f"materializer {record.name!r} is left out: {error.what}")
        return known, problems

    def guarded(self, what: str, work: Callable[[], T]) -> T:
        """Does some work with a component; whatever it raises is a `StackError`, and tells no secret."""
        try:
            with self.placeholders.hidden():
                return work()
        except AnabranchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's code)
            text = self.placeholders.struck(" ".join(explained(error).split()))
            cause = None if self.placeholders.is_filled else error
            raise StackError(
                f"{what} failed: {text}", self.definition.source.label, "see its documentation"
            ) from cause

    # --- one component ---------------------------------------------------------------------------------------

    def _backend_record(self, kind: type[R], name: str) -> R:
        with self.placeholders.hidden():
            record = self.registry.find(kind, name)
            self._check(record, self._table(name), name)
        return record

    def _chosen(self, kind: type[R], choice: Choice, key: str) -> tuple[R, Opening]:
        with self.placeholders.hidden():
            record, location = self._located(kind, choice.location, key)
            self._check(record, choice.table, key)
        return record, self._opening(location, choice.table, key)

    def _located(self, kind: type[R], location: str, key: str) -> tuple[R, str | None]:
        """A URI chooses by its scheme, a path as `file`, and a bare word is a name."""
        scheme, is_uri, rest = location.partition("://")
        if is_uri and scheme != "file":
            return self.registry.at(kind, scheme), location
        if is_uri or os.sep in location or "/" in location or location[0] in "~.":
            return self.registry.at(kind, "file"), self._path(
                unquote(rest) if is_uri else location, key
            )
        return self.registry.find(kind, location), None

    def _path(self, text: str, key: str) -> str:
        """Absolute; relative paths start at the project's root."""
        try:
            return str(absolute(self.places.project / Path(text).expanduser()))
        except (RuntimeError, ValueError):
            raise StackError(
                f"{key} is not a usable path", self.definition.source.at(key), "write another path"
            ) from None

    def _table(self, name: str) -> Table:
        return self.choices.tables.get(name, {})

    def _check(self, record: Record, table: Table, key: str) -> None:
        """Settings that nobody reads are refused; those that somebody does must fit his model."""
        if not table:
            return
        if record.settings is None:
            first = next(iter(table))
            raise StackError(
                f"{record.role} {record.name!r} has no settings, and so no {first!r}",
                self.definition.source.at(key, first),
                "remove it",
            )
        reference = record.settings
        self.guarded(
            f"{record.role} {record.name!r}",
            lambda: self._opening(None, table, key).settings(resolved(reference)),
        )

    def _opening(self, location: str | None, table: Table, key: str) -> Opening:
        def validate(model: type[S], table: Mapping[str, object]) -> S:
            return stacks.validated(model, table, self.definition.source.within(key).at)

        return Opening(
            stack=self.definition.name,
            project=self.places.project,
            home=self.places.home,
            location=location,
            table=table,
            validate=validate,
        )

    def _made(self, record: Record, create: Callable[[Opening], T], opening: Opening) -> T:
        return self.guarded(f"{record.role} {record.name!r}", lambda: create(opening))


def assembled(
    definition: Definition, places: Places, registry: Registry, environ: Mapping[str, str]
) -> Assembly:
    """Placeholders filled in, choices read. Raises `StackError`."""
    placeholders = Placeholders(definition.source, places.project, environ)
    table = placeholders.fill(definition.table)
    with placeholders.hidden():
        made = choices(table, definition.source)
    return Assembly(definition, places, registry, placeholders, made)
