"""Ends work before its time: one call, or a body with all that is in it.

A body is stopped from outside by its pipeline's `timeout`, by whoever cancels the run, and in mode `FAIL_FAST` by a
failure that it is not about to be shown, since it waits for something else. It is then unwound by a signal: where it
waits for us, at its next call of ours, or at once where its thread or its loop can be interrupted.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.engine.outcomes import dropped
from anabranch.engine.resting import Resting
from anabranch.engine.reusing import Reuse
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import Scope, is_within
from anabranch.engine.workers import WorkerPool


class Stopping:
    """For one run. `cancel_async` cancels the running async step of a call."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        pool: WorkerPool,
        resting: Resting,
        reuse: Reuse,
        cancel_async: Callable[[Invocation], None],
    ) -> None:
        self._scheduler, self._pool, self._resting = scheduler, pool, resting
        self._reuse, self._cancel_async = reuse, cancel_async
        self._bodies: set[Scope] = set()
        self._lock = threading.Lock()

    # --- one call ----------------------------------------------------------------------------------------------

    def cancel(self, node: Node) -> bool:
        """Asks it to stop; False if it is done. What waits never starts, what runs stops at its next chance."""
        if node.done:
            return False
        if isinstance(node, MapNode):
            return self._cancel_map(node)
        if isinstance(node, Invocation):
            self._cancel_call(node)
            return True
        return False

    def _cancel_map(self, node: MapNode) -> bool:
        if self._scheduler.withdraw_map(node):
            return True
        expanded = threading.Event()
        if self._scheduler.when_done(node.expansion, lambda _: expanded.set()):
            expanded.wait()
        asked = [self.cancel(item) for item in node.items or ()]
        return any(asked)

    def _cancel_call(self, node: Invocation) -> None:
        unclaimed = self._scheduler.withdraw(node)
        if unclaimed or self._pool.remove(node) or self._resting.let_go(node):
            self._reuse.cancelled(node)
        elif node.inside is not None:
            node.inside.stopping = True
            self.cancel_running(node.inside)
            self.let_go(node.inside)
        elif node.definition.is_async and node.status == "running":
            self._cancel_async(node)

    def cancel_running(self, scope: Scope) -> None:
        for node in self._scheduler.running_in(scope):
            self.cancel(node)

    def let_go(self, scope: Scope) -> None:
        """No call of a scope that stops waits for its next attempt: a resume makes it."""
        for node in self._resting.let_go_within(scope):
            self._scheduler.settle(node, dropped(node.name))

    # --- a body ------------------------------------------------------------------------------------------------

    @contextmanager
    def body(self, scope: Scope) -> Iterator[None]:
        """While it runs, and until all its calls have ended, it can be stopped."""
        with self._lock:
            self._bodies.add(scope)
        try:
            yield
        finally:
            with self._lock:
                self._bodies.discard(scope)

    def stop(self, scope: Scope, error: Exception) -> None:
        """Ends a body that is running, and all in it, with `error`. Does nothing to one that is over or stopped."""
        with self._lock:
            if scope not in self._bodies or scope.stopped_by is not None:
                return
            scope.stopped_by, scope.stopping = error, True
            inside = [body for body in self._bodies if is_within(body, scope)]
        self.cancel_running(scope)
        self.let_go(scope)
        for body in inside:
            if body.interrupt is not None:
                body.interrupt()

    @contextmanager
    def waiting(self, scope: Scope, nodes: Collection[Node]) -> Iterator[None]:
        """While a body waits for one of these, and does nothing else."""
        with scope.lock:
            scope.awaited.append(nodes)
        try:
            yield
        finally:
            with scope.lock:
                scope.awaited.remove(nodes)

    def is_everybody_waiting(self, others: AbstractSet[Scope]) -> bool:
        """Whether every body waits for a call, but for these others."""
        with self._lock:
            return all(scope.awaited or scope in others for scope in self._bodies)

    def look(self) -> None:
        """Called by the clock: stops the bodies of mode `FAIL_FAST` that wait for something else than a failure."""
        with self._lock:
            hasty = [scope for scope in self._bodies if scope.fails_fast and scope.failures]
        for scope in hasty:
            self._fail_fast(scope)

    def _fail_fast(self, scope: Scope) -> None:
        with scope.lock:
            groups = [tuple(nodes) for nodes in scope.awaited]
        awaited = [node for nodes in groups for node in nodes if not node.done]
        if not awaited:
            return
        for id, error in tuple(scope.failures.items()):
            failed = self._scheduler.nodes[id]
            shown_by = [node for node in awaited if _shows(node, failed)]
            for node in shown_by:
                if isinstance(node, MapNode):
                    self.cancel(node)  # it ends now, and the body is shown why
            if not shown_by and isinstance(error, Exception):
                self.stop(scope, error)


def _shows(awaited: Node, failed: Node) -> bool:
    """Whether a body that waits for `awaited` will be shown this failure by it."""
    if awaited is failed or awaited.origin is failed:
        return True
    return isinstance(awaited, MapNode) and any(
        item is failed or item.origin is failed for item in awaited.items or ()
    )
