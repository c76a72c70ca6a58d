"""Waits for an answer: open in a body, given through the mailbox, and recorded once and for all (law L8).

A run that does nothing but wait needs no driver. When every body waits and nothing else is going on, for as long as
the waits allow, all bodies are unwound by a signal and the driver leaves; whoever answers brings the run back.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from hashlib import blake2b

from anabranch.engine.current import Question
from anabranch.engine.identity import SIZE, numbered
from anabranch.engine.recording import Recorder
from anabranch.engine.replaying import Replay
from anabranch.engine.scopes import Scope
from anabranch.engine.values import Values
from anabranch.errors import RunPausing
from anabranch.journal.events import AnswerRefused, WaitAnswered, WaitOpened
from anabranch.journal.interface import Message
from anabranch.model.ids import InvocationId

_LOOK_SECONDS = 0.05


class Asking:
    """A body that waits: see `Asked`."""

    def __init__(
        self,
        wait: InvocationId,
        scope: Scope,
        question: Question,
        recorder: Recorder,
        check: Callable[[], None],
    ) -> None:
        self.wait, self.scope, self.question = wait, scope, question
        self.offers: deque[tuple[int, Message]] = deque()
        self.value: object = None
        self.is_over = self.is_taking = False
        self._recorder, self._check = recorder, check

    def __call__(self) -> float:
        while self.offers and not self.is_over:
            self.is_taking = (
                True  # before it is gone from the offers: in between, nobody may think it idle
            )
            self._take(*self.offers.popleft())
            self.is_taking = False
        if self.is_over:
            return 0.0
        try:
            self._check()
        except BaseException:
            self.is_over = True
            raise
        return _LOOK_SECONDS

    def _take(self, number: int, message: Message) -> None:
        try:
            value = self.question.fits(message.data)
        except ValueError as error:
            refused = AnswerRefused(
                at=time.time(), wait=self.wait, message=number, reason=str(error)
            )
            self._recorder.commit(refused)
            return
        self._recorder.commit(
            WaitAnswered(
                at=time.time(),
                wait=self.wait,
                message=number,
                sender=message.sender,
                data=message.data,
            )
        )
        self.value, self.is_over = value, True


class Waits:
    """The waits of one run. `read` reads the mailbox now.

    `is_idle` tells whether nothing goes on but waiting, that of the bodies it is given taken for granted.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        replay: Replay,
        values: Values,
        is_idle: Callable[[AbstractSet[Scope]], bool],
        read: Callable[[], None],
    ) -> None:
        self._recorder, self._replay, self._values = recorder, replay, values
        self._is_idle, self._read = is_idle, read
        self._open: dict[InvocationId, Asking] = {}
        self._early: dict[InvocationId, list[tuple[int, Message]]] = {}
        self._lock = threading.Lock()
        self._idle_since: float | None = None
        self.is_pausing = False

    def ask(self, scope: Scope, question: Question, check: Callable[[], None]) -> Asking:
        """Opens a wait, or takes the answer that it has had. The `n`-th of a name in a body is always the same one.

        `check` raises what ends the wait.
        """
        name = question.name
        index = scope.draw(f"wait {name}")
        key = blake2b(f"wait\0{scope.id}\0{name}".encode(), digest_size=SIZE).digest()
        asking = Asking(numbered(key, index), scope, question, self._recorder, check)
        if self._is_known(asking):
            return asking
        label = name if index == 0 else f"{name}_{index + 1}"
        self._recorder.commit(
            WaitOpened(
                at=time.time(),
                wait=asking.wait,
                display="/".join([*scope.path(), label]),
                scope=scope.id,
                question=question.text,
                schema=question.schema,
            )
        )
        with self._lock:
            asking.offers.extend(self._early.pop(asking.wait, ()))
            self._open[asking.wait] = asking
        return asking

    def offer(self, number: int, message: Message) -> None:
        """An answer has come; one for a wait that its body has not come to yet is kept for it."""
        wait = InvocationId(message.subject)
        with self._lock:
            asking = self._open.get(wait)
            if asking is not None and not asking.is_over:
                asking.offers.append((number, message))
            else:
                self._early.setdefault(wait, []).append((number, message))

    def look(self) -> None:
        """Called by the clock: pauses the run that has done nothing but wait for long enough, and at two looks."""
        if not self._open:
            return
        now = time.monotonic()
        with self._lock:
            self._open = {wait: each for wait, each in self._open.items() if not each.is_over}
            waiting = {asking.scope for asking in self._open.values()}
        if not waiting or not self._is_idle(waiting):
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
            return
        with self._lock:
            linger = max(
                (asking.question.linger_seconds for asking in self._open.values()), default=0.0
            )
        if now - self._idle_since < linger:
            return
        self._read()
        with self._lock:
            has_answers = any(each.offers or each.is_taking for each in self._open.values())
            self.is_pausing = bool(self._open) and not has_answers

    def check(self) -> None:
        """Raises `RunPausing` in a body that waits."""
        if self.is_pausing:
            raise RunPausing

    def _is_known(self, asking: Asking) -> bool:
        """Whether an earlier life had the answer; one that fits no more, after an edit, is asked for again."""
        known = self._replay.state.waits.get(asking.wait)
        if known is None or not known.answer_number:
            return False
        try:
            asking.value = asking.question.fits(self._values.event_data(known.answer_number))
        except ValueError as error:
            reason = f"it was answered, and the answer does not fit any more: {error}"
            self._recorder.note(
                AnswerRefused(at=time.time(), wait=asking.wait, message=0, reason=reason)
            )
            return False
        asking.is_over = True
        return True
