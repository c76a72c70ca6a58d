"""The inside of one running body: what names its calls, and what its configuration says of them.

The run's own body has the root scope; every child run has one, named by the child's identity. `embed` has none of
its own: its calls are the parent's calls.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.gates import Gate
from anabranch.model.ids import InvocationId, RunId


@dataclass(eq=False, slots=True, kw_only=True)
class Scope:
    """`unfinished` counts nodes that are not done; `failures` are those that the body has not looked at.

    `awaited` are the nodes that the body waits for just now. `stopped_by` is what has ended the body from outside, and
    `interrupt` unwinds it in the middle of something, where that can be done. `caches` says whether steps that do not
    decide for themselves may take outcomes of other runs.
    """

    id: InvocationId
    run: RunId
    definition: PipelineDefinition
    parameters: Mapping[str, object]
    started: datetime
    parent: "Scope | None" = None
    name: str = ""
    ordinals: dict[bytes, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    draws: dict[str, int] = field(default_factory=dict)
    user_ids: set[tuple[str, str]] = field(default_factory=set)
    unfinished: int = 0
    failures: dict[InvocationId, BaseException] = field(default_factory=dict)
    stopping: bool = False
    stopped_by: Exception | None = None
    interrupt: Callable[[], None] | None = None
    awaited: list[Collection[Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: Gate[Any] | None = None
    fails_fast: bool = False
    caches: bool = False

    def __post_init__(self) -> None:
        self.fails_fast = self.definition.options.execution_mode == "FAIL_FAST"
        chosen = self.definition.options.enable_cache
        inherited = self.parent is not None and self.parent.caches
        self.caches = inherited if chosen is None else chosen
        limit = self.definition.options.max_concurrency
        self.gate = Gate(limit) if limit else None

    def path(self) -> list[str]:
        """The names of the child runs that it is in; empty for the run itself."""
        return [] if self.parent is None else [*self.parent.path(), self.name]

    def ordinal(self, key: bytes) -> int:
        """0 for the first call with this key, 1 for the next: equal calls are told apart by their count."""
        with self.lock:
            count = self.ordinals.get(key, 0)
            self.ordinals[key] = count + 1
        return count

    def label(self, name: str) -> str:
        """`train`, then `train_2`."""
        with self.lock:
            count = self.labels.get(name, 0) + 1
            self.labels[name] = count
        return name if count == 1 else f"{name}_{count}"

    def draw(self, kind: str) -> int:
        """The number of the next value of this kind, from 0."""
        with self.lock:
            index = self.draws.get(kind, 0)
            self.draws[kind] = index + 1
        return index

    def template(self, name: str) -> Mapping[str, object]:
        """What configuration templates say of a step: the pipeline's own, over those of the runs around it."""
        own = self.definition.overrides.get(name, {})
        return {**self.parent.template(name), **own} if self.parent is not None else own

    def substitutions(self) -> dict[str, str]:
        words = {
            "date": self.started.strftime("%Y_%m_%d"),
            "time": self.started.strftime("%H_%M_%S_%f"),
        }
        return {**words, **self.definition.options.substitutions}


def gates_of(scope: Scope | None) -> list[Gate[Any]]:
    """The limits that a call in this scope is under: of its own pipeline and of those around it."""
    gates = []
    while scope is not None:
        if scope.gate is not None:
            gates.append(scope.gate)
        scope = scope.parent
    return gates


def is_within(scope: Scope | None, outer: Scope) -> bool:
    """Whether a scope is another one, or that of a child run somewhere inside it."""
    while scope is not None and scope is not outer:
        scope = scope.parent
    return scope is outer


def is_stopping(scope: Scope) -> bool:
    """Whether nothing new starts in this scope any more."""
    here: Scope | None = scope
    while here is not None:
        if here.stopping:
            return True
        here = here.parent
    return False


def is_stopped(scope: Scope | None) -> bool:
    """Whether this body, or one around it, has been ended from outside."""
    while scope is not None and scope.stopped_by is None:
        scope = scope.parent
    return scope is not None


def fails_fast(scope: Scope | None) -> bool:
    """Whether a failure has ended this scope, or one around it, at once: what still comes is dropped."""
    while scope is not None:
        if scope.stopping and scope.fails_fast:
            return True
        scope = scope.parent
    return False
