"""Where a call runs whose turn has come: in a worker thread, in the event loop, or in a thread of a child's own.

A call between two attempts rests meanwhile, and one with a `queue_timeout` is given up if it does not begin in time.
"""

import threading
import time
from collections.abc import Callable

from anabranch import engine
from anabranch.engine.clock import Clock
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.executing import Executor
from anabranch.engine.nodes import Invocation
from anabranch.engine.outcomes import dropped
from anabranch.engine.overruns import queued_too_long
from anabranch.engine.resting import Resting
from anabranch.engine.reusing import Reuse
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import is_stopping
from anabranch.engine.workers import WorkerPool

THREADS = 64
"""Inline steps that run at once in one run, unless it asks for fewer."""

_SOON_SECONDS = 0.05


class Dispatching:
    """For one run. `run_child` runs a child's body; `crashed` is told of a fault of ours in a thread.

    `spares(node, front)` settles a call whose outcome is known, or takes it over until it is.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        scheduler: Scheduler,
        reuse: Reuse,
        spares: Callable[[Invocation, bool], bool],
        executor: Executor,
        clock: Clock,
        run_child: Callable[[Invocation, PipelineDefinition], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._scheduler, self._reuse, self._executor = scheduler, reuse, executor
        self._spares = spares
        self._clock, self._run_child, self._crashed = clock, run_child, crashed
        self.pool = WorkerPool(self._guarded(self._run_queued), THREADS)
        self.resting = Resting(clock.call_at)
        self._async: engine.AsyncSteps | None = None
        self._async_lock = threading.Lock()

    @property
    def is_working(self) -> bool:
        """Whether a step is running, or will be without anybody's doing."""
        return self._executor.is_running or self.pool.waits or self.resting.is_anybody

    def start(self, node: Invocation, front: bool) -> None:
        """Spares it if its outcome is recorded, else has it run. `front`: before those that are queued."""
        if self._scheduler.claim(node) and not self._spares(node, front):
            self.dispatch(node, front)

    def again(self, node: Invocation, wait: float) -> None:
        """Its next attempt, in `wait` seconds."""
        node.attempt += 1
        node.not_before = time.time() + wait
        if is_stopping(node.scope):
            self.drop(node)
        else:
            self.dispatch(node, front=False)

    def queue(self, node: Invocation, seconds: float) -> None:
        """It may run from now on; if it does not begin in time, it fails."""

        def look() -> None:
            if self._scheduler.take_from_gate(node) or self.pool.remove(node):
                error = queued_too_long(node, seconds)
                self._in_thread(lambda node: self._executor.give_up(node, error), node)
            elif node.status in ("pending", "ready"):
                self._clock.call_at(time.monotonic() + _SOON_SECONDS, look)

        self._clock.call_at(time.monotonic() + seconds, look)

    def cancel_async(self, node: Invocation) -> None:
        """Cancels the async step that runs for it."""
        self._async_steps().cancel(node)

    def close(self) -> None:
        self.pool.close()
        if self._async is not None:
            self._async.close()

    def dispatch(self, node: Invocation, front: bool) -> None:
        """Has its next attempt made, once that is due."""
        wait = node.not_before - time.time()
        if wait > 0:
            node.not_before = 0.0
            if not self.resting.add(node, wait, lambda: self.dispatch(node, front)):
                self.drop(node)
            return
        definition = node.definition
        if isinstance(definition, PipelineDefinition):
            self._in_thread(lambda node: self._run_child(node, definition), node)
        elif node.definition.is_async:
            self._async_steps().put(node, self._executor.run_async(node))
        elif self.pool.put(node, front):
            self._clock.wake()

    def _run_queued(self, node: Invocation) -> None:
        """In a worker thread. Since it was queued, its run may have begun to stop: then nothing new starts."""
        if is_stopping(node.scope):
            self.drop(node)
        else:
            self._executor.run(node)

    def drop(self, node: Invocation) -> None:
        """It is not to run any more: it was cancelled, or its run stops."""
        if node.cancelling:
            self._reuse.cancelled(node)
        else:
            self._scheduler.settle(node, dropped(node.name))

    def _async_steps(self) -> "engine.AsyncSteps":
        with self._async_lock:
            if self._async is None:
                self._async = engine.AsyncSteps()
            return self._async

    def _in_thread(self, work: Callable[[Invocation], None], node: Invocation) -> None:
        """For what may take long and is no step."""
        target, name = self._guarded(work), f"anabranch-{node.name}"
        threading.Thread(target=target, args=(node,), name=name, daemon=True).start()

    def _guarded(self, work: Callable[[Invocation], None]) -> Callable[[Invocation], None]:
        """A fault of ours in a thread must end the run, not leave it waiting."""

        def guarded(node: Invocation) -> None:
            try:
                work(node)
            except BaseException as error:  # noqa: BLE001  (ours, by definition: users' are caught earlier)
                self._crashed(error)

        return guarded
