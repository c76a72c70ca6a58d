"""What handles ask of their run: to wait for a call, to read what it made, to be told how it ended."""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from anabranch.engine.artifacts import Place
from anabranch.engine.current import BodyRun, current
from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.engine.reusing import Reuse
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import Scope, is_stopped
from anabranch.engine.shapes import rebuilt
from anabranch.engine.stopping import Stopping
from anabranch.engine.values import Values
from anabranch.errors import RunStopping
from anabranch.model.ids import InvocationId
from anabranch.model.records import Output

_LOOK_SECONDS = 0.1
_NOWHERE = Output(name="", artifact="", digest="", size=0, codec="", type="")


class Attending:
    """The home of a run's handles. `check` raises what has befallen the run."""

    def __init__(
        self,
        *,
        values: Values,
        scheduler: Scheduler,
        stopping: Stopping,
        reuse: Reuse,
        check: Callable[[], None],
    ) -> None:
        self.values = values
        self._scheduler, self._stopping, self._reuse = scheduler, stopping, reuse
        self._check = check

    def wait(self, node: Node, timeout: float | None) -> None:
        if node.done:
            return
        arrived = threading.Lock()
        arrived.acquire()
        if not self._scheduler.when_done(node, lambda _: arrived.release()):
            return
        scope = _waiter(node)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._stopping.waiting(scope, (node,)):
            while True:
                left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
                if arrived.acquire(timeout=max(0.0, min(left, _LOOK_SECONDS))):
                    return
                self.check_body(scope)
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{node.name} is not done after {timeout:g} s")

    def waiting(self, node: Node) -> AbstractContextManager[None]:
        return self._stopping.waiting(_waiter(node), (node,))

    def waiting_in(self, scope: Scope, nodes: Collection[Node]) -> AbstractContextManager[None]:
        return self._stopping.waiting(scope, nodes)

    def expanded(self, node: MapNode) -> None:
        self.wait(node.expansion, None)
        if node.expansion.error is not None:
            self.observe(node)
            raise node.expansion.error

    def when_done(self, node: Node, callback: Callable[[Node], None]) -> bool:
        return self._scheduler.when_done(node, callback)

    def observe(self, node: Node) -> None:
        self._scheduler.observe(node)

    def cancel(self, node: Node) -> bool:
        return self._stopping.cancel(node)

    def check_body(self, scope: Scope) -> None:
        self._check()
        if is_stopped(scope):
            raise RunStopping

    def rebuild(self, node: Invocation) -> object:
        own = Place(node.id, _NOWHERE, node.number, self.values)
        return rebuilt(node.shape, own, node.outputs, self._located)

    def _located(self, id: InvocationId) -> tuple[tuple[Output, ...], int]:
        node = self._scheduler.nodes.get(id)
        if isinstance(node, Invocation) and node.done:
            return node.outputs, node.number
        return self._reuse.outputs(id)


def _waiter(node: Node) -> Scope:
    """The body that is asking: a child's may wait for a call of the body around it."""
    here = current.get()
    return here.scope if isinstance(here, BodyRun) else node.scope
