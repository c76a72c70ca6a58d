"""Calls that wait: for their next attempt, or for another call that computes what they need.

They hold no thread while they wait, and can be let go at any moment.
A call that is cancelled must not wait for an attempt that will never be made, and a run that stops must not wait for
one that may be an hour away: what is let go has no outcome, and a resume makes its next attempt when it is due.
"""

import threading
import time
from collections.abc import Callable

from anabranch.engine.nodes import Invocation
from anabranch.engine.scopes import Scope, is_stopping, is_within

_LOOK_SECONDS = 0.1


def rested(node: Invocation, check: Callable[[], None]) -> bool:
    """Waits in this thread until the call's attempt is due; False if it is not to be made any more.

    `check` raises what has befallen the run.
    """
    return node.not_before <= time.time() or stayed(node, node.not_before, check)


def stayed(node: Invocation, until: float, check: Callable[[], None]) -> bool:
    """The same until a moment, in unix seconds, for another reason."""
    pause = Pause(until - time.time(), until, check)
    while (left := pause()) > 0:
        if node.cancelling or is_stopping(node.scope):
            return False
        time.sleep(left)
    return True


class Pause:
    """Called again and again: how long to sleep before the next call, in seconds; 0 when it is over.

    It is over at `until`, in unix seconds, but never lasts longer than `seconds` from now, so that a clock which is set
    back does not lengthen it. `check` raises what ends it early.
    """

    def __init__(self, seconds: float, until: float, check: Callable[[], None]) -> None:
        self._until, self._check = until, check
        self._latest = time.monotonic() + seconds

    def __call__(self) -> float:
        left = min(self._until - time.time(), self._latest - time.monotonic())
        if left <= 0:
            return 0.0
        self._check()
        return min(left, _LOOK_SECONDS)


class Resting:
    """`call_at(moment, action)` is the clock's; moments are on `time.monotonic`'s scale."""

    def __init__(self, call_at: Callable[[float, Callable[[], None]], None]) -> None:
        self._call_at = call_at
        self._lock = threading.Lock()
        self._nodes: set[Invocation] = set()

    def add(self, node: Invocation, seconds: float, wake: Callable[[], None]) -> bool:
        """Has `wake` called after `seconds`, unless it is let go before. False if it is to be let go already."""
        if not self.hold(node):
            return False

        def due() -> None:
            if self.let_go(node):
                wake()

        self._call_at(time.monotonic() + seconds, due)
        return True

    @property
    def is_anybody(self) -> bool:
        return bool(self._nodes)

    def hold(self, node: Invocation) -> bool:
        """It waits for somebody who will let it go. False if it is to be let go already."""
        with self._lock:
            if node.cancelling or is_stopping(node.scope):
                return False
            self._nodes.add(node)
            return True

    def let_go(self, node: Invocation) -> bool:
        """Whether it was resting; then it is not woken any more."""
        with self._lock:
            was_here = node in self._nodes
            self._nodes.discard(node)
            return was_here

    def let_go_within(self, scope: Scope) -> list[Invocation]:
        """All that rest in a body and its children."""
        with self._lock:
            found = [node for node in self._nodes if is_within(node.scope, scope)]
            self._nodes.difference_update(found)
            return found
