"""From a rehearsal to a plan: a decision and a reason for each call that the run knows, and for each that is new.

A call that the body has reached was decided on there. One that it has not reached is an orphan if the body has come to
its end; if the body was unwound before, the call's step as it is now says what would become of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from anabranch.engine.definitions import Definition, PipelineDefinition
from anabranch.engine.edits import Edits
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.errors import BeyondRehearsal, Cancelled
from anabranch.journal.fold import InvocationState, RunState
from anabranch.model.ids import ROOT_SCOPE, InvocationId
from anabranch.model.plans import Decision, Plan, PlannedCall

Verdict = tuple[Decision, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a rehearsal has come to: the calls that were made, and what the body of the run ended with."""

    graph: Mapping[InvocationId, Node]
    decisions: Mapping[InvocationId, Verdict]
    end: BaseException | None
    again: Mapping[InvocationId, str]


def planned(
    plan: Plan,
    state: RunState,
    rehearsed: Rehearsed,
    definitions: Iterable[Definition],
    fingerprints: Fingerprinter,
) -> Plan:
    """The plan with its calls: first those that the body reached, in its order, then the others."""
    made = [node for node in rehearsed.graph.values() if isinstance(node, Invocation)]
    edits = Edits([*definitions, *dict.fromkeys(node.definition for node in made)], fingerprints)
    planner = _Planner(state, rehearsed, edits)
    calls = (*map(planner.reached, made), *planner.unreached())
    end = rehearsed.end
    is_cut = isinstance(end, BeyondRehearsal)
    return replace(
        plan,
        calls=calls,
        maps=planner.maps(),
        beyond=planner.beyond() if is_cut else "",
        failure=f"{type(end).__name__}: {end}" if end is not None and not is_cut else "",
    )


class _Planner:
    """Says of each call what becomes of it, and why."""

    def __init__(self, state: RunState, rehearsed: Rehearsed, edits: Edits) -> None:
        self._state, self._rehearsed, self._edits = state, rehearsed, edits
        self._paths: dict[InvocationId, str] = {ROOT_SCOPE: ""}

    def reached(self, node: Invocation) -> PlannedCall:
        decision, reason = self._rehearsed.decisions.get(node.id) or self._held_back(node)
        return PlannedCall(
            invocation=node.id,
            path=self._path(node.id),
            step=node.definition.name,
            pipeline=isinstance(node.definition, PipelineDefinition),
            scope=node.scope.id,
            map=None if node.map is None else node.map.id,
            decision=decision,
            reason=reason,
        )

    def unreached(self) -> Iterator[PlannedCall]:
        for known in self._state.invocations.values():
            if known.invocation in self._rehearsed.graph:
                continue
            decision, reason = self._unreached(known)
            yield PlannedCall(
                invocation=known.invocation,
                path=self._path(known.invocation),
                step=known.step,
                pipeline=known.pipeline,
                scope=known.scope,
                map=known.map,
                is_reached=False,
                decision=decision,
                reason=reason,
            )

    def beyond(self) -> str:
        """What the body could not do without: the last call that the signal comes from, or what that says itself."""
        end = self._rehearsed.end
        found = [
            node.id
            for node in self._rehearsed.graph.values()
            if isinstance(node, Invocation) and node.error is end and node.cause is None
        ]
        return self._path(found[-1]) if found else str(end)

    def maps(self) -> dict[InvocationId, str]:
        known = {
            found.map: self._within(found.scope, found.display)
            for found in self._state.maps.values()
        }
        made = {
            node.id: self._within(node.scope.id, node.label)
            for node in self._rehearsed.graph.values()
            if isinstance(node, MapNode)
        }
        return {**known, **made}

    def _held_back(self, node: Invocation) -> Verdict:
        """It was made, and did not come so far that its outcome could be judged."""
        known = self._state.invocations.get(node.id)
        if node.cause is not None:
            return self._after(node.cause, known)
        return "orphan", "the run stops before it starts"

    def _after(self, cause: Node, known: InvocationState | None) -> Verdict:
        reason = f"after {self._path(cause.origin.id)}"
        if known is None or not known.has_outcome:
            return "run", reason
        decision, why = self._by_code(known)
        return "run", why if decision == "run" else f"{reason}, unless its inputs come out the same"

    def _unreached(self, known: InvocationState) -> Verdict:
        child = self._reused_around(known)
        if child is not None:
            return "reuse", f"it is part of {self._path(child)}, which is reused"
        map = self._rehearsed.graph.get(known.map) if known.map is not None else None
        if map is not None and map.cause is not None:
            return self._after(map.cause, known)
        if self._is_over(known.scope):
            return "orphan", "the body no longer makes this call"
        return self._by_code(known)

    def _reused_around(self, known: InvocationState) -> InvocationId | None:
        """The child run that is reused with all that is in it, this call too."""
        here: InvocationState | None = known
        while here is not None and here.scope != ROOT_SCOPE:
            verdict = self._rehearsed.decisions.get(here.scope)
            if verdict is not None and verdict[0] == "reuse":
                return here.scope
            here = self._state.invocations.get(here.scope)
        return None

    def _is_over(self, scope: InvocationId) -> bool:
        """Whether that body has come to its end, so that it makes no other calls."""
        if scope == ROOT_SCOPE:
            return not isinstance(self._rehearsed.end, BeyondRehearsal)
        node = self._rehearsed.graph.get(scope)
        if node is not None:
            return node.done and not isinstance(node.error, BeyondRehearsal | Cancelled)
        known = self._state.invocations.get(scope)
        return known is not None and self._unreached(known)[0] == "orphan"

    def _by_code(self, known: InvocationState) -> Verdict:
        """As far as its step's code tells."""
        if not known.has_outcome:
            return "run", self._rehearsed.again.get(known.invocation, "it has no outcome yet")
        changes = self._edits.of(known, self._state.codes)
        if changes is None:
            return "run", f"no step {known.step!r} is found before the body calls it"
        if changes:
            return "run", "its code has changed: " + "; ".join(changes[:8])
        return "reuse", "if its inputs come out the same"

    # --- names -------------------------------------------------------------------------------------------------

    def _path(self, id: InvocationId) -> str:
        """As the body calls it now, else as it was recorded."""
        path = self._paths.get(id)
        if path is None:
            node, known = self._rehearsed.graph.get(id), self._state.invocations.get(id)
            if node is not None:
                path = self._within(node.scope.id, node.name)
            else:
                path = id if known is None else self._within(known.scope, known.display)
            self._paths[id] = path
        return path

    def _within(self, scope: InvocationId, display: str) -> str:
        around = self._path(scope)
        return f"{around}/{display}" if around else display
