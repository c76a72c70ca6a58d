"""From arguments to inputs: what a value is decides what stands for it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from anabranch.artifacts.codecs import Codecs
from anabranch.engine.artifacts import Artifact
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.engine.identity import SIZE
from anabranch.engine.inputs import (
    ArtifactInput,
    CodeInput,
    FutureInput,
    MapInput,
    PathInput,
    Plain,
    Scalar,
)
from anabranch.engine.nodes import Input, Node
from anabranch.errors import CycleError, NotSerializable
from anabranch.model.ids import InvocationId

_SCALARS = frozenset((int, str, float, bool, type(None), bytes))
_HANDLES = (Artifact, StepFuture, MapFuture)


class Structure:
    """A list, tuple, dict or dataclass with handles somewhere inside."""

    __slots__ = ("_build", "_kind", "_parts")

    def __init__(
        self, kind: str, parts: Sequence[Input], build: Callable[[list[object]], object]
    ) -> None:
        self._kind, self._parts, self._build = kind, parts, build

    def reference(self) -> bytes:
        return self._joined(part.reference() for part in self._parts)

    def upstreams(self) -> Iterable[Node]:
        return (node for part in self._parts for node in part.upstreams())

    def producers(self) -> Iterable[InvocationId]:
        return (id for part in self._parts for id in part.producers())

    def digest(self) -> bytes:
        return self._joined(part.digest() for part in self._parts)

    def load(self) -> object:
        return self._build([part.load() for part in self._parts])

    def hand_over(self) -> object:
        return self._build([part.hand_over() for part in self._parts])

    def _joined(self, pieces: Iterable[bytes]) -> bytes:
        total = blake2b(self._kind.encode(), digest_size=SIZE)
        for piece in pieces:
            total.update(len(piece).to_bytes(8, "big") + piece)
        return total.digest()


class Intake:
    """Turns arguments into inputs. One for each run."""

    def __init__(self, codecs: Codecs, fingerprints: Fingerprinter) -> None:
        self._codecs, self._fingerprints = codecs, fingerprints

    def take(self, value: Any, where: str) -> Input:
        """Raises `CallError` or `NotSerializable`, which say that the trouble is at `where`."""
        if type(value) in _SCALARS:
            return Scalar(value)
        if isinstance(value, _HANDLES):
            return self.handle(value)
        if isinstance(value, Path):
            return PathInput(value)
        if isinstance(value, FunctionType | MethodType | BuiltinFunctionType | type):
            return CodeInput(value, self._fingerprints)
        try:
            if _holds_handle(value):
                return self._structure(value, where)
            return Plain(value, self._codecs)
        except RecursionError:
            raise CycleError(
                "the value contains itself", where, "pass a value without a cycle in it"
            ) from None
        except NotSerializable as error:
            raise NotSerializable(
                error.what, f"{where}{': ' + error.to if error.to else ''}", error.do
            ) from error.__cause__

    def handle(self, value: object) -> Input:
        if isinstance(value, Artifact):
            return ArtifactInput(value)
        if isinstance(value, StepFuture):
            return FutureInput(value._home, value._node, value._output)
        if isinstance(value, MapFuture):
            return MapInput(value._home, value._node)
        raise TypeError(type(value).__name__)

    def _structure(self, value: Any, where: str) -> Structure:
        kind = type(value)
        if kind in (list, tuple):
            parts = [self.take(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return Structure(kind.__name__, parts, kind)
        if kind is dict:
            keys = list(value)
            parts = [self.take(item, f"{where}[{key!r}]") for key, item in value.items()]
            label = "dict" + repr([(type(key).__name__, key) for key in keys])
            return Structure(label, parts, lambda items: dict(zip(keys, items, strict=True)))
        names = [f.name for f in fields(value)]
        parts = [self.take(getattr(value, name), f"{where}.{name}") for name in names]
        label = f"{kind.__module__}:{kind.__qualname__}{names}"
        return Structure(label, parts, lambda items: _rebuilt(kind, names, items))


def _holds_handle(value: object) -> bool:
    """Whether a handle is anywhere in the containers that are looked into; others are opaque."""
    kind = type(value)
    if kind in (list, tuple):
        kinds = set(map(type, value))  # type: ignore[call-overload]
        if kinds <= _SCALARS:
            return False
        return any(_is_or_holds(item) for item in value)  # type: ignore[attr-defined]
    if kind is dict:
        return any(_is_or_holds(item) for item in value.values())  # type: ignore[attr-defined]
    if hasattr(kind, "__dataclass_fields__"):
        return any(_is_or_holds(getattr(value, f.name, None)) for f in fields(value))  # type: ignore[arg-type]
    return False


def _is_or_holds(value: object) -> bool:
    return isinstance(value, _HANDLES) or _holds_handle(value)


def _rebuilt(kind: type, names: Sequence[str], items: Sequence[object]) -> object:
    """A dataclass with the handles in its fields replaced, its own `__init__` not run a second time."""
    made: object = object.__new__(kind)
    for name, item in zip(names, items, strict=True):
        object.__setattr__(made, name, item)
    return made
