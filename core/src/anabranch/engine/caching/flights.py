"""Spares calls whose outcome another run has recorded, and sees to it that no two compute the same at once.

The first call of a run that needs a key is its *pilot*; others of the run with that key follow it, and are looked at
again when it has ended. The pilot takes the kept outcome if there is one. If not, it claims the key in the journal and
is dispatched; if another run has claimed it, the pilot waits and asks again. So a claim is only ever held by a call
that nothing holds back, and nobody who waits holds one: there is no circle to wait in. A claim that was not given up,
since its run was killed, ends with that run's lease.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

from anabranch.engine.caching.keys import Keys, policy_of
from anabranch.engine.caching.shelf import Shelf
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.definitions import Definition
from anabranch.engine.fingerprints import Fingerprint
from anabranch.engine.nodes import CacheKey, Invocation, Node
from anabranch.engine.resting import Resting, stayed
from anabranch.engine.scheduling import Scheduler
from anabranch.errors import JournalError
from anabranch.journal.events import Event
from anabranch.model.caching import Cache
from anabranch.model.options import StepOptions

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_Answer: TypeAlias = Literal["settled", "compute", "follow", "wait"]
"""`follow` another call of this run, or `wait` for another run."""


@dataclass(eq=False, slots=True)
class _Flight:
    """What becomes of a key in this run. `looks` counts how often its pilot found that another run computes it."""

    pilot: Invocation
    is_claimed: bool = False
    looks: int = 0
    followers: list[tuple[Invocation, bool]] = field(default_factory=list)


class Caching:
    """`dispatch` and `drop` are the driver's, for a call that is to run and for one that is not to any more.

    `first_seen` gives the events that tell what a code consists of; `check` raises what has befallen the run.
    """

    def __init__(  # noqa: PLR0913
        self,
        given: Circumstances,
        *,
        scheduler: Scheduler,
        resting: Resting,
        first_seen: Callable[[Fingerprint], Sequence[Event]],
        dispatch: Callable[[Invocation, bool], None],
        drop: Callable[[Invocation], None],
        check: Callable[[], None],
    ) -> None:
        self._use, self._recorder = given.caching, given.recorder
        self._keys = Keys(given.fingerprints, given.project)
        self._shelf = Shelf(given, first_seen, scheduler.settle)
        self._scheduler, self._resting = scheduler, resting
        self._dispatch, self._drop, self._check = dispatch, drop, check
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def admit(self, definition: Definition) -> None:
        """Raises a `CallError` if the step's keys need a version of the source, and there is none."""
        options = definition.options
        if not isinstance(options, StepOptions) or options.cache is None or self._use == "off":
            return
        if options.cache.source_version and options.enable_cache is not False:
            self._keys.source_version()

    def stands_in(self, node: Invocation, front: bool) -> bool:
        """False if the call is to run now. Else it has been settled, or it waits and is seen to later."""
        policy = self._policy(node)
        if policy is None:
            return False
        answer = self._answer(node, policy)
        if answer == "follow":
            self._follow(node, front)
        elif answer == "wait":
            self._wait(node, front)
        return answer != "compute"

    def stands_in_here(self, node: Invocation) -> bool:
        """The same for a call that its body waits for in this thread."""
        policy = self._policy(node)
        if policy is None:
            return False
        looks = 0
        while (answer := self._answer(node, policy)) in ("follow", "wait"):
            if not stayed(node, time.time() + _pause(looks), self._check):
                self._drop(node)
                return True
            looks += answer == "wait"
        return answer == "settled"

    def _policy(self, node: Invocation) -> Cache | None:
        policy = policy_of(node.definition.options, node.scope)
        return None if self._use == "off" else policy

    # --- what becomes of a call --------------------------------------------------------------------------------

    def _answer(self, node: Invocation, policy: Cache) -> _Answer:
        try:
            if node.cache_key is None:
                node.cache_key = self._keys.of(node, policy)
            if policy.force or self._use == "force":
                return "compute"
            return self._ask(node, node.cache_key, policy)
        except Exception as error:  # noqa: BLE001  (the user's key function may raise anything)
            self._shelf.refuse(node, error)
            return "settled"

    def _ask(self, node: Invocation, key: CacheKey, policy: Cache) -> _Answer:
        flight = self._board(node, key.digest)
        if flight.pilot is not node:
            return "follow"
        kept = self._shelf.find(key, policy)
        if kept is None:
            if self._is_computed_elsewhere(flight, key.digest):
                return "wait"
            kept = self._shelf.find(key, policy)  # it may have come between the look and the claim
        if kept is None:
            return "compute"
        self._shelf.take(node, key, kept)
        return "settled"

    def _board(self, node: Invocation, key: str) -> _Flight:
        """The flight for a key; it is the node's own if there was none."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight
            flight = self._flights[key] = _Flight(node)
        if not self._scheduler.when_done(node, partial(self._landed, key)):
            self._landed(key, node)
        return flight

    def _is_computed_elsewhere(self, flight: _Flight, key: str) -> bool:
        """If not, it is claimed for this run. A journal that refuses will say so when the outcome is recorded."""
        try:
            flight.is_claimed = self._recorder.claim(key) is None
        except JournalError:
            return False
        return not flight.is_claimed

    # --- waiting -----------------------------------------------------------------------------------------------

    def _follow(self, node: Invocation, front: bool) -> None:
        with self._lock:
            flight = self._flights.get(_digest(node))
            rests = flight is not None and self._resting.hold(node)
            if flight is not None:
                flight.followers.append((node, front))
        if flight is None:
            self._again(node, front)  # it has landed meanwhile
        elif not rests:
            self._drop(node)

    def _wait(self, node: Invocation, front: bool) -> None:
        flight = self._flights[_digest(node)]
        seconds = _pause(flight.looks)
        flight.looks += 1
        if not self._resting.add(node, seconds, partial(self._again, node, front)):
            self._drop(node)

    def _again(self, node: Invocation, front: bool) -> None:
        if not self.stands_in(node, front):
            self._dispatch(node, front)

    def _landed(self, key: str, _: Node) -> None:
        """The pilot has ended, however: if others still need the key, the next of them is the pilot."""
        with self._lock:
            flight = self._flights.pop(key)
        if flight.is_claimed:
            self._recorder.give_up(key)
        for node, front in flight.followers:
            if self._resting.let_go(node):
                self._again(node, front)


def _digest(node: Invocation) -> str:
    return "" if node.cache_key is None else node.cache_key.digest


def _pause(looks: int) -> float:
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(looks, 10))
