"""What one driver life did, as it says itself: the witness beside the journal.

The journal alone cannot show that a step ran which it does not know of, or that a write was reported as durable and
is not there. So each life keeps a diary, a file that a SIGKILL cannot take back: its lines reach the operating system
one by one.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.engine.current import StepRun, current
from anabranch.engine.definitions import Signature
from anabranch.journal.events import Event, OutcomeRecorded
from anabranch.model.ids import InvocationId, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A diary, read.

    `executed` are attempts at steps in their order; `kept` the outcomes that the journal said it had, by the number of
    the event, and `head` the last event of which it said so. `moments` is 0 if the life was killed, and `death` then
    says at which moment; it is empty where something else ended the process. `busy` is the share of its time in which
    the life used a processor.
    """

    run: RunId | None = None
    executed: tuple[tuple[InvocationId, int], ...] = ()
    kept: tuple[tuple[int, InvocationId], ...] = ()
    head: int = 0
    moments: int = 0
    death: str = ""
    busy: float = 1.0


class Diary:
    """Of the process that opens it."""

    def __init__(self, path: Path) -> None:
        self._opened = time.monotonic()
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def begins(self, run: RunId) -> None:
        self._write("run", run)

    def executes(self, invocation: InvocationId, attempt: int) -> None:
        self._write("executed", invocation, attempt)

    def keeps(self, first: int, events: Sequence[Event]) -> None:
        """The journal has said that these are durable."""
        numbered = enumerate(events, first)
        kept = [
            (n, event.invocation) for n, event in numbered if isinstance(event, OutcomeRecorded)
        ]
        self._write("kept", first + len(events) - 1, kept)

    def dies(self, moment: str) -> None:
        self._write("death", moment)

    def ends(self, moments: int) -> None:
        seconds = time.monotonic() - self._opened
        self._write("busy", time.process_time() / max(seconds, 1e-9))
        self._write("moments", moments)

    def _write(self, *words: object) -> None:
        os.write(self._file, json.dumps(words).encode() + b"\n")


def read_diary(path: Path) -> Account:
    """An empty account if the life ended before its first line."""
    lines = path.read_text().splitlines() if path.exists() else []
    told: dict[str, list[Any]] = {}
    for kind, *words in map(json.loads, lines):
        told.setdefault(kind, []).append(words)
    return Account(
        run=_last(told, "run", None),
        executed=tuple((id, attempt) for id, attempt in told.get("executed", ())),
        kept=tuple((number, id) for _, kept in told.get("kept", ()) for number, id in kept),
        head=_last(told, "kept", 0),
        moments=_last(told, "moments", 0),
        death=_last(told, "death", ""),
        busy=_last(told, "busy", 1.0),
    )


def _last(told: Mapping[str, list[Any]], kind: str, default: Any) -> Any:
    return told[kind][-1][0] if kind in told else default


def watch_steps(diary: Diary) -> None:
    """From here on the diary says which attempts at steps this process begins.

    The one place of the engine that calls a step's function is replaced, in this process alone: the engine's own word
    for it is what is to be tested.
    """
    plain = Signature.call

    def call(self: Signature, function: Callable[..., Any], bound: Mapping[str, Any]) -> Any:
        here = current.get()
        if isinstance(here, StepRun) and here.invocation.definition.signature is self:
            diary.executes(here.invocation.id, here.invocation.attempt)
        return plain(self, function, bound)

    Signature.call = call  # type: ignore[method-assign]
