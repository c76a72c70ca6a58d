"""Begins a run with what another one has recorded, but for a call and all that lies downstream of it.

The new run's journal starts with a copy of the other's events, without the outcomes that are to be made again. From
then on it is a run like any other, that a driver takes up: killed half way, it is resumed, and killed while it is
copied, less of it is reused. Large values are in the store already, under their digest.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from anabranch import __version__
from anabranch.engine.definitions import PipelineDefinition, Signature
from anabranch.engine.launching import written
from anabranch.engine.values import Values
from anabranch.errors import RunNotResumable
from anabranch.journal.events import (
    CodeSeen,
    CompletionObserved,
    Event,
    InvocationCreated,
    LogWritten,
    MapExpanded,
    OutcomeRecorded,
    RunCreated,
    ValueDrawn,
    WaitAnswered,
    WaitOpened,
)
from anabranch.journal.fold import RunState, read_state
from anabranch.journal.holders import this_holder
from anabranch.journal.names import called
from anabranch.model.ids import ROOT_SCOPE, InvocationId, RunId, new_run_id
from anabranch.stacks import Stack

_BATCH = 1000


def branch_off(
    run: RunId,
    from_step: str,
    pipeline: PipelineDefinition,
    parameters: Mapping[str, object],
    stack: Stack,
) -> RunId:
    """A new run without a driver, which has all of `run` but for what `from_step` names and what depends on it.

    `parameters` replace arguments that `run` was started with. Raises `RunNotResumable` for a run that is going on,
    `UserMistake` for a step that it does not have, and `CallError` or `NotSerializable` for parameters.
    """
    if stack.journal.summary(run).status == "running":
        raise RunNotResumable(
            f"run {run} is going on: what it will have recorded is not known yet",
            "anabranch rerun",
            f"wait for its end, or stop it; follow it: anabranch runs show {run}",
        )
    state = read_state(stack.journal, run)
    again = downstream(state, called(state, from_step))
    created = _created(state, pipeline, parameters, stack)
    writer = stack.journal.create(created, this_holder(), stack.lease_seconds)
    try:
        events = taken_over(stack.journal.read(run, without=(LogWritten,)), state, again)
        while batch := list(islice(events, _BATCH)):
            writer.append(batch)
            writer.renew()
    finally:
        writer.release()
    return created.run


def downstream(state: RunState, chosen: Iterable[InvocationId]) -> set[InvocationId]:
    """The chosen calls, what is inside them, all that depends on them by the recorded edges, and the child runs around.

    What comes after a chosen map comes after its items.
    """
    graph = _Edges(state)
    again: set[InvocationId] = set()
    waiting = [each for id in chosen for each in (id, *graph.within(id), *graph.after(id))]
    while waiting:
        id = waiting.pop()
        known = state.invocations.get(id)
        if known is None or id in again:
            continue
        again.add(id)
        waiting += [*graph.after(id), *(graph.after(known.map) if known.map else ())]
        waiting += [known.scope] if known.scope != ROOT_SCOPE else []
    return again


class _Edges:
    """Who comes after whom in a run. What comes after a map that is fanned out over is told by its items."""

    def __init__(self, state: RunState) -> None:
        self._after: dict[InvocationId, list[InvocationId]] = {}
        self._inside: dict[InvocationId, list[InvocationId]] = {}
        items: dict[InvocationId, list[InvocationId]] = {}
        told: set[tuple[InvocationId, InvocationId]] = set()
        for known in state.invocations.values():
            self._inside.setdefault(known.scope, []).append(known.invocation)
            for upstream in known.after:
                self._after.setdefault(upstream, []).append(known.invocation)
                told.update({(upstream, known.map)} if known.map else ())
            if known.map:
                items.setdefault(known.map, []).append(known.invocation)
        for found in state.maps.values():
            for upstream in found.after:
                if upstream not in state.maps and (upstream, found.map) not in told:
                    self._after.setdefault(upstream, []).extend(items.get(found.map, ()))

    def after(self, id: InvocationId) -> Iterable[InvocationId]:
        return self._after.get(id, ())

    def within(self, id: InvocationId) -> Iterator[InvocationId]:
        """The calls of a child run and of those inside it."""
        for inner in self._inside.get(id, ()):
            yield inner
            yield from self.within(inner)


def taken_over(
    events: Iterable[tuple[int, Event]], state: RunState, again: Collection[InvocationId]
) -> Iterator[Event]:
    """The events that a rerun begins with: what was called, drawn, seen and answered, and the outcomes that count.

    Only completed calls have an outcome there. Answers lose the number of their message, which is another run's.
    """
    for number, event in events:
        if isinstance(event, OutcomeRecorded):
            known = state.invocations[event.invocation]
            counts = known.status == "completed" and known.outcome_number == number
            if counts and event.invocation not in again:
                yield event
        elif isinstance(event, WaitAnswered):
            yield replace(event, message=0)
        elif isinstance(event, _TAKEN_OVER):
            yield event


_TAKEN_OVER = (
    InvocationCreated,
    MapExpanded,
    CodeSeen,
    ValueDrawn,
    CompletionObserved,
    WaitOpened,
)


def _created(
    state: RunState,
    pipeline: PipelineDefinition,
    parameters: Mapping[str, object],
    stack: Stack,
) -> RunCreated:
    before = state.created
    assert before is not None
    created = replace(
        before,
        at=time.time(),
        run=new_run_id(),
        stack=stack.name,
        version=__version__,
        origin=before.run,
    )
    if not parameters:
        return created
    old = Values(before.run, stack.journal, stack.store, stack.codecs)
    recorded = {output.name: old.load(output, 1) for output in before.arguments}
    bound = _bound(pipeline.signature, recorded, parameters)
    values = Values(created.run, stack.journal, stack.store, stack.codecs)
    outputs, data = written(bound, pipeline, values)
    return replace(created, arguments=outputs, data=data)


def _bound(
    signature: Signature, recorded: Mapping[str, object], given: Mapping[str, object]
) -> dict[str, object]:
    """The recorded arguments with some of them replaced. Raises `CallError` for one that does not exist."""
    extra = (signature.rest, signature.keywords)
    named = {name: value for name, value in recorded.items() if name not in extra}
    surplus = recorded.get(signature.keywords or "", {})
    assert isinstance(surplus, dict)
    bound = signature.bind((), {**named, **surplus, **given})
    rest = {name: recorded[name] for name in recorded if name == signature.rest}
    return {**bound, **rest}
