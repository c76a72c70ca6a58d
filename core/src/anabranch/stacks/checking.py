"""Reaches every component of a stack for real, and says of each what it saw.

One that fails does not keep the others from being looked at. A plugin's record may bring a check of its own; else the
artifact store keeps and gives back some bytes, the journal is asked for a run that is not there, and a backend for jobs
of that run.
"""

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from anabranch.artifacts.interface import ArtifactStore, Buffers, digest_of
from anabranch.backends.interface import Backend
from anabranch.errors import AnabranchError, RunNotFound, StackError
from anabranch.journal.interface import Journal
from anabranch.model.ids import RunId
from anabranch.plugins.records import ExecutorRecord, OrchestratorRecord, Record, resolved
from anabranch.stacks.abilities import Abilities, abilities
from anabranch.stacks.assembly import Assembly
from anabranch.stacks.opening import assemble, refuse_jobs

_NO_RUN = RunId("stack-check")


@dataclass(frozen=True, slots=True)
class CheckRow:
    """`detail` is one line: what was seen if `is_ok`, else the three lines of the error."""

    component: str
    is_ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReport:
    """What `anabranch stack check` shows. `problems` are of plugins that this stack may not even use."""

    name: str
    source: str
    rows: tuple[CheckRow, ...]
    capabilities: Mapping[str, str]
    lacks: Mapping[str, str]
    problems: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        return all(row.is_ok for row in self.rows)


def check_stack(
    name: str | None = None, start: Path | None = None, plugins: Iterable[str] = ()
) -> StackReport:
    """The stack `name`, or the active one. Raises `StackError` only if its definition cannot be read."""
    assembly = assemble(name, start, plugins)
    rows = [
        _row("orchestrator", lambda: _orchestrator(assembly)),
        *(
            _row(assembly.placeholders.struck(f"executor {name}"), _executor(assembly, name))
            for name in assembly.choices.executors
        ),
        _row("artifact store", lambda: _store(assembly)),
        _row("journal", lambda: _journal(assembly)),
        _row("this release", lambda: _usable(assembly)),
    ]
    able, problems = _abilities(assembly), assembly.codecs()[1]
    return StackReport(
        name=assembly.definition.name,
        source=assembly.definition.source.label,
        rows=tuple(rows),
        capabilities=able.present,
        lacks=able.lacks,
        problems=(*map(str, assembly.registry.problems), *problems),
    )


def _row(component: str, probe: Callable[[], str]) -> CheckRow:
    try:
        return CheckRow(component, True, probe())
    except AnabranchError as error:
        return CheckRow(component, False, str(error))


def _abilities(assembly: Assembly) -> Abilities:
    """None at all where a backend is not to be had: its row has said why."""
    try:
        return abilities(assembly.orchestrator(), assembly.executors())
    except StackError:
        return Abilities({}, {})


def _usable(assembly: Assembly) -> str:
    refuse_jobs(assembly, assembly.orchestrator(), assembly.executors())
    return "can run on this stack"


def _orchestrator(assembly: Assembly) -> str:
    return _backend(assembly, assembly.orchestrator())


def _executor(assembly: Assembly, name: str) -> Callable[[], str]:
    return lambda: _backend(assembly, assembly.executor(name))


def _backend(assembly: Assembly, record: OrchestratorRecord | ExecutorRecord) -> str:
    backend = assembly.backend(record)
    if backend is None:
        return f"{record.name}: the driver runs in this process, Python {platform.python_version()}"
    with closing(backend):
        return _checked(assembly, record, backend, lambda: _finds_nothing(backend))


def _store(assembly: Assembly) -> str:
    record, store = assembly.store()
    with closing(store):
        return _checked(assembly, record, store, lambda: _keeps(store))


def _journal(assembly: Assembly) -> str:
    record, journal = assembly.journal()
    with closing(journal):
        return _checked(assembly, record, journal, lambda: _reads(journal))


def _checked(
    assembly: Assembly, record: Record, component: object, probe: Callable[[], str]
) -> str:
    """By the record's own check if it has one, else by what every component of its role can do."""
    own = record.check

    def check() -> str:
        return str(resolved(own)(component)) if own else probe()

    seen = assembly.guarded(f"{record.role} {record.name!r}", check)
    return f"{record.name}: {assembly.placeholders.struck(' '.join(seen.split()))}"


def _finds_nothing(backend: Backend) -> str:
    return f"answers; knows {len(backend.find(_NO_RUN))} jobs of run {_NO_RUN!r}"


def _keeps(store: ArtifactStore) -> str:
    """Puts bytes that were never there before, reads them back, and removes them where they are a local file."""
    data = b"anabranch stack check " + os.urandom(16).hex().encode()
    payload = Buffers([data])
    digest = digest_of(payload)
    store.put(digest, payload)
    source = store.open(digest)
    if not store.contains(digest) or source.read() != data:
        raise StackError(
            "the artifact store does not give back what it was given",
            f"digest {digest}",
            "look at the store, or at the plugin's tests",
        )
    path = source.path()
    if path is None:
        return f"{len(data)} bytes were written and read back; they stay there as {digest}"
    path.unlink()
    return f"{len(data)} bytes were written, read back and removed in {path.parent.parent}"


def _reads(journal: Journal) -> str:
    try:
        journal.find(_NO_RUN)
    except RunNotFound:
        return f"answers; it has {'runs' if journal.runs(limit=1) else 'no run yet'}"
    raise StackError(
        f"the journal has a run {_NO_RUN!r}, which nobody can have made",
        type(journal).__qualname__,
        "look at the journal, or at the plugin's tests",
    )
