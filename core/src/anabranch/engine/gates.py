"""Limits on how many calls run at once: of a run or a child run, and of a map. Used under the scheduler's lock."""

from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Gate(Generic[T]):
    """Lets `limit` in at once; the others queue."""

    __slots__ = ("_inside", "_limit", "_queue")

    def __init__(self, limit: int) -> None:
        self._limit, self._inside = limit, 0
        self._queue: deque[T] = deque()

    def enter(self, one: T) -> bool:
        """Whether it may go on now; otherwise a later `leave` gives it."""
        if self._inside < self._limit:
            self._inside += 1
            return True
        self._queue.append(one)
        return False

    def leave(self) -> T | None:
        """One has ended: the next one in line, which is now inside, or `None`."""
        if self._queue:
            return self._queue.popleft()
        self._inside -= 1
        return None

    def drop(self, one: T) -> None:
        """It no longer queues here, if it did."""
        with suppress(ValueError):
            self._queue.remove(one)
