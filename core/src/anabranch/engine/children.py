"""Child runs: a pipeline called in a body, with an identity, a configuration and a record of its own.

A child lives in its parent's journal, as an invocation whose scope its own calls have. So there is one lease and one
order of events for the whole tree, and a child is resumed with it.
"""

import time
from collections.abc import Callable

from anabranch.engine.bodies import Bodies
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.failures import recorded
from anabranch.engine.identity import content
from anabranch.engine.nodes import Invocation, Node
from anabranch.engine.outcomes import Outcome
from anabranch.engine.scopes import Scope, is_stopping
from anabranch.errors import Cancelled, RunPausing
from anabranch.journal.events import AttemptStarted, CodeSeen, OutcomeRecorded
from anabranch.model.ids import child_run_id
from anabranch.model.records import Status


class Children:
    """Runs the children of one root run."""

    def __init__(
        self, given: Circumstances, bodies: Bodies, settle: Callable[[Node, Outcome], None]
    ) -> None:
        self._root, self._bodies, self._settle = given.run, bodies, settle
        self._recorder, self._values = given.recorder, given.values
        self._fingerprints = given.fingerprints

    def run(self, node: Invocation, definition: PipelineDefinition) -> None:
        """Runs the child's body in this thread and settles its node."""
        arguments = {name: value.hand_over() for name, value in (node.inputs or {}).items()}
        scope = Scope(
            id=node.id,
            run=child_run_id(self._root, node.id),
            definition=definition,
            parameters=arguments,
            started=node.scope.started,
            parent=node.scope,
            name=node.name,
        )
        node.inside = scope
        if node.cancelling:
            scope.stopping = True
        node.status, started = "running", time.perf_counter()
        self._recorder.note(AttemptStarted(at=time.time(), invocation=node.id, attempt=1))
        try:
            end = self._bodies.run(scope, arguments)
        except RunPausing:  # a later life has it again
            return
        status: Status = "completed" if end.error is None else "failed"
        if isinstance(end.error, Cancelled) and (node.cancelling or is_stopping(node.scope)):
            status = "cancelled"
        failure, data = None, end.data
        if end.error is not None:
            failure, data = recorded(end.error, self._values.codecs)
        code = self._fingerprints.of(definition.function)
        number = self._recorder.commit(
            CodeSeen(at=time.time(), code=code.digest, parts=dict(code.parts)),
            OutcomeRecorded(
                at=time.time(),
                invocation=node.id,
                attempt=1,
                status=status,
                inputs=content(node.inputs or {}),
                code=code.digest,
                outputs=end.outputs,
                shape=end.shape,
                failure=failure,
                failed=end.failed,
                seconds=time.perf_counter() - started,
                data=data,
            ),
        )
        outcome = Outcome(
            status=status, number=number, outputs=end.outputs, shape=end.shape, error=end.error
        )
        self._settle(node, outcome)
