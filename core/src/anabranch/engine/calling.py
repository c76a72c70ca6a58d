"""What belongs to one call and not to the step: how `authoring` asks, and `calls` builds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anabranch.engine.nodes import Node
from anabranch.errors import CallError
from anabranch.model.ids import InvocationId


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Marks an argument of `map` or `product` that every item gets whole."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """The user's id for the call, and what it must come after: `done` are the producers of artifacts."""

    id: str | None = None
    after: Sequence[Node] = ()
    done: Sequence[InvocationId] = ()

    @property
    def edges(self) -> tuple[InvocationId, ...]:
        """What it was told to wait for, for the record."""
        return (*(node.id for node in self.after), *self.done)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """What belongs to one map. `chunk_size` items go into one job where a job has a price; it is not identity."""

    product: bool = False
    max_concurrency: int | None = None
    chunk_size: int = 1
    on_error: Literal["raise", "collect"] = "raise"


def producers_of(after: object) -> tuple[InvocationId, ...]:
    """The calls of this run that made the artifacts among what `after=` names."""
    if isinstance(after, list | tuple | set):
        return tuple(id for item in after for id in producers_of(item))
    place = getattr(after, "_place", None)
    return () if place is None or place.external else (place.producer,)


def nodes_of(after: object, owner: str) -> tuple[Node, ...]:
    """The nodes that `after=` names: futures, artifacts (which are done), or lists of them. Raises `CallError`."""
    if after is None or hasattr(after, "_place"):
        return ()
    node = getattr(after, "_node", None)
    if isinstance(node, Node):
        return (node,)
    if isinstance(after, list | tuple | set):
        return tuple(node for item in after for node in nodes_of(item, owner))
    raise CallError(
        f"after= takes futures and artifacts, not {type(after).__name__}",
        f"the call of {owner}",
        "pass what submit() or map() returned",
    )
