"""What one part of a fingerprint reaches: other parts, packages by version, names that mean nothing yet.

A function or class that can be found again under its own module and name is a part of its own, whoever
uses it. Any other value is a part under the name by which it was reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from anabranch.engine.fingerprinting.canonical import text
from anabranch.engine.fingerprinting.objects import (
    ask,
    attribute,
    is_class,
    is_function,
    is_module,
    variables,
    wrapped,
)
from anabranch.engine.fingerprinting.origins import Origin, Origins, namespace_of
from anabranch.engine.fingerprinting.shapes import Shapes
from anabranch.engine.fingerprinting.unloaded import Unimported
from anabranch.model.code_parts import ABSENT, UNBOUND

MACHINERY = frozenset(
    [
        "__name__",
        "__file__",
        "__spec__",
        "__loader__",
        "__package__",
        "__cached__",
        "__builtins__",
        "__path__",
    ]
)
"""Globals that say where a module is, not what it does."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What has been found out about code and modules in the life of one `Fingerprinter`."""

    origins: Origins = field(default_factory=Origins)
    shapes: Shapes = field(default_factory=Shapes)
    unimported: Unimported = field(default_factory=Unimported)


class Edge(NamedTuple):
    """A part to look at, and what is to be looked at."""

    label: str
    value: object


class Ledger:
    """The reach of one part: `edges` lead to other parts, `leaves` are parts that need no look."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.edges: dict[tuple[str, int], Edge] = {}
        self.leaves: dict[str, str] = {}

    def edge(self, label: str, value: object) -> bytes:
        self.edges[label, id(value)] = Edge(label, value)
        return text(label, b"R")

    def leaf(self, label: str, value: str) -> bytes:
        self.leaves[label] = value
        return text(label, b"R")

    def foreign(self, origin: Origin, name: str) -> bytes:
        """Something in a module that counts by its version."""
        if origin.owner == "package":
            package, version = self.surroundings.origins.version(origin.module)
            self.leaf(package, version)
        return text(f"{origin.module}:{name}", b"F")

    def named(self, value: object) -> bytes | None:
        """A module, function or class that is found under its own name; `None` for other values."""
        if is_module(value):
            origin = self.surroundings.origins.of(variables(value))
            project = origin.owner == "project"
            return self.edge(origin.module, value) if project else self.foreign(origin, "")
        home = self._home(value)
        if home is None:
            return None
        origin, qualname = home
        if origin.owner != "project":
            return self.foreign(origin, qualname)
        if is_function(value) or is_class(value) or wrapped(value) is not None:
            return self.edge(f"{origin.module}.{qualname}", value)
        return None

    def origin_of(self, kind: type) -> Origin:
        """Where a class says that it is from."""
        address = self._address(kind)
        return self.surroundings.origins.of({} if address is None else address[0])

    def bind(self, label: str, value: object, attributes: tuple[str, ...] = ()) -> bytes:
        """What the name `label` stands for, with the attributes that the code takes from it."""
        reached = self.follow(Edge(label, value), attributes)
        if isinstance(reached, bytes):
            return reached
        (label, value), attributes = reached
        if is_function(value) and attributes and attributes[0] in vars(value):
            self.edge(f"{label}.{attributes[0]}", vars(value)[attributes[0]])
        return self.named(value) or self.edge(label, value)

    def follow(
        self, edge: Edge, attributes: tuple[str, ...]
    ) -> tuple[Edge, tuple[str, ...]] | bytes:
        """Goes through the project's modules: `pkg.mod.LIMIT` is `LIMIT` of `pkg.mod`.

        Returns what is not such a module any more, with the attributes that are left, or the encoding
        of the fact that there is nothing.
        """
        for position, name in enumerate(attributes):
            namespace = variables(edge.value)
            origin = self.surroundings.origins.of(namespace)
            if not namespace or origin.owner != "project":
                return edge, attributes[position:]
            if name in MACHINERY:
                return b""
            label = f"{origin.module}.{name}"
            if name in namespace:
                edge = Edge(label, namespace[name])
            elif "__path__" in namespace and self.surroundings.unimported.find(label):
                return self.absent(label)
            elif "__getattr__" in namespace:
                return self.bind(f"{origin.module}.__getattr__", namespace["__getattr__"])
            else:
                return self.leaf(label, UNBOUND)
        return edge, ()

    def absent(self, module: str) -> bytes:
        """A module that is not loaded: by its file, its version, or the fact that there is none."""
        found = self.surroundings.unimported.find(module)
        if found is None:
            return self.leaf(module, ABSENT)
        origin = self.surroundings.origins.classified(module, found.file)
        if origin.owner == "project":
            return self.edge(module, found)
        return self.foreign(origin, "")

    def label(self, value: object) -> str:
        """The name of `value` where nothing has led to it: its own, that of what it wraps, or its type's."""
        for each in (value, wrapped(value), attribute(value, "__func__"), type(value)):
            address = self._address(each)
            if address is not None:
                namespace, name = address
                return f"{self.surroundings.origins.of(namespace).module}.{name}"
        return "function"

    def _home(self, value: object) -> tuple[Origin, str] | None:
        """Module and name, if looking these up gives `value` again."""
        address = self._address(value)
        if address is None:
            return None
        namespace, name = address
        if "<" in name or not ask(lambda: _holds(_looked_up(namespace, name), value), False):
            return None
        return self.surroundings.origins.of(namespace), name

    def _address(self, value: object) -> tuple[Mapping[str, object], str] | None:
        """The globals of the module that `value` says it is from, and what it says that its name is."""
        module = attribute(value, "__module__")
        name = attribute(value, "__qualname__") or attribute(value, "__name__")
        if type(module) is not str or type(name) is not str:
            return None
        if is_function(value) and value.__globals__.get("__name__") == module:
            return value.__globals__, name
        return namespace_of(module) or {"__name__": module}, name


def _looked_up(namespace: Mapping[str, object], qualname: str) -> object:
    first, *rest = qualname.split(".")
    found = namespace[first]
    for name in rest:
        found = vars(found)[name]
    return found


def _holds(slot: object, value: object) -> bool:
    """Whether a class attribute is `value` or the descriptor that was made of it."""
    if slot is value:
        return True
    if type(slot) is staticmethod or type(slot) is classmethod:
        return slot.__func__ is value
    if type(slot) is property:
        return slot.fget is value
    return type(slot) is cached_property and slot.func is value
