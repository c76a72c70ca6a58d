"""What a stack can do and what it lacks, from what its backends declare and what the engine has."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from anabranch.backends.capabilities import CAPABILITIES, UNBUILT, Meaning
from anabranch.plugins.records import ExecutorRecord, OrchestratorRecord

BackendRecord: TypeAlias = OrchestratorRecord | ExecutorRecord


class Abilities(NamedTuple):
    """`present` maps a capability to how, `lacks` to why not. Together they are all capabilities there are."""

    present: Mapping[str, str]
    lacks: Mapping[str, str]


def abilities(orchestrator: OrchestratorRecord, executors: Sequence[ExecutorRecord]) -> Abilities:
    """An executor counts for what concerns steps. A backend's own reason is told before the engine's."""
    present, lacks = {}, {}
    for name, meaning in CAPABILITIES.items():
        asked = _asked(meaning, orchestrator, executors)
        how, why = _declared(name, asked)
        if name in UNBUILT:
            lacks[name] = UNBUILT[name] if how is not None or why is None else why
        elif how is not None or not asked:
            present[name] = how or ""
        else:
            lacks[name] = why or f"{orchestrator.role} {orchestrator.name!r} does not declare it"
    return Abilities(present, lacks)


def _asked(
    meaning: Meaning, orchestrator: OrchestratorRecord, executors: Sequence[ExecutorRecord]
) -> Sequence[BackendRecord]:
    if meaning.decided_by == "engine":
        return ()
    return (orchestrator, *executors) if meaning.decided_by == "backends" else (orchestrator,)


def _declared(name: str, backends: Sequence[BackendRecord]) -> tuple[str | None, str | None]:
    """How the first that has it does it, and why the first that lacks it does."""
    why = [b.capabilities.absent[name] for b in backends if name in b.capabilities.absent]
    how = [
        b.capabilities.present[name]
        for b in backends
        if name in b.capabilities.present and name not in b.capabilities.absent
    ]
    return (how[0] if how else None), (why[0] if why else None)
