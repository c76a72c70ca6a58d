"""What `map` and `product` fan out over.

A collection knows what it waits for, how many items it has, and the input that stands for each. Only the item itself
is read when its step runs, so that n items cost n reads of one item.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from anabranch.engine.artifacts import Artifact
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.engine.home import Home
from anabranch.engine.inputs import FutureInput, ItemInput, output_reference
from anabranch.engine.intake import Intake
from anabranch.engine.nodes import Collection, Input, MapNode, Node
from anabranch.errors import NotMappable
from anabranch.model.ids import InvocationId


class Items:
    """Values or handles that are all here: a list, a range, the rows of an array."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs

    def reference(self) -> bytes:
        return b"|".join(item.reference() for item in self._inputs)

    def upstreams(self) -> Iterable[Node]:
        return ()

    def producers(self) -> Iterable[InvocationId]:
        return (id for item in self._inputs for id in item.producers())

    def length(self) -> int:
        return len(self._inputs)

    def item(self, index: int) -> Input:
        return self._inputs[index]


class ArtifactItems:
    """The items of one artifact that is here."""

    def __init__(self, artifact: Artifact[Any], reference: bytes) -> None:
        self._artifact, self._reference = artifact, reference

    def reference(self) -> bytes:
        return self._reference

    def upstreams(self) -> Iterable[Node]:
        return ()

    def producers(self) -> Iterable[InvocationId]:
        place = self._artifact._place
        return () if place.external else (place.producer,)

    def length(self) -> int:
        return len(self._artifact)

    def item(self, index: int) -> Input:
        return ItemInput(self._artifact._place, index, self._reference)


class FutureItems:
    """The items of the one output of a call that may not be done."""

    def __init__(self, future: FutureInput) -> None:
        self._future = future

    def reference(self) -> bytes:
        return self._future.reference()

    def upstreams(self) -> Iterable[Node]:
        return self._future.upstreams()

    def producers(self) -> Iterable[InvocationId]:
        return self._future.producers()

    def length(self) -> int:
        place = self._future.place()
        if place.output.length is None:
            raise NotMappable(
                f"a value of type {place.output.type} has no items",
                f"artifact {place.output.artifact!r}",
                "let its step return a list, tuple, array or table, or wrap it in unmapped()",
            )
        return place.output.length

    def item(self, index: int) -> Input:
        place = self._future.place()
        reference = output_reference(place.producer, place.output.name)
        return ItemInput(place, index, reference)


class MapItems:
    """The results of another map: item i is there as soon as its own step is done."""

    def __init__(self, home: Home, node: MapNode) -> None:
        self._home, self._node = home, node

    def reference(self) -> bytes:
        return b"map:" + self._node.id.encode()

    def upstreams(self) -> Iterable[Node]:
        return (self._node.expansion,)

    def producers(self) -> Iterable[InvocationId]:
        return (self._node.id,)

    def length(self) -> int:
        return len(self._node.items or ())

    def item(self, index: int) -> Input:
        return FutureInput(self._home, (self._node.items or ())[index], None)


def collection_of(value: Any, intake: Intake, owner: str, parameter: str) -> Collection:
    """What `map` fans out over when it is given `value`. Raises `NotMappable`."""
    if isinstance(value, MapFuture):
        return MapItems(value._home, value._node)
    if isinstance(value, StepFuture):
        return FutureItems(FutureInput(value._home, value._node, value._output))
    if isinstance(value, Artifact):
        if value._index is not None:
            raise _unmappable("an item of an artifact", owner, parameter)
        len(value)
        return ArtifactItems(value, intake.handle(value).reference())
    if isinstance(value, Mapping):
        raise _unmappable("a dict", owner, parameter, "pass .items(), .keys() or .values() of it")
    items = _listed(value)
    if items is None:
        raise _unmappable(f"a value of type {type(value).__name__}", owner, parameter)
    return Items([intake.take(item, f"{parameter}[{i}]") for i, item in enumerate(items)])


def is_known(value: object) -> bool:
    """Whether the items' identities do not depend on how far the run has come."""
    return not isinstance(value, Artifact | StepFuture | MapFuture)


def has_length(value: object) -> bool:
    """Whether the number of items is known at the call."""
    return not isinstance(value, StepFuture | MapFuture)


def _listed(value: Any) -> Iterable[object] | None:
    """The items of a plain collection; `None` if it has none. Texts and bytes are values, not collections."""
    if isinstance(value, str | bytes | bytearray | Node):
        return None
    if hasattr(value, "iter_rows") and hasattr(value, "columns"):  # polars.DataFrame
        return list(value.iter_rows(named=True))
    if hasattr(value, "iloc") and hasattr(value, "columns"):  # pandas.DataFrame
        return list(value.to_dict("records"))
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape == ():
        return None
    if isinstance(value, Iterable | Iterator):
        return list(value)
    return None


def _unmappable(
    what: str,
    owner: str,
    parameter: str,
    do: str = "pass a list, an artifact that is a list, or a map's result; unmapped(...) passes it whole",
) -> NotMappable:
    return NotMappable(
        f"{what} cannot be mapped over", f"argument {parameter!r} of {owner}.map or .product", do
    )
