"""What earlier lives of a run have recorded, and whether it still holds (laws L3 and L8)."""

from collections.abc import Collection
from dataclasses import dataclass, field

from anabranch.engine.fingerprints import Fingerprint
from anabranch.journal.fold import InvocationState, RunState
from anabranch.model.code_parts import difference
from anabranch.model.ids import InvocationId


@dataclass(frozen=True, slots=True)
class Verdict:
    """On a call about to start: `reuse` is the outcome that stands in for it; `reason` why a recorded one does not."""

    reuse: InvocationState | None = None
    reason: str = ""


@dataclass(slots=True)
class Replay:
    """A run's state at the end of its last life; empty for a new run. `was_paused`: that life ended to wait."""

    state: RunState = field(default_factory=RunState)
    was_paused: bool = False

    def known(self, id: InvocationId) -> InvocationState | None:
        return self.state.invocations.get(id)

    def judge(self, id: InvocationId, inputs: str, code: Fingerprint) -> Verdict:
        """The three questions: the same identity, the same inputs, the same code?"""
        known = self.state.invocations.get(id)
        if known is None or not known.has_outcome:
            return Verdict()
        if known.status in _NEVER_RAN:
            return Verdict(reason=f"it was {known.status}")
        if known.inputs != inputs:
            return Verdict(reason="its inputs have changed")
        if known.code != code.digest:
            changes = difference(self.state.codes.get(known.code, {}), code.parts)
            return Verdict(reason="its code has changed: " + "; ".join(changes[:8]))
        return Verdict(reuse=known)

    def order(self, watch: InvocationId) -> list[InvocationId]:
        """Who was handed to the body, and when: the recorded order of a watch."""
        return list(self.state.observed.get(watch, ()))

    def drawn(self, scope: InvocationId, kind: str, index: int) -> float | str | None:
        return self.state.drawn.get((scope, kind, index))

    def to_discard(self) -> list[InvocationState]:
        """The outcomes that a resume tries again: unhandled failures, and what was skipped or cancelled for them.

        A failure that the body has handled is part of the run's history and stays, with all that is in a failed child.
        """
        again: dict[InvocationId, InvocationState] = {}
        waiting = list(self.state.failed)
        while waiting:
            known = self.known(waiting.pop())
            if known is not None and known.has_outcome and known.invocation not in again:
                again[known.invocation] = known
                waiting.extend(known.failed)
        for known in self.state.invocations.values():
            if known.has_outcome and known.status in _NEVER_RAN and self._is_open(known, again):
                again[known.invocation] = known
        return list(again.values())

    def _is_open(self, known: InvocationState, again: Collection[InvocationId]) -> bool:
        """Whether no child run around it has an outcome that stays."""
        around = self.known(known.scope)
        while around is not None:
            if around.has_outcome and around.invocation not in again:
                return False
            around = self.known(around.scope)
        return True


_NEVER_RAN = ("skipped", "cancelled")
