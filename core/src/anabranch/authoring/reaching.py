"""The steps that a pipeline's code can reach, found without running it.

For two purposes: a template may configure them, and what the stack cannot do for them is refused before the first of
them starts (law L7). Steps that come out of data structures or of other functions' results are found at their call.
"""

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from anabranch.engine.admission import admit
from anabranch.engine.definitions import (
    Definition,
    PipelineDefinition,
    Signature,
    StepDefinition,
)


def definitions_within(pipeline: PipelineDefinition) -> list[Definition]:
    """The steps and pipelines that the body names, in `depends_on` or in its code, and theirs in turn."""
    found: dict[int, Definition] = {}
    waiting: list[PipelineDefinition] = [pipeline]
    while waiting:
        here = waiting.pop()
        for value in (*here.options.depends_on, *_named(here.function)):
            definition = getattr(value, "_definition", None)
            if not isinstance(definition, StepDefinition | PipelineDefinition):
                continue
            if id(definition) not in found:
                found[id(definition)] = definition
                if isinstance(definition, PipelineDefinition):
                    waiting.append(definition)
    return list(found.values())


def signatures_within(pipeline: PipelineDefinition) -> dict[str, Signature]:
    """The steps that the pipeline can reach: their names, and what they take."""
    found = definitions_within(pipeline)
    return {d.name: d.signature for d in found if isinstance(d, StepDefinition)}


def refuse_unsupported_steps(
    pipeline: PipelineDefinition, lacks: Mapping[str, str], stack: str
) -> None:
    """Raises `CapabilityMissing` for a reachable step that the stack cannot run as asked."""
    for definition in definitions_within(pipeline):
        template = pipeline.overrides.get(definition.name, {})
        if isinstance(definition, StepDefinition):
            definition = definition.under(template)
        admit(definition, lacks, stack)


def _named(function: object, seen: set[int] | None = None) -> Iterator[Any]:
    """What a function's code refers to, and the plain functions among that, in turn."""
    seen = set() if seen is None else seen
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if value is not None:
            yield value
            if getattr(value, "__module__", None) == function.__module__:
                yield from _named(value, seen)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
