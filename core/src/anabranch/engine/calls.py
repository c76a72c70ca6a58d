"""From a call in a body to a node of the graph: arguments bound, inputs taken, identity computed.

All that can be wrong with a call is found here, before anything has been done for it (law L11).
"""

import itertools
import math
from collections.abc import Iterable, Mapping

from anabranch.engine.calling import CallOptions, MapOptions, Unmapped
from anabranch.engine.collections import collection_of, has_length, is_known
from anabranch.engine.definitions import Definition, StepDefinition
from anabranch.engine.gates import Gate
from anabranch.engine.identity import call_key, item_key, named_key, numbered
from anabranch.engine.intake import Intake
from anabranch.engine.nodes import Collection, Input, Invocation, MapNode
from anabranch.engine.scopes import Scope
from anabranch.errors import CallError, DuplicateId, LengthMismatch, NotMappable
from anabranch.model.ids import InvocationId


class Calls:
    """Builds the nodes of a run."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def invocation(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> Invocation:
        """The node of a single call. Raises a `CallError` or `NotSerializable`."""
        name = definition.name
        inputs = {
            parameter: self._intake.take(value, f"argument {parameter!r} of {name}")
            for parameter, value in bound.items()
        }
        kind = "step" if isinstance(definition, StepDefinition) else "pipeline"
        id, _ = self._identity(kind, scope, name, inputs, options.id)
        return Invocation(id, scope, definition, inputs, scope.label(options.id or name))

    def map(
        self,
        scope: Scope,
        definition: StepDefinition,
        bound: Mapping[str, object],
        options: CallOptions,
        mapping: MapOptions,
    ) -> MapNode:
        """The node of a fan-out; it gets its items from `items_of`."""
        owner = definition.name
        plain = {k: v for k, v in bound.items() if not isinstance(v, Unmapped)}
        shared = {
            k: self._intake.take(v.value, f"argument {k!r} of {owner}")
            for k, v in bound.items()
            if isinstance(v, Unmapped)
        }
        if not plain:
            raise NotMappable(
                "there is nothing to map over",
                f"{owner}.map",
                "give at least one list or artifact that is not in unmapped(...)",
            )
        collections = {k: collection_of(v, self._intake, owner, k) for k, v in plain.items()}
        if not mapping.product:
            _refuse_lengths(owner, {k: c for k, c in collections.items() if has_length(plain[k])})
        kind = "product" if mapping.product else "map"
        id, ordinal = self._identity(kind, scope, owner, {**collections, **shared}, options.id)
        known = [is_known(value) for value in plain.values()]
        node = MapNode(
            id,
            scope,
            definition,
            collections,
            shared,
            label=scope.label(options.id or owner),
            product=mapping.product,
            collect=mapping.on_error == "collect",
        )
        node.edges = options.edges
        if options.id is not None:
            node.naming = "place"
        elif all(known):
            node.naming = "call"
        elif not any(known):
            node.naming = "source"
            node.ordinal = ordinal
        if mapping.max_concurrency is not None:
            node.gate = Gate(mapping.max_concurrency)
        return node

    def items_of(self, node: MapNode) -> list[Invocation]:
        """The invocations of a map whose collections are known. Raises `LengthMismatch` or `NotMappable`."""
        names = list(node.collections)
        lengths = {name: node.collections[name].length() for name in names}
        if node.product:
            places: Iterable[tuple[int, ...]] = itertools.product(
                *(range(lengths[name]) for name in names)
            )
            if math.prod(lengths.values()) > 10_000_000:
                raise CallError(
                    f"the product has {math.prod(lengths.values()):,} items",
                    f"{node.label}.product",
                    "map over fewer, or nest two maps",
                )
        else:
            _same_length(node.label, lengths)
            places = ((index,) * len(names) for index in range(next(iter(lengths.values()))))
        repeats: dict[bytes, int] = {}
        items = []
        for index, place in enumerate(places):
            inputs: dict[str, Input] = {
                name: node.collections[name].item(at) for name, at in zip(names, place, strict=True)
            }
            inputs.update(node.shared)
            id = self._item_identity(node, inputs, index, repeats)
            item = Invocation(id, node.scope, node.definition, inputs, map=node, index=index)
            item.observed = node.collect
            items.append(item)
        return items

    def _identity(
        self,
        kind: str,
        scope: Scope,
        name: str,
        inputs: Mapping[str, Input | Collection],
        user_id: str | None,
    ) -> tuple[InvocationId, int]:
        """The identity, and the ordinal in it."""
        if user_id is None:
            key = call_key(kind, scope.id, name, inputs.items())
            ordinal = scope.ordinal(key)
            return numbered(key, ordinal), ordinal
        if (name, user_id) in scope.user_ids:
            raise DuplicateId(
                f"id {user_id!r} is used twice",
                f"step {name!r} in one body",
                "give each call its own id, or none",
            )
        scope.user_ids.add((name, user_id))
        return numbered(named_key(kind, scope.id, name, user_id), 0), 0

    def _item_identity(
        self, node: MapNode, inputs: Mapping[str, Input], index: int, repeats: dict[bytes, int]
    ) -> InvocationId:
        """Named by what the item is, so that an item more or less leaves the others alone (law L2).

        Over plain values an item is a call like any other. Over artifacts and maps it is named by what made its
        inputs and by how many equal maps there were before; when such a map is expanded may differ from life to life,
        and must not matter. Over a mixture of both, and where the user has named the map, it belongs to its map.
        """
        scope, name = node.scope, node.definition.name
        if node.naming == "call":
            key = call_key("step", scope.id, name, inputs.items())
            return numbered(key, scope.ordinal(key))
        if node.naming == "source":
            kind = f"{'product' if node.product else 'map'} item {node.ordinal}"
            key = call_key(kind, scope.id, name, inputs.items())
        else:
            key = item_key(node.id, inputs, index if node.naming == "place" else None)
        ordinal = repeats.get(key, 0)
        repeats[key] = ordinal + 1
        return numbered(key, ordinal)


def _refuse_lengths(owner: str, collections: Mapping[str, Collection]) -> None:
    """What is known at the call is refused at the call."""
    _same_length(owner, {name: found.length() for name, found in collections.items()})


def _same_length(owner: str, lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise LengthMismatch(
            f"map needs collections of one length: {told}",
            f"{owner}.map",
            "cut them to one length, wrap one in unmapped(...), or use product",
        )
