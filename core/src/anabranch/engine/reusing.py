"""Spares calls that the journal knows the outcome of, and records what became of those that it does not spare."""

import time
from collections.abc import Callable, Sequence

from anabranch.engine.executing import created
from anabranch.engine.failures import rebuilt
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.identity import content
from anabranch.engine.nodes import Invocation, Node
from anabranch.engine.outcomes import Outcome, upstream_failed, withdrawn
from anabranch.engine.recording import Recorder
from anabranch.engine.replaying import Replay, Verdict
from anabranch.engine.values import Values
from anabranch.errors import AnabranchError, JournalCorrupt
from anabranch.journal.events import Event, OutcomeDiscarded, OutcomeRecorded, OutcomeReused
from anabranch.journal.fold import InvocationState
from anabranch.model.ids import InvocationId
from anabranch.model.records import Output, Status

_STATUSES: dict[str, Status] = {
    "completed": "completed",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
}


class Reuse:
    """Between the journal's past and a run's present. `settle` is the scheduler's."""

    def __init__(
        self,
        *,
        replay: Replay,
        recorder: Recorder,
        values: Values,
        fingerprints: Fingerprinter,
        settle: Callable[[Node, Outcome], None],
    ) -> None:
        self._replay, self._recorder, self._values = replay, recorder, values
        self._fingerprints, self._settle = fingerprints, settle

    def announce(self, node: Invocation, also_after: Sequence[InvocationId] = ()) -> None:
        """Notes that the invocation exists, unless the journal has it under the same name."""
        known = self._replay.known(node.id)
        if known is None or known.display != node.name:
            self._recorder.note(created(node, time.time(), also_after))

    def stands_in(self, node: Invocation) -> bool:
        """Settles the node with its recorded outcome if that holds; otherwise readies it for its next attempt."""
        known = self._replay.known(node.id)
        if known is None:
            return False
        if not known.has_outcome:
            retries = known.status == "retrying"
            node.attempt, node.spared = max(1, known.attempts + retries), known.spared
            # a clock that was set back lengthens no wait
            latest = time.time() + known.retry_seconds
            node.not_before = min(known.retry_at, latest) if retries else 0.0
            return False
        verdict = self.verdict(node)
        now = time.time()
        if verdict.reuse is None:
            reason = verdict.reason
            self._recorder.note(OutcomeDiscarded(at=now, invocation=node.id, reason=reason))
            return False
        self._recorder.note(OutcomeReused(at=now, invocation=node.id))
        self._settle(node, self._outcome(known))
        return True

    def verdict(self, node: Invocation) -> Verdict:
        """Whether the outcome that the journal has for the call holds for its inputs and its code as they are now."""
        code = self._fingerprints.of(node.definition.function)
        return self._replay.judge(node.id, self._inputs(node), code)

    def pausing(self) -> None:
        """A body is about to let time pass."""

    def skip(self, node: Invocation, cause: Node) -> None:
        """Its upstream failed, so it never runs; that is its outcome."""
        outcome = Outcome(status="skipped", error=upstream_failed(node.name, cause))
        known = self._replay.known(node.id)
        if known is not None and known.status == "skipped":
            self._settle(node, outcome)
            return
        origin, now = cause.origin, time.time()
        events: list[Event] = [] if node.map is None else [created(node, now)]
        if known is not None and known.has_outcome:
            reason = f"{origin.name}, which it depends on, failed"
            events.append(OutcomeDiscarded(at=now, invocation=node.id, reason=reason))
        events.append(
            OutcomeRecorded(
                at=now, invocation=node.id, attempt=0, status="skipped", cause=origin.id
            )
        )
        self._recorder.record(events, lambda _: self._settle(node, outcome))

    def cancelled(self, node: Invocation) -> None:
        """It was cancelled before it started; that is its outcome."""
        event = OutcomeRecorded(at=time.time(), invocation=node.id, attempt=0, status="cancelled")
        events: list[Event] = [event] if node.map is None else [created(node, time.time()), event]
        self._recorder.record(events, lambda _: self._settle(node, withdrawn(node.name)))

    def outputs(self, id: InvocationId) -> tuple[tuple[Output, ...], int]:
        """What an earlier life recorded for an invocation, and the event that holds it."""
        known = self._replay.known(id)
        if known is None or not known.has_outcome:
            raise JournalCorrupt(
                f"invocation {id} has no recorded outcome",
                f"run {self._replay.state.run}",
                "restore the journal from a copy",
            )
        return known.outputs, known.outcome_number

    def _inputs(self, node: Invocation) -> str:
        """Inputs that can no longer be read match nothing that was recorded."""
        try:
            return content(node.inputs or {})
        except AnabranchError as error:
            return f"unreadable: {error.what}"

    def _outcome(self, known: InvocationState) -> Outcome:
        failure = None
        if known.failure is not None:
            data = self._values.event_data(known.outcome_number)
            failure = rebuilt(known.failure, data, self._values.codecs)
        return Outcome(
            status=_STATUSES[known.status],
            number=known.outcome_number,
            outputs=known.outputs,
            shape=known.shape,
            error=failure,
        )
