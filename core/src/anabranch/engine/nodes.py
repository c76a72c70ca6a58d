"""The graph of a run: invocations and maps, as it grows while the body runs.

A node is changed only by the scheduler, under its lock. What a finished node no longer needs (its inputs, who waited
for it) is let go at once, so that 100,000 finished items are 100,000 small records and nothing more (law L12).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from anabranch.engine.definitions import Definition, StepDefinition
from anabranch.engine.gates import Gate
from anabranch.engine.scopes import Scope
from anabranch.errors import BeyondRehearsal
from anabranch.model.ids import InvocationId
from anabranch.model.options import StepOptions
from anabranch.model.records import Output, Status

State: TypeAlias = Status | Literal["pending", "ready", "running"]
DoneCallback: TypeAlias = "Callable[[Node], None]"


Naming: TypeAlias = Literal["call", "source", "place", "map"]
"""What names the items of a map: their values, what made them, their place in a named map, the map itself."""


class Input(Protocol):
    """One argument of a call: a plain value, a handle, or a structure of both."""

    def reference(self) -> bytes:
        """Its part in the identity; known at the call."""
        ...

    def upstreams(self) -> "Iterable[Node]":
        """What must be done before it can be loaded."""
        ...

    def producers(self) -> Iterable[InvocationId]:
        """The calls and maps of this run that it comes from, done or not: the edges of the graph."""
        ...

    def digest(self) -> bytes:
        """Of its content; asked once all upstreams are done."""
        ...

    def load(self) -> object:
        """The value for the step, which may do with it as it likes."""
        ...

    def hand_over(self) -> object:
        """What the body of a child pipeline is given: artifacts stay references."""
        ...


class Collection(Protocol):
    """An argument of `map`: what it fans out over. `length` and `item` are asked once all upstreams are done."""

    def reference(self) -> bytes: ...

    def upstreams(self) -> "Iterable[Node]": ...

    def producers(self) -> Iterable[InvocationId]: ...

    def length(self) -> int: ...

    def item(self, index: int) -> Input: ...


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Under what other runs may find a call's outcome. `inputs` is the content that `digest` was made of, if it was."""

    digest: str
    inputs: str | None

    def if_still(self, inputs: str) -> str:
        """Nothing if the inputs are not any more what they were, such as a file that was written to meanwhile."""
        return self.digest if self.inputs in (None, inputs) else ""


class Node:
    """Something that will be done: `dependents` and `callbacks` are `None` once it is.

    `waiting` counts the upstreams that are not done, `cause` is the first of them that failed and `further` are the
    others that did, and `observed` tells whether the body has been shown how the node ended.
    """

    __slots__ = (
        "callbacks",
        "cause",
        "dependents",
        "error",
        "further",
        "id",
        "label",
        "observed",
        "scope",
        "status",
        "waiting",
    )

    def __init__(self, id: InvocationId, scope: Scope, label: str) -> None:
        self.id, self.scope, self.label = id, scope, label
        self.cause: Node | None = None
        self.further: list[Node] | None = None
        self.status: State = "pending"
        self.waiting = 0
        self.dependents: list[Node] | None = []
        self.callbacks: list[DoneCallback] | None = []
        self.error: BaseException | None = None
        self.observed = False

    @property
    def done(self) -> bool:
        return self.dependents is None

    @property
    def name(self) -> str:
        """For people: `train`, `train_2`, `train[17]`. Nothing looks it up."""
        return self.label

    @property
    def origin(self) -> "Node":
        """The failure that is to blame for this one: itself, unless it was skipped for another's."""
        node = self
        while node.cause is not None:
            node = node.cause
        return node

    def note_upstream(self, upstream: "Node") -> None:
        """An upstream is done; if it failed, this node can only be skipped."""
        if upstream.error is None:
            return
        if self.cause is None:
            self.cause = upstream
        elif self.further is None:
            self.further = [upstream]
        else:
            self.further.append(upstream)


class Invocation(Node):
    """One call of one step, or of one child pipeline; `inside` is the scope of the child's body once that runs."""

    __slots__ = (
        "attempt",
        "cache_key",
        "cancelling",
        "definition",
        "gates_passed",
        "index",
        "inputs",
        "inside",
        "map",
        "not_before",
        "number",
        "outputs",
        "shape",
        "spared",
    )

    def __init__(  # noqa: PLR0913
        self,
        id: InvocationId,
        scope: Scope,
        definition: Definition,
        inputs: Mapping[str, Input],
        label: str = "",
        map: "MapNode | None" = None,
        index: int = 0,
    ) -> None:
        super().__init__(id, scope, label)
        self.definition = definition
        self.inputs: Mapping[str, Input] | None = inputs
        self.map, self.index = map, index
        self.gates_passed = 0
        self.attempt, self.spared = 1, 0
        self.not_before = 0.0
        self.cancelling = False
        self.cache_key: CacheKey | None = None
        self.inside: Scope | None = None
        self.outputs: tuple[Output, ...] = ()
        self.number = 0
        self.shape: object = None

    @property
    def name(self) -> str:
        return f"{self.map.label}[{self.index}]" if self.map is not None else self.label

    def upstreams(self) -> "Iterable[Node]":
        """What its inputs wait for."""
        return (node for value in (self.inputs or {}).values() for node in value.upstreams())

    def producers(self) -> Iterable[InvocationId]:
        """Where its inputs come from."""
        return (id for value in (self.inputs or {}).values() for id in value.producers())


class MapNode(Node):
    """A fan-out. It has items once its collections are known, and is done when all of them are.

    `expansion` is done when there are items: a map over this map waits for that, and not for the items' ends. `edges`
    are what it was told to wait for, beside its collections.
    """

    __slots__ = (
        "collect",
        "collections",
        "definition",
        "edges",
        "expansion",
        "gate",
        "is_claimed",
        "items",
        "naming",
        "ordinal",
        "product",
        "shared",
        "unfinished",
    )

    def __init__(  # noqa: PLR0913
        self,
        id: InvocationId,
        scope: Scope,
        definition: StepDefinition,
        collections: Mapping[str, Collection],
        shared: Mapping[str, Input],
        *,
        label: str,
        product: bool,
        collect: bool,
    ) -> None:
        super().__init__(id, scope, label)
        self.definition, self.collections, self.shared = definition, collections, shared
        self.product, self.collect = product, collect
        self.items: Sequence[Invocation] | None = None
        self.edges: Sequence[InvocationId] = ()
        self.expansion = Node(InvocationId(f"{id}*"), scope, label)
        self.unfinished = 0
        self.is_claimed = False
        self.gate: Gate[Invocation] | None = None
        self.naming: Naming = "map"
        self.ordinal = 0

    def first_failure(self) -> Invocation | None:
        """The failed item with the lowest index; one that was cancelled speaks last.

        Where failures are collected, only what a rehearsal has not run.
        """
        kind = BeyondRehearsal if self.collect else BaseException
        ended = [item for item in self.items or () if isinstance(item.error, kind)]
        failed = (item for item in ended if item.status == "failed")
        return next(failed, ended[0] if ended else None)


_NO_OPTIONS = StepOptions()


def options_of(node: Invocation) -> StepOptions:
    """Those of its step; a child run has none of these."""
    options = node.definition.options
    return options if isinstance(options, StepOptions) else _NO_OPTIONS
