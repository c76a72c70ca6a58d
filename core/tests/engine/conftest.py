"""A laboratory for runs: a stack of the core's own parts, and what the journal says of a run."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from anabranch import Pipeline
from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.local import LocalStore
from anabranch.authoring.runs import Run
from anabranch.engine.launching import launch, relaunch
from anabranch.journal.events import (
    AttemptEnded,
    DriverStarted,
    Event,
    HookFailed,
    OutcomeDiscarded,
    OutcomeRecorded,
)
from anabranch.journal.fold import RunState, fold
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import InvocationId, RunId
from anabranch.plugins.discovery import Found
from anabranch.plugins.registry import Registry
from anabranch.stacks import Stack


class Notes:
    """What steps and bodies have to tell a test: a list that any thread may add to.

    It does not pickle, so that a fingerprint counts it by its type, and what is in it does not matter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Any] = []

    def add(self, note: Any) -> None:
        with self._lock:
            self._all.append(note)

    def take(self) -> list[Any]:
        """All notes since the last time, in order."""
        with self._lock:
            taken, self._all = self._all, []
        return taken

    def __len__(self) -> int:
        return len(self._all)

    def __reduce__(self) -> NoReturn:
        raise TypeError("notes stay where they are")


@dataclass
class Lab:
    """Starts and resumes runs on one stack."""

    stack: Stack

    def start(
        self,
        pipeline: Pipeline[..., Any],
        *args: Any,
        observers: Sequence[Callable[[int, Event], None]] = (),
        **kwargs: Any,
    ) -> Run:
        """A new run, to its end, however it ends."""
        definition = pipeline._definition
        bound = definition.signature.bind(args, kwargs, definition.options.parameters)
        return Run(self.stack, launch(definition, bound, {}, self.stack, observers))

    def resume(self, run: Run, pipeline: Pipeline[..., Any]) -> Run:
        """Takes up a run with the code of `pipeline`."""
        return Run(self.stack, relaunch(run.id, pipeline._definition, self.stack))

    def resume_latest(self, pipeline: Pipeline[..., Any]) -> Run:
        """The same with the newest run, whose handle is lost."""
        run = self.stack.journal.find("latest")
        return Run(self.stack, relaunch(run, pipeline._definition, self.stack))

    def events(self, run: Run | RunId) -> list[Event]:
        id = run.id if isinstance(run, Run) else run
        return [event for _, event in self.stack.journal.read(id)]

    def state(self, run: Run) -> RunState:
        """The fold, which itself refuses a second outcome for an invocation that has one (L1)."""
        return fold(self.stack.journal.read(run.id))

    def statuses(self, run: Run) -> dict[str, str]:
        """By display id."""
        return {known.display: known.status for known in self.state(run).invocations.values()}

    def executed(self, run: Run) -> list[str]:
        """The calls that got an outcome in the last driver life, by display id."""
        names = self._names(run)
        return [names[e.invocation] for e in self._last_life(run, OutcomeRecorded)]

    def executed_ids(self, run: Run) -> set[InvocationId]:
        """The same by identity: a call with other inputs may have the display id of an earlier one."""
        return {event.invocation for event in self._last_life(run, OutcomeRecorded)}

    def reasons(self, run: Run) -> dict[str, str]:
        """Why outcomes were discarded in the last driver life, by display id."""
        names, found = self._names(run), self._last_life(run, OutcomeDiscarded)
        return {names[e.invocation]: e.reason for e in found}

    def attempts_ended(self, run: Run) -> list[AttemptEnded]:
        return [event for event in self.events(run) if isinstance(event, AttemptEnded)]

    def attempts_ended_in(self, future: Any) -> list[AttemptEnded]:
        """Of a call of the run that goes on."""
        found = self.events(self.stack.journal.find("latest"))
        id = future._node.id
        return [e for e in found if isinstance(e, AttemptEnded) and e.invocation == id]

    def hooks_failed(self, run: Run) -> list[HookFailed]:
        return [event for event in self.events(run) if isinstance(event, HookFailed)]

    def _last_life(self, run: Run, kind: type[Any]) -> list[Any]:
        events = self.events(run)
        starts = [place for place, event in enumerate(events) if isinstance(event, DriverStarted)]
        return [event for event in events[starts[-1] :] if isinstance(event, kind)]

    def _names(self, run: Run) -> dict[str, str]:
        return {id: known.display for id, known in self.state(run).invocations.items()}


def _stack(folder: Path) -> Stack:
    home = folder / ".anabranch"
    return Stack(
        name="lab",
        project=folder,
        home=home,
        journal=SqliteJournal(home / "journal.db"),
        store=LocalStore(home / "artifacts"),
        codecs=Codecs(),
        capabilities={},
        lacks={},
        lease_seconds=60.0,
        registry=Registry(Found((), (), ())),
    )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with _stack(tmp_path) as opened:
        yield opened


@pytest.fixture
def lab(stack: Stack) -> Lab:
    return Lab(stack)


@pytest.fixture(scope="session")
def lab_in() -> Callable[[Path], Lab]:
    """A laboratory in a folder of your choice, for a test that needs many; close its stack."""
    return lambda folder: Lab(_stack(folder))


@pytest.fixture
def notes() -> Notes:
    return Notes()
