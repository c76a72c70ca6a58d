"""Threads for inline steps: two while steps are short, more while they wait.

Two serve a queue of steps of microseconds twice as fast as one, since a step runs while the last one's outcome is
written, and slower the more there are; steps that wait need a thread each. So threads are added only when the queue has
stood still for a tick of the clock: with 64 steps that sleep there are 64 after a few ticks. A call that another has
just made possible goes to the front, so that an item runs through a chain of maps before the next one starts.
"""

import threading
from collections import deque
from collections.abc import Callable

from anabranch.engine.nodes import Invocation

IDLE_SECONDS = 5.0
_AT_ONCE = 2


class WorkerPool:
    """At most `limit` threads that call `work` with queued invocations."""

    def __init__(self, work: Callable[[Invocation], None], limit: int) -> None:
        self._work, self._limit = work, limit
        self._queue: deque[Invocation] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._threads = self._idle = self._taken = self._taken_before = 0
        self._closed = False

    def put(self, invocation: Invocation, front: bool = False) -> bool:
        """Queues it. Returns whether no thread is free for it at once, so that a tick may have to add one."""
        with self._changed:
            if front:
                self._queue.appendleft(invocation)
            else:
                self._queue.append(invocation)
            if self._idle:
                self._changed.notify()
                return False
            if self._threads < min(_AT_ONCE, self._limit):
                self._add(1)
            return True

    @property
    def waits(self) -> bool:
        """Whether something is queued: then `tick` should be called every few milliseconds."""
        return bool(self._queue)

    def tick(self) -> None:
        """Doubles the threads if they took less than one call each since the last tick."""
        with self._changed:
            taken, self._taken_before = self._taken - self._taken_before, self._taken
            if self._queue and not self._idle and taken < self._threads:
                self._add(min(self._threads, self._limit - self._threads, len(self._queue)))

    def remove(self, invocation: Invocation) -> bool:
        """Takes it out again; False if it is not queued (any more)."""
        with self._changed:
            if invocation not in self._queue:
                return False
            self._queue.remove(invocation)
            return True

    def close(self) -> None:
        """Threads end after what they are doing; nobody waits for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, count: int) -> None:
        for _ in range(count):
            self._threads += 1
            threading.Thread(target=self._run, name="anabranch-step", daemon=True).start()

    def _run(self) -> None:
        while (invocation := self._take()) is not None:
            self._work(invocation)

    def _take(self) -> Invocation | None:
        with self._changed:
            while not self._queue:
                if self._closed:
                    self._threads -= 1
                    return None
                self._idle += 1
                woken = self._changed.wait(IDLE_SECONDS)
                self._idle -= 1
                if not woken and not self._queue:
                    self._threads -= 1
                    return None
            self._taken += 1
            return self._queue.popleft()
