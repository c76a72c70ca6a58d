"""`anabranch runs logs`: what the steps have printed, and, with `--follow`, what they print.

Lines of different calls come mixed as they were written, so each has the name of its call in front; a line that is
written in pieces is printed once it is whole.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from anabranch.artifacts.interface import ArtifactStore
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.documents import Document
from anabranch.console.phrases import iso
from anabranch.errors import UserMistake, suggestion
from anabranch.journal.events import (
    CodeSeen,
    Event,
    InvocationCreated,
    Json,
    LogWritten,
    MapExpanded,
    OutcomeRecorded,
)
from anabranch.journal.interface import Journal
from anabranch.model.ids import InvocationId, RunId
from anabranch.stacks import open_stack

_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`path` names the call. `text` has no line end. `attempt` counts from 1."""

    path: str
    attempt: int
    at: float
    text: str


def runs_logs(request: Request, output: Output) -> int:
    """Prints the logs of a run, or of one step or call of it."""
    if request.follow and output.is_json:
        raise UserMistake(
            "--follow has no end, and --json is one document", "anabranch runs logs", "drop one"
        )
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        id = stack.journal.find(request.run)
        log = RunLog(id, stack.journal, stack.store, request.step)
        log.look_ahead(is_final=not request.follow)
        if output.is_json:
            lines: list[Json] = [_document(line) for line in chain(log.take(), log.rest())]
            output.document({"run": id, "lines": lines})
            return COMPLETED
        for line in log.follow(time.sleep) if request.follow else chain(log.take(), log.rest()):
            print(log.prefix(line) + line.text)
    return COMPLETED


@dataclass(slots=True, eq=False)
class RunLog:
    """Reads on from where it has read to.

    `wanted` is a step's name, a call's display id, or its path (`tune/train_2`); `None` means all.
    """

    run: RunId
    journal: Journal
    store: ArtifactStore
    wanted: str | None = None
    _read: int = 0
    _paths: dict[InvocationId, str] = field(default_factory=dict)
    _wanted: set[InvocationId] = field(default_factory=set)
    _words: set[str] = field(default_factory=set)
    _partial: dict[tuple[InvocationId, int], tuple[float, str]] = field(default_factory=dict)

    def look_ahead(self, is_final: bool) -> None:
        """Learns the names of the run so far. Raises `UserMistake` if none is the wanted one and that is final."""
        for _, event in self.journal.read(
            self.run, without=(LogWritten, CodeSeen, OutcomeRecorded)
        ):
            self._learn(event)
        if is_final and self.wanted is not None and self.wanted not in self._words:
            raise UserMistake(
                f"the run has no step or call {self.wanted!r}",
                f"run {self.run}",
                f"{suggestion(self.wanted, self._words)} See: anabranch runs show {self.run}",
            )

    def take(self) -> Iterator[Line]:
        """The whole lines that have come since."""
        for number, event in self.journal.read(self.run, after=self._read):
            self._read = number
            if not isinstance(event, LogWritten):
                self._learn(event)
            elif self.wanted is None or event.invocation in self._wanted:
                yield from self._lines(event)

    def rest(self) -> Iterator[Line]:
        """What was begun and never ended."""
        for (id, attempt), (at, text) in self._partial.items():
            yield self._line(id, attempt, at, text)
        self._partial.clear()

    def follow(self, sleep: Callable[[float], None]) -> Iterator[Line]:
        """Until the run has ended, or its driver is gone."""
        while True:
            is_going_on = self.journal.summary(self.run).status == "running"
            yield from self.take()
            if not is_going_on:
                yield from self.rest()
                return
            sys.stdout.flush()
            sleep(_POLL_SECONDS)

    def prefix(self, line: Line) -> str:
        """`train_2 | `, or nothing where only that call is asked for; `#2` marks a second attempt."""
        if len(self._wanted) == 1:
            return ""
        attempt = f"#{line.attempt}" if line.attempt > 1 else ""
        return f"{line.path}{attempt} | "

    def _learn(self, event: Event) -> None:
        if isinstance(event, MapExpanded):
            self._words.update((event.step, event.display))
        if isinstance(event, InvocationCreated):
            parent = self._paths.get(event.scope)
            path = f"{parent}/{event.display}" if parent else event.display
            self._paths[event.invocation] = path
            self._words.update((event.step, event.display, path))
            if self.wanted in (event.step, event.display, path):
                self._wanted.add(event.invocation)

    def _lines(self, event: LogWritten) -> Iterator[Line]:
        data = self.store.open(event.blob).read() if event.blob else event.data
        key = (event.invocation, event.attempt)
        at, begun = self._partial.pop(key, (event.at, ""))
        *whole, rest = (begun + bytes(data).decode(errors="replace")).split("\n")
        for text in whole:
            yield self._line(*key, at, text)
            at = event.at
        if rest:
            self._partial[key] = (at, rest)

    def _line(self, id: InvocationId, attempt: int, at: float, text: str) -> Line:
        return Line(path=self._paths.get(id, id), attempt=attempt, at=at, text=text)


def _document(line: Line) -> Document:
    return {"step": line.path, "attempt": line.attempt, "at": iso(line.at), "text": line.text}
