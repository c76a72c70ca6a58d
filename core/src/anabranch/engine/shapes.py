"""What a body returned, as the journal keeps it: artifacts as references, plain values as outputs of the body itself.

A body may return `None`, an artifact, a future, a plain value, or tuples, lists and dicts of these.
"""

from collections.abc import Callable
from typing import Any

from anabranch.engine.artifacts import Artifact, Place
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.errors import JournalCorrupt
from anabranch.journal.events import Json
from anabranch.model.ids import InvocationId
from anabranch.model.records import Output

Locate = Callable[[InvocationId], tuple[tuple[Output, ...], int]]
"""The outputs of an invocation of this run, and the event that holds their bytes."""


def shape_of(result: Any, plain: list[object]) -> Json:
    """The shape of a result; plain values are added to `plain`. Waits for futures and raises their failures."""
    if result is None:
        return ["none"]
    if isinstance(result, StepFuture | MapFuture):
        return shape_of(result.result(), plain)
    if isinstance(result, Artifact) and not result._place.external:
        place = result._place
        return ["artifact", place.producer, place.output.name, result._index]
    if type(result) in (tuple, list) and any(map(_is_reference, result)):
        return [type(result).__name__, [shape_of(item, plain) for item in result]]
    named = type(result) is dict and all(isinstance(key, str) for key in result)
    if named and any(map(_is_reference, result.values())):
        return ["dict", {key: shape_of(item, plain) for key, item in result.items()}]
    plain.append(result.load() if isinstance(result, Artifact) else result)
    return ["value", len(plain) - 1]


def rebuilt(shape: Any, own: Place, outputs: tuple[Output, ...], locate: Locate) -> object:
    """The result with handles where it had artifacts. `own` is the place of the body's own plain values."""
    kind, *rest = shape
    if kind == "none":
        return None
    if kind == "artifact":
        producer, name, index = rest
        made, number = locate(InvocationId(producer))
        for output in made:
            if output.name == name:
                return Artifact(Place(producer, output, number, own.values), index)
        raise JournalCorrupt(f"artifact {name!r} of {producer} is not recorded", "a child's result")
    if kind == "value":
        return own.values.load(outputs[rest[0]], own.number)
    if kind == "dict":
        return {key: rebuilt(item, own, outputs, locate) for key, item in rest[0].items()}
    items = [rebuilt(item, own, outputs, locate) for item in rest[0]]
    return tuple(items) if kind == "tuple" else items


def _is_reference(value: object) -> bool:
    if isinstance(value, Artifact | StepFuture | MapFuture):
        return True
    if isinstance(value, list | tuple):
        return any(map(_is_reference, value))
    if isinstance(value, dict):
        return any(map(_is_reference, value.values()))
    return False
