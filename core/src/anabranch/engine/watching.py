"""Completion in the order in which it happens, and in the same order again after a resume (law L8)."""

import threading
import time
from collections.abc import Iterator, Sequence

from anabranch.engine.home import Home
from anabranch.engine.identity import numbered, watch_key
from anabranch.engine.nodes import Node
from anabranch.engine.recording import Recorder
from anabranch.engine.replaying import Replay
from anabranch.engine.scopes import Scope
from anabranch.journal.events import CompletionObserved

_LOOK_SECONDS = 0.1


class Watches:
    """Hands finished nodes to a body, and records whom it was handed when."""

    def __init__(self, home: Home, replay: Replay, recorder: Recorder) -> None:
        self._home, self._replay, self._recorder = home, replay, recorder

    def watch(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]:
        """Every node once. What is yielded is recorded before the body sees it."""
        key = watch_key(scope.id, [node.id for node in nodes])
        watch = numbered(key, scope.ordinal(key))
        waiting = {node.id: node for node in nodes}
        seen = 0
        for id in self._replay.order(watch):
            known = waiting.pop(id, None)
            if known is not None:
                self._home.wait(known, None)
                seen += 1
                yield known
        for node in self._arrivals(list(waiting.values()), scope):
            self._recorder.commit(
                CompletionObserved(at=time.time(), watch=watch, index=seen, invocation=node.id)
            )
            seen += 1
            yield node

    def _arrivals(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]:
        done: list[Node] = []
        missing = dict.fromkeys(nodes)
        arrived = threading.Semaphore(0)

        def arrive(node: Node) -> None:
            missing.pop(node)
            done.append(node)
            arrived.release()

        for node in nodes:
            if not self._home.when_done(node, arrive):
                arrive(node)
        for index in range(len(nodes)):
            if not arrived.acquire(blocking=False):
                with self._home.waiting_in(scope, missing):
                    while not arrived.acquire(timeout=_LOOK_SECONDS):
                        self._home.check_body(scope)
            yield done[index]
