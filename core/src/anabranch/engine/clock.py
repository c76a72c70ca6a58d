"""One thread that keeps a run's time: it flushes the journal, renews the lease, wakes what waits for a moment."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

IDLE_SECONDS = 0.1
BUSY_SECONDS = 0.002


class Clock:
    """Calls `tick` every 0.1 s, or every 2 ms while `busy()`; and what was given to `call_at`, when it is due.

    `crashed` is told of what they raise, which must end the run and not the clock alone.
    """

    def __init__(
        self,
        tick: Callable[[], None],
        busy: Callable[[], bool],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._tick, self._busy, self._crashed = tick, busy, crashed
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count()
        self._changed = threading.Condition()
        self._closed = self._watching = False
        self._thread = threading.Thread(target=self._run, name="anabranch-clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call_at(self, moment: float, action: Callable[[], None]) -> None:
        """`moment` is on `time.monotonic`'s scale."""
        with self._changed:
            heapq.heappush(self._due, (moment, next(self._counter), action))
            self._changed.notify()

    def wake(self) -> None:
        """Something has become busy: look at once, unless it is being looked at already."""
        if not self._watching:
            with self._changed:
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for action in self._pause():
                self._call(action)
            if self._closed:
                return
            self._call(self._tick)

    def _call(self, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  (a fault of ours: users' code is not called here)
            self._crashed(error)

    def _pause(self) -> list[Callable[[], None]]:
        with self._changed:
            self._watching = self._busy()
            wait = BUSY_SECONDS if self._watching else IDLE_SECONDS
            if self._due:
                wait = min(wait, max(0.0, self._due[0][0] - time.monotonic()))
            if not self._closed:
                self._changed.wait(wait)
            now, due = time.monotonic(), []
            while self._due and self._due[0][0] <= now:
                due.append(heapq.heappop(self._due)[2])
            return due
