"""From a name to an open stack."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from anabranch.errors import StackError
from anabranch.plugins.records import ExecutorRecord, OrchestratorRecord
from anabranch.plugins.registry import Registry
from anabranch.stacks.abilities import abilities
from anabranch.stacks.assembly import Assembly, assembled
from anabranch.stacks.definitions import Definitions
from anabranch.stacks.places import places
from anabranch.stacks.stack import Stack


def open_stack(
    name: str | None = None,
    start: Path | None = None,
    plugins: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Stack:
    """The stack `name`, or the active one, for the project around `start` (`None`: the current directory).

    `plugins` are options such as `"no:kubernetes"`. `environ` has `ANABRANCH_HOME` and the like. Components only
    assign when they are made: nothing is reached and nothing is written before a run begins. Raises `StackError`.
    """
    assembly = assemble(name, start, plugins, environ)
    orchestrator, executors = assembly.orchestrator(), assembly.executors()
    refuse_jobs(assembly, orchestrator, executors)
    able = abilities(orchestrator, executors)
    codecs, problems = assembly.codecs()
    with ExitStack() as closing:
        store = assembly.store()[1]
        closing.callback(store.close)
        journal = assembly.journal()[1]
        closing.pop_all()
    return Stack(
        name=assembly.definition.name,
        project=assembly.places.project,
        home=assembly.places.home,
        journal=journal,
        store=store,
        codecs=codecs,
        capabilities=able.present,
        lacks=able.lacks,
        lease_seconds=assembly.choices.lease_seconds,
        problems=(*map(str, assembly.registry.problems), *problems),
        registry=assembly.registry,
    )


def assemble(
    name: str | None,
    start: Path | None,
    plugins: Iterable[str],
    environ: Mapping[str, str] = os.environ,
) -> Assembly:
    """Everything up to, and without, making the components. Raises `StackError`."""
    here = places(start, environ)
    definitions = Definitions(here, environ)
    definition = definitions.find(definitions.chosen(name))
    return assembled(definition, here, Registry.installed(plugins), environ)


def refuse_jobs(
    assembly: Assembly, orchestrator: OrchestratorRecord, executors: list[ExecutorRecord]
) -> None:
    """This release's engine has no jobs: a stack that asks for some is refused, and not run in this process instead."""
    if orchestrator.create is not None:
        key, what = "orchestrator", f"orchestrator {orchestrator.name!r} runs drivers as jobs"
    elif executors:
        key, what = "executors", f"executor {executors[0].name!r} runs steps as jobs"
    else:
        return
    raise StackError(
        f"{what}, which this release cannot do",
        assembly.definition.source.at(key),
        'use orchestrator = "local" without executors',
    )
