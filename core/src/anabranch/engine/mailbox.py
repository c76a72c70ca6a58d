"""What others want of a run's driver while it lives: to end the run, or to give a wait its answer.

They leave a message in the journal, and the driver looks for one every now and then. What came of a message is recorded
under its number; one that is not dealt with when the driver leaves is there for the next.
"""

import time
from collections.abc import Callable, Mapping

from anabranch.engine.recording import Recorder
from anabranch.errors import JournalError
from anabranch.journal.interface import Message

_PAUSE_SECONDS = 0.3

Handler = Callable[[int, Message], None]


class Mailbox:
    """`handled` are the numbers that earlier drivers have dealt with; `handlers` deal with each kind of message."""

    def __init__(
        self, recorder: Recorder, handled: frozenset[int], handlers: Mapping[str, Handler]
    ) -> None:
        self._recorder, self._handled, self._handlers = recorder, handled, handlers
        self._read, self._looked = 0, 0.0

    def look(self) -> None:
        """Called by the clock, often."""
        now = time.monotonic()
        if now - self._looked >= _PAUSE_SECONDS:
            self._looked = now
            self.read()

    def read(self) -> None:
        """Hands on what has come. A journal that cannot be read just now is read at the next look."""
        try:
            found = self._recorder.inbox(self._read)
        except JournalError:
            return
        for number, message in found:
            self._read = number
            handler = self._handlers.get(message.kind)  # a newer version may have other kinds
            if handler is not None and number not in self._handled:
                handler(number, message)
