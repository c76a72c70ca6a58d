"""What belongs to one call and not to the step: how `authoring` asks, and `calls` builds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anabranch.engine.nodes import Node
from anabranch.errors import CallError


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Marks an argument of `map` or `product` that every item gets whole."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """The user's id for the call, and what it must come after."""

    id: str | None = None
    after: Sequence[Node] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """What belongs to one map. `chunk_size` items go into one job where a job has a price; it is not identity."""

    product: bool = False
    max_concurrency: int | None = None
    chunk_size: int = 1
    on_error: Literal["raise", "collect"] = "raise"


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
