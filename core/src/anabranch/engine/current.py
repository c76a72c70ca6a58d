"""Who is running here: a body, a step, or neither. Everything that a call means depends on it.

A context variable, so that threads and coroutines of different steps never see each other's. This module is all that a
decorated function needs of the engine before there is a run, and loads little.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from anabranch.engine.calling import CallOptions, MapOptions
from anabranch.engine.definitions import Definition, StepDefinition
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.engine.nodes import Invocation, Node
from anabranch.engine.scopes import Scope


@dataclass(eq=False, slots=True)
class StepRun:
    """One attempt that is running. `note` adds an event to the run's journal.

    `is_async` says whether an `async def` is running, which a hook is not. `lines` is what it has printed since that
    was last written down, `size` how many characters that is.
    """

    invocation: Invocation
    note: Callable[[Any], None]
    is_async: bool = False
    captures: bool = True
    started_at: float = 0.0
    announced: bool = False
    is_over: bool = False
    lines: list[str] = field(default_factory=list)
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a body waits for. `fits` makes the value of an answer, or raises `ValueError` with what is wrong with it.

    `schema` is the JSON schema of an answer, `None` if there is none. A driver with nothing else to do leaves after
    `linger_seconds`.
    """

    name: str
    text: str
    schema: Any
    fits: Callable[[bytes], object]
    linger_seconds: float


class Asked(Protocol):
    """Called again and again: the seconds until the next call, 0 once `value` is there. Raises what ends the wait."""

    value: object

    def __call__(self) -> float: ...


class BodyHome(Protocol):
    """The run that a body is running in, as its calls see it."""

    def call(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> object:
        """Runs it now; returns once its outcome is recorded. Raises its failure."""
        ...

    def submit(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> StepFuture[Any]:
        """Runs it as soon as it can be run."""
        ...

    def map(
        self,
        scope: Scope,
        definition: StepDefinition,
        bound: Mapping[str, object],
        options: CallOptions,
        mapping: MapOptions,
    ) -> MapFuture[Any]: ...

    def draw(self, scope: Scope, kind: str, make: Callable[[], float | str]) -> float | str:
        """A value that the body sees again after a resume (law L8)."""
        ...

    def ask(self, scope: Scope, question: Question) -> Asked:
        """Opens a wait for an answer, or takes the one that it has had (law L8)."""
        ...

    def check_going_on(self, scope: Scope) -> None:
        """Raises what has befallen the run, or `RunStopping` if the scope is to end."""
        ...

    def watch(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]: ...

    def note(self, event: Any) -> None: ...


@dataclass(eq=False, slots=True)
class BodyRun:
    """A pipeline body that is running in `home`; an embedded one has the scope of its parent."""

    home: BodyHome
    scope: Scope
    is_async: bool = False


current: ContextVar[BodyRun | StepRun | None] = ContextVar("anabranch_current", default=None)
