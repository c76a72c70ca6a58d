"""Which points are tried: those that are asked for, or all of them, several at once.

A *point* is the number of a moment (see `moments`) at which a run is killed. How many there are differs a little from
run to run, because threads share writes. So points are tried in order until several runs have ended before theirs.
"""

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from anabranch.testing.campaigns import Campaign, Tried

_ENOUGH_MISSES = 3


class Sweep:
    """`points=None` means all. Threads of this process only wait for the processes that are killed."""

    def __init__(self, campaign: Campaign, points: Collection[int] | None) -> None:
        self._campaign, self._is_open_ended = campaign, points is None
        self._points: Iterator[int] = count(1) if points is None else iter(sorted(set(points)))
        self._lock = threading.Lock()
        self._tried: list[Tried] = []
        self._is_over = False

    def go(self, lanes: int) -> list[Tried]:
        """Tries them in so many lanes. Raises the first `CrashViolation`."""
        with ThreadPoolExecutor(lanes) as pool:
            work = [pool.submit(self._work, lane) for lane in range(lanes)]
            try:
                for each in work:
                    each.result()
            except BaseException:
                self._is_over = True  # the others end after what they are at
                raise
        return self._tried

    def _work(self, lane: int) -> None:
        while (point := self._next()) is not None:
            try:
                tried = self._campaign.crash(point, lane)
            except BaseException:
                self._is_over = True
                raise
            with self._lock:
                self._tried.append(tried)
                self._is_over |= self._is_open_ended and self._is_past_the_end()

    def _next(self) -> int | None:
        with self._lock:
            return None if self._is_over else next(self._points, None)

    def _is_past_the_end(self) -> bool:
        last = max((each.point for each in self._tried if each.kills), default=0)
        return sum(each.point > last for each in self._tried) >= _ENOUGH_MISSES
