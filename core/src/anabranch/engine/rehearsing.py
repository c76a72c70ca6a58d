"""What a resume would do, found by doing it without effect: `anabranch resume --plan`.

The body is executed over the journal by the engine's own parts. A call whose recorded outcome stands is spared as in a
resume. One that would have to run is settled with a signal instead, which unwinds the body where it needs the value;
what depends on it cannot be told more of. No step runs, no hook is called, no lease is taken, and nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from anabranch.artifacts.interface import MemorySource, Payload, Source, ValueStore
from anabranch.engine.admission import admit
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.definitions import Definition, PipelineDefinition
from anabranch.engine.driving import Driver
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.interrupts import Interrupts
from anabranch.engine.launching import chance, first_events
from anabranch.engine.nodes import Invocation, Node
from anabranch.engine.outcomes import Outcome
from anabranch.engine.planning import Rehearsed, Verdict, planned
from anabranch.engine.recording import Recorder
from anabranch.engine.replaying import Replay
from anabranch.engine.reusing import Reuse
from anabranch.engine.values import Values
from anabranch.errors import BeyondRehearsal
from anabranch.journal.events import Event, OutcomeDiscarded
from anabranch.journal.fold import read_state
from anabranch.journal.interface import Journal, Message
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.options import HOOKS
from anabranch.model.plans import Decision, Plan
from anabranch.stacks import Stack


def outlined(run: RunId, journal: Journal) -> Plan:
    """The plan without its calls: where the run stands. Raises `RunNotFound`."""
    summary = journal.summary(run)
    lease = summary.lease if summary.status == "running" else None
    driver = "" if lease is None else lease.holder
    return Plan(run=run, pipeline=summary.pipeline, status=summary.status, driver=driver)


def rehearse(
    plan: Plan, pipeline: PipelineDefinition, definitions: Iterable[Definition], stack: Stack
) -> Plan:
    """The outlined plan with its calls; `definitions` are the steps that the code is known to reach.

    The run may be driven by another process meanwhile: it is looked at as it is now.
    """
    admit(pipeline, stack.lacks, stack.name)
    state = read_state(stack.journal, plan.run)
    assert state.created is not None
    replay, fingerprints = Replay(state), Fingerprinter()
    again = {
        e.invocation: e.reason for e in first_events(replay) if isinstance(e, OutcomeDiscarded)
    }
    store = _Overlay(stack.store)
    values = Values(plan.run, stack.journal, store, stack.codecs, inline_limit=_NEVER)
    arguments = {output.name: values.load(output, 1) for output in state.created.arguments}
    decisions: dict[InvocationId, Verdict] = {}
    interrupts = Interrupts("")
    circumstances = Circumstances(
        run=plan.run,
        values=values,
        recorder=Recorder(_Forgetful(state.events)),
        replay=replay,
        fingerprints=fingerprints,
        interrupts=interrupts,
        stack=stack.name,
        lacks=stack.lacks,
        started=datetime.fromtimestamp(state.created.at, UTC),
        lease_seconds=stack.lease_seconds,
        chance=chance,
        journal=stack.journal,
        project=stack.project,
        caching="off",
        reuse=partial(_RehearsedReuse, again=again, decisions=decisions),
    )
    driver = Driver(circumstances, without_hooks(pipeline))
    with interrupts:
        end = driver.run(arguments)
    rehearsed = Rehearsed(graph=driver.graph, decisions=decisions, end=end.error, again=again)
    return planned(plan, state, rehearsed, definitions, fingerprints)


_NEVER = -1


def without_hooks(pipeline: PipelineDefinition) -> PipelineDefinition:
    """The same body under the same options, with nobody to be told of it."""
    options = pipeline.options
    hooks: dict[str, Any] = {name: None for name in HOOKS if getattr(options, name) is not None}
    return replace(pipeline, options=replace(options, **hooks)) if hooks else pipeline


class _RehearsedReuse(Reuse):
    """Spares what a resume would spare. Every other call of a step is settled as lying beyond the rehearsal.

    A child run that is not spared is rehearsed in turn. `decisions` is filled in; `again` says why recorded outcomes
    were discarded beforehand.
    """

    def __init__(
        self,
        *,
        again: Mapping[InvocationId, str],
        decisions: dict[InvocationId, Verdict],
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self._again, self._decisions = again, decisions

    def announce(self, node: Invocation, also_after: Sequence[InvocationId] = ()) -> None:
        """Nobody is told."""

    def pausing(self) -> None:
        raise BeyondRehearsal("time that has to pass")

    def stands_in(self, node: Invocation) -> bool:
        known = self._replay.known(node.id)
        if known is None:
            is_item = node.map is not None and node.map.id in self._replay.state.maps
            reason = "it has not begun" if is_item else "it is new"
        elif not known.has_outcome:
            reason = self._again.get(node.id, "it has no outcome yet")
        else:
            verdict = self.verdict(node)
            if verdict.reuse is not None:
                self._decide(node, "reuse", _WHY_REUSED.get(known.status, "its outcome stands"))
                self._settle(node, self._outcome(known))
                return True
            reason = verdict.reason
        self._decide(node, "run", reason)
        if isinstance(node.definition, PipelineDefinition):
            node.definition = without_hooks(node.definition)
            return False
        self._settle(node, Outcome(status="failed", error=BeyondRehearsal(node.name)))
        return True

    def skip(self, node: Invocation, cause: Node) -> None:
        if not isinstance(cause.origin.error, BeyondRehearsal):
            self._decide(node, "reuse", f"it stays skipped, since {cause.origin.name} failed")
        super().skip(node, cause)

    def cancelled(self, node: Invocation) -> None:
        self._decide(node, "orphan", "the body cancels it before it starts")
        super().cancelled(node)

    def _decide(self, node: Invocation, decision: Decision, reason: str) -> None:
        self._decisions[node.id] = decision, reason


_WHY_REUSED = {
    "completed": "its inputs and its code are the same",
    "failed": "its failure was handled, and is part of the run",
}


class _Forgetful:
    """A writer that counts what it is given and keeps none of it. It holds no lease."""

    epoch = 0

    def __init__(self, head: int) -> None:
        self._head = head

    def append(self, added: Sequence[Event]) -> int:
        first = self._head + 1
        self._head += len(added)
        return first

    def claim(self, key: str) -> RunId | None:
        return None

    def give_up(self, key: str) -> None:
        """Nothing was claimed."""

    def inbox(self, after: int) -> Sequence[tuple[int, Message]]:
        return ()

    def renew(self) -> None:
        """There is nothing to renew."""

    def release(self) -> None:
        """There is nothing to give back."""


class _Overlay:
    """A store for what child runs return in a rehearsal: kept in memory, over what is really there."""

    def __init__(self, store: ValueStore) -> None:
        self._store = store
        self._kept: dict[str, bytes] = {}

    def put(self, digest: str, payload: Payload) -> None:
        self._kept[digest] = b"".join(map(bytes, payload.chunks()))

    def open(self, digest: str) -> Source:
        kept = self._kept.get(digest)
        return MemorySource(kept) if kept is not None else self._store.open(digest)

    def contains(self, digest: str) -> bool:
        return digest in self._kept or self._store.contains(digest)
