"""The second driver of a run parks (law L4): it waits for the first, and goes on only with what that one leaves."""

import sys
import time
from collections.abc import Callable

from anabranch.engine.failures import rebuilt
from anabranch.engine.launching import Finished
from anabranch.errors import RunBusy
from anabranch.journal.fold import read_state
from anabranch.journal.holders import this_holder
from anabranch.model.ids import RunId
from anabranch.stacks import Stack

_FIRST_LOOK_SECONDS = 0.1
_LONGEST_LOOK_SECONDS = 2.0
_LEFT = ("interrupted", "paused", "lost")


def in_turn(run: RunId, stack: Stack, drive: Callable[[], Finished]) -> Finished:
    """Drives the run, once no other driver does.

    A run that the other one has brought to its end is not driven again: how it ended is returned, as it is recorded.
    Raises `RunBusy` if the other driver is in this process, which would wait for itself.
    """
    while True:
        try:
            return drive()
        except RunBusy as busy:
            lease = stack.journal.summary(run).lease
            if lease is not None and lease.holder == this_holder():
                raise
            sys.stderr.write(f"{busy.what}; waiting for it\n")
        status = _waited(run, stack)
        if status not in _LEFT:
            return _recorded(run, stack)


def _waited(run: RunId, stack: Stack) -> str:
    """The status of the run as soon as nobody drives it."""
    pause = _FIRST_LOOK_SECONDS
    while (status := stack.journal.summary(run).status) == "running":
        time.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_LOOK_SECONDS)
    return status


def _recorded(run: RunId, stack: Stack) -> Finished:
    state = read_state(stack.journal, run)
    error = None
    if state.failure is not None:
        data = stack.journal.data(run, state.end_number)
        error = rebuilt(state.failure, data, stack.codecs)
    return Finished(run, state.status, error)
