"""The inside of one running body: what names its calls, and what its configuration says of them.

The run's own body has the root scope; every child run has one, named by the child's identity. `embed` has none of
its own: its calls are the parent's calls.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.gates import Gate
from anabranch.model.ids import InvocationId, RunId


@dataclass(eq=False, slots=True, kw_only=True)
class Scope:
    """`unfinished` counts nodes that are not done; `failures` are those that the body has not looked at.

    `caches` says whether steps that do not decide for themselves may take outcomes of other runs.
    """

    id: InvocationId
    run: RunId
    definition: PipelineDefinition
    parameters: Mapping[str, object]
    started: datetime
    parent: "Scope | None" = None
    ordinals: dict[bytes, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    draws: dict[str, int] = field(default_factory=dict)
    user_ids: set[tuple[str, str]] = field(default_factory=set)
    unfinished: int = 0
    failures: dict[InvocationId, BaseException] = field(default_factory=dict)
    stopping: bool = False
    ending: bool = False
    embedded: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: Gate[Any] | None = None
    caches: bool = False

    def __post_init__(self) -> None:
        chosen = self.definition.options.enable_cache
        inherited = self.parent is not None and self.parent.caches
        self.caches = inherited if chosen is None else chosen
        limit = self.definition.options.max_concurrency
        self.gate = Gate(limit) if limit else None

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
