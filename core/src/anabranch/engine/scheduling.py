"""Decides what may run, and keeps the graph: the one owner of its state.

A call waits until all that it depends on is done; then its recorded outcome is judged, its gates are passed, and it is
dispatched. When its new outcome is durable it is *settled*, which sets off those that waited for it. The lock guards
the graph alone: no user code, no journal and no store is touched under it. Chains of thousands of ready calls are
walked with a work list, not by recursion.
"""

import threading
from collections.abc import Callable, Sequence

from anabranch.engine.definitions import StepDefinition
from anabranch.engine.gates import Gate
from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.engine.outcomes import Outcome, dropped, upstream_failed, withdrawn
from anabranch.engine.scopes import Scope, gates_of, is_stopping, is_within
from anabranch.errors import (
    AnabranchError,
    BeyondRehearsal,
    DuplicateId,
)
from anabranch.model.ids import InvocationId
from anabranch.model.records import Status


class Scheduler:
    """`start` is given what may run now, `expand` a map whose collections are known, `skip` what cannot run any more.

    `start(invocation, front)` may settle it at once; it is called without the lock. `queue` is told of calls with a
    `queue_timeout` when nothing holds them back but others that run.
    """

    def __init__(
        self,
        *,
        start: Callable[[Invocation, bool], None],
        expand: Callable[[MapNode], None],
        skip: Callable[[Invocation, Node], None],
        queue: Callable[[Invocation, float], None],
    ) -> None:
        self._start, self._expand, self._skip, self._queue = start, expand, skip, queue
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self.nodes: dict[InvocationId, Node] = {}
        self._releasing = threading.local()

    # --- growing -----------------------------------------------------------------------------------------------

    def add(self, node: Node, upstreams: Sequence[Node]) -> bool:
        """Puts a node into the graph. Returns whether nothing holds it back; then the caller must `release` it."""
        with self._lock:
            if node.id in self.nodes:
                raise DuplicateId(
                    "two calls have the same identity",
                    f"{node.id} in run {node.scope.run}",
                    "give them different id= arguments",
                )
            self.nodes[node.id] = node
            self._grow(node.scope)
            if isinstance(node, MapNode):
                self._grow(node.scope)
            for upstream in upstreams:
                self._attach(node, upstream)
            return node.waiting == 0

    def add_items(
        self, node: MapNode, items: Sequence[Invocation], failure: BaseException | None = None
    ) -> list[Node]:
        """Gives a map its items; none, and why, if it cannot have any.

        Returns the items that nothing holds back, or the map itself if it is empty.
        """
        free: list[Node] = []
        with self._lock:
            node.items = items
            node.unfinished = len(items)
            for item in items:
                self.nodes[item.id] = item
                self._grow(item.scope)
                for upstream in item.upstreams():
                    self._attach(item, upstream)
                if item.waiting == 0:
                    free.append(item)
        node.expansion.cause = None if failure is None else node
        status: Status = "completed" if failure is None else "failed"
        self.settle(node.expansion, Outcome(status=status, error=failure))
        return free if items else [node]

    @staticmethod
    def _attach(node: Node, upstream: Node) -> None:
        if upstream.dependents is None:
            node.note_upstream(upstream)
        else:
            upstream.dependents.append(node)
            node.waiting += 1

    def release(self, nodes: Sequence[Node], front: bool = False) -> None:
        """Takes nodes that nothing holds back as far as they go.

        A node that is settled at once sets off others; those are added to the list of the call that is at work in
        this thread already, so that a chain of any length needs no deep stack.
        """
        outer: list[tuple[Node, bool]] | None = getattr(self._releasing, "work", None)
        if outer is not None:
            outer.extend((node, front) for node in reversed(nodes))
            return
        work = [(node, front) for node in reversed(nodes)]
        self._releasing.work = work
        try:
            while work:
                self._release(*work.pop())
        finally:
            self._releasing.work = None

    def _release(self, node: Node, front: bool) -> None:
        if isinstance(node, MapNode):
            self._release_map(node)
        elif isinstance(node, Invocation) and not node.done and self._passes(node):
            self._start(node, front)

    def _release_map(self, node: MapNode) -> None:
        if node.items is not None:
            self._finish_map(node)
        elif not self._claim_map(node):
            return
        elif node.cause is not None:
            error = upstream_failed(node.label, node.cause)
            self._abandon_map(node, Outcome(status="skipped", error=error))
        elif is_stopping(node.scope):
            self._abandon_map(node, dropped(node.label))
        else:
            try:
                self._expand(node)
            except AnabranchError as error:
                self._abandon_map(node, Outcome(status="failed", error=error))

    def _claim_map(self, node: MapNode) -> bool:
        with self._lock:
            claimed, node.is_claimed = node.is_claimed, True
            return not claimed

    def withdraw_map(self, node: MapNode) -> bool:
        """Ends a map that has no items yet, and never will have any. False if it has some, or is about to."""
        if not self._claim_map(node):
            return False
        self._abandon_map(node, withdrawn(node.label))
        return True

    def _finish_map(self, node: MapNode) -> None:
        failed = node.first_failure()
        if failed is None:
            self.settle(node, Outcome(status="completed"))
        else:
            node.cause = failed
            self.settle(node, Outcome(status="failed", error=failed.error))

    def _abandon_map(self, node: MapNode, outcome: Outcome) -> None:
        self.settle(node, outcome)
        self.add_items(node, (), outcome.error)

    def _passes(self, node: Invocation) -> bool:
        dropped_upstream = node.cause is not None and node.cause.origin.status == "cancelled"
        if is_stopping(node.scope) and (node.cause is None or dropped_upstream):
            if self.claim(node):
                self.settle(node, dropped(node.name))
            return False
        if node.cause is not None:
            if self.claim(node):
                self._skip(node, node.cause)
            return False
        seconds = getattr(node.definition.options, "queue_timeout", None)
        if seconds is not None:
            self._queue(node, seconds)
        return self._enter(node)

    def claim(self, node: Invocation) -> bool:
        """Takes it for the one thing that may become of it; False if it has been withdrawn."""
        with self._lock:
            if node.done or node.cancelling:
                return False
            node.status = "ready"
            return True

    def take_from_gate(self, node: Invocation) -> bool:
        """Claims it if it queues at a gate; then it never starts, and the caller settles it."""
        with self._lock:
            if node.done or node.cancelling or node.status != "pending":
                return False
            node.status = "ready"
            for gate in self._gates(node):
                gate.drop(node)
            return True

    def withdraw(self, node: Invocation) -> bool:
        """Marks it as cancelled. Whether it had not been claimed: then it never will be, and the caller settles it."""
        with self._lock:
            again, node.cancelling = node.cancelling, True
            if again or node.done or node.status != "pending":
                return False
            for gate in self._gates(node):
                gate.drop(node)
            return True

    def _enter(self, node: Invocation) -> bool:
        """Through the gates of its map and of the run; False if it queues at one, or has been withdrawn."""
        with self._lock:
            gates = self._gates(node)
            while node.gates_passed < len(gates):
                if node.cancelling or not gates[node.gates_passed].enter(node):
                    return False
                node.gates_passed += 1
            return True

    def _gates(self, node: Invocation) -> list[Gate[Invocation]]:
        """A child run passes only its map's: its own calls pass the others, and would wait for it otherwise."""
        own = [node.map.gate] if node.map is not None and node.map.gate is not None else []
        return own + (gates_of(node.scope) if isinstance(node.definition, StepDefinition) else [])

    # --- ending ------------------------------------------------------------------------------------------------

    def settle(self, node: Node, outcome: Outcome) -> None:
        """A node is done: those that waited for it are set off. Called once its outcome is durable."""
        with self._lock:
            if node.done:
                return
            free = self._finish(node, outcome)
            callbacks, node.callbacks = node.callbacks, None
            entered = self._leave(node) if isinstance(node, Invocation) else []
        for callback in callbacks or ():
            callback(node)
        for invocation in entered:
            self._go_on(invocation)
        if free:
            self.release(free, front=True)
        with self._lock:
            self._shrink(node.scope)

    def _finish(self, node: Node, outcome: Outcome) -> list[Node]:
        node.status, node.error = outcome.status, outcome.error
        if isinstance(node, Invocation):
            node.number, node.outputs = outcome.number, outcome.outputs
            node.shape, node.inputs, node.cache_key = outcome.shape, None, None
        if outcome.error is not None and not node.observed and _speaks_for_itself(node):
            node.scope.failures[node.id] = outcome.error
        dependents, node.dependents = node.dependents or [], None
        free = []
        for dependent in dependents:
            dependent.waiting -= 1
            dependent.note_upstream(node)
            if dependent.waiting == 0:
                free.append(dependent)
        if isinstance(node, Invocation) and node.map is not None:
            free.extend(self._item_done(node.map))
        return free

    def _item_done(self, whole: MapNode) -> list[Node]:
        whole.unfinished -= 1
        return [] if whole.unfinished else [whole]

    def _leave(self, node: Invocation) -> list[Invocation]:
        gates = self._gates(node)[: node.gates_passed]
        entered = [found for gate in gates if (found := gate.leave()) is not None]
        for invocation in entered:
            invocation.gates_passed += 1
        return entered

    def _go_on(self, node: Invocation) -> None:
        """It was let in by the gate at which it queued; the gates behind that one remain."""
        if self._enter(node):
            if not is_stopping(node.scope):
                self._start(node, True)
            elif self.claim(node):
                self.settle(node, dropped(node.name))

    # --- waiting -----------------------------------------------------------------------------------------------

    def when_done(self, node: Node, callback: Callable[[Node], None]) -> bool:
        """Registers a callback; False if the node is done already."""
        with self._lock:
            if node.callbacks is None:
                return False
            node.callbacks.append(callback)
            return True

    def wait_idle(self, scope: Scope, timeout: float) -> bool:
        """Whether the scope and its children have nothing unfinished; waits up to `timeout` seconds for it."""
        with self._idle:
            return self._idle.wait_for(lambda: scope.unfinished == 0, timeout)

    def observe(self, node: Node) -> None:
        """The body has seen how it ended; so it has seen what made it end so. Raises `BeyondRehearsal`."""
        if isinstance(node.error, BeyondRehearsal):
            raise node.error
        with self._lock:
            waiting = [node]
            while waiting:
                seen = waiting.pop()
                seen.observed = True
                seen.scope.failures.pop(seen.id, None)
                if seen.cause is not None and not seen.cause.observed:
                    waiting.append(seen.cause)
                if isinstance(seen, MapNode):
                    waiting.extend(item for item in seen.items or () if item.error is not None)

    def failed_in(self, scope: Scope) -> list[Node]:
        """The nodes of a body that failed, handled or not."""
        with self._lock:
            return [n for n in self.nodes.values() if n.scope is scope and n.error is not None]

    def running_in(self, scope: Scope) -> list[Node]:
        """The calls of a body and its children that are running."""
        with self._lock:
            found = [node for node in self.nodes.values() if node.status == "running"]
        return [node for node in found if is_within(node.scope, scope)]

    def _grow(self, scope: Scope) -> None:
        here: Scope | None = scope
        while here is not None:
            here.unfinished += 1
            here = here.parent

    def _shrink(self, scope: Scope) -> None:
        here: Scope | None = scope
        while here is not None:
            here.unfinished -= 1
            if here.unfinished == 0:
                self._idle.notify_all()
            here = here.parent


def _speaks_for_itself(node: Node) -> bool:
    """The failure of a map is that of its items, if it has any; that of an expansion is its map's.

    What a rehearsal does not run has not failed.
    """
    has_own = isinstance(node, Invocation) or (isinstance(node, MapNode) and not node.items)
    return has_own and not isinstance(node.error, BeyondRehearsal)
