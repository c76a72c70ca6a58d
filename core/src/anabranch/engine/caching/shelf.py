"""What other runs have computed, as this run may use it: looked up, and taken over into its own record.

A run that has taken an outcome over stands alone: it has the small values, the digests and the code in events of its
own, and the larger values are in the store by their digest. What becomes of the other run does not matter any more.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from anabranch.engine.circumstances import Circumstances
from anabranch.engine.executing import created
from anabranch.engine.failures import recorded
from anabranch.engine.fingerprints import Fingerprint
from anabranch.engine.identity import content
from anabranch.engine.naming import artifact_names
from anabranch.engine.nodes import CacheKey, Invocation, Node
from anabranch.engine.outcomes import Outcome
from anabranch.errors import JournalError
from anabranch.journal.events import Event, OutcomeRecorded
from anabranch.journal.interface import Kept
from anabranch.model.caching import Cache


class Shelf:
    """`first_seen` gives the events that tell what a code consists of; `settle` is the scheduler's."""

    def __init__(
        self,
        given: Circumstances,
        first_seen: Callable[[Fingerprint], Sequence[Event]],
        settle: Callable[[Node, Outcome], None],
    ) -> None:
        self._journal, self._values, self._recorder = given.journal, given.values, given.recorder
        self._fingerprints, self._first_seen, self._settle = given.fingerprints, first_seen, settle

    def find(self, key: CacheKey, policy: Cache) -> Kept | None:
        """An outcome that is young enough and whole. Damage to another run's record is not this run's trouble."""
        try:
            kept = self._journal.kept(key.digest)
            if kept is None or not policy.is_fresh(time.time() - kept.outcome.at):
                return None
            return kept if self._values.are_there(kept.outcome.outputs) else None
        except JournalError:
            return None

    def take(self, node: Invocation, key: CacheKey, kept: Kept) -> None:
        """Records the outcome as this call's own, and settles it. Raises `OutputMismatch`.

        The inputs and the code are recorded as the key saw them here: a resume compares with these.
        """
        names = dict(artifact_names(node))
        code = self._fingerprints.of(node.definition.function)
        outputs = tuple(
            replace(output, artifact=names.get(output.name, output.artifact))
            for output in kept.outcome.outputs
        )
        event = OutcomeRecorded(
            at=time.time(),
            invocation=node.id,
            attempt=0,
            status="completed",
            inputs=content(node.inputs or {}) if key.inputs is None else key.inputs,
            code=code.digest,
            outputs=outputs,
            origin=kept.run,
            data=kept.outcome.data,
        )
        self._record(
            node, [*self._first_seen(code), event], Outcome(status="completed", outputs=outputs)
        )

    def refuse(self, node: Invocation, error: Exception) -> None:
        """Its key cannot be made: that is how the call ends, for to run it would ignore what was asked."""
        failure, data = recorded(error, self._values.codecs)
        event = OutcomeRecorded(
            at=time.time(),
            invocation=node.id,
            attempt=0,
            status="failed",
            code=self._fingerprints.of(node.definition.function).digest,
            failure=failure,
            data=data,
        )
        self._record(node, [event], Outcome(status="failed", error=error))

    def _record(self, node: Invocation, events: Sequence[Event], outcome: Outcome) -> None:
        first = [] if node.map is None else [created(node, time.time())]
        self._recorder.record(
            [*first, *events], lambda number: self._settle(node, replace(outcome, number=number))
        )
