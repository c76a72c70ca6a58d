"""From the names in code to what they stand for, here and now.

A name stands for what its scope holds: the globals, a closure's cell, or what an import statement in the code itself
would bind. Other locals come and go while the code runs, and are seen through the code that makes them.
"""

import builtins
import sys
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeAlias

from anabranch.engine.fingerprinting.canonical import pack, text
from anabranch.engine.fingerprinting.ledger import MACHINERY, Edge, Ledger
from anabranch.engine.fingerprinting.loads import Import
from anabranch.engine.fingerprinting.objects import is_module
from anabranch.engine.fingerprinting.shapes import Shape
from anabranch.model.code_parts import UNBOUND

Scope: TypeAlias = Mapping[str, tuple[Edge, ...]]
"""Names of enclosing functions, with the modules that they may stand for."""

_ANY_NAME = frozenset({"globals", "eval", "exec"})
"""Builtins that reach any global by a name that is not in the code: then the whole module counts."""


class Names:
    """Resolves the names of one function, class body or annotation into a ledger.

    A `lenient` reader takes no note of names that stand for nothing: annotations may be hints for a
    type checker only.
    """

    def __init__(
        self, ledger: Ledger, variables: Mapping[str, object], lenient: bool = False
    ) -> None:
        self._ledger = ledger
        self._globals = variables
        self._lenient = lenient
        self._name = str(variables.get("__name__"))
        self._module = ledger.surroundings.origins.of(variables).module

    def resolved(self, shape: Shape, scope: Scope) -> bytes:
        """The bindings of every name in `shape` and its children, as one encoding."""
        return pack(b"b", sorted(self._bindings(shape, scope)))

    def _bindings(self, shape: Shape, scope: Scope) -> set[bytes]:
        found: set[bytes] = set()
        inner = {name: edges for name, edges in scope.items() if name not in shape.own_names}
        for name, statements in shape.imports.items():
            bindings = [binding for each in statements for binding in self._imported(each)]
            inner[name] = tuple(each for each in bindings if isinstance(each, Edge))
            found.update(_binding((name,), each) for each in bindings if isinstance(each, bytes))
        for kind, name, attributes in shape.loads:
            modules = inner.get(name, ())
            if kind in ("global", "class") and (name in self._globals or not modules):
                bound = self._global(name, attributes, may_be_unbound=kind == "class")
                found.add(_binding((name, *attributes), bound))
            for label, module in modules:
                bound = self._ledger.bind(label, module, attributes)
                found.add(_binding((name, *attributes), bound))
        for child in shape.children:
            found |= self._bindings(child, inner)
        return found

    def _global(self, name: str, attributes: tuple[str, ...], may_be_unbound: bool) -> bytes:
        if name in self._globals:
            if name in MACHINERY or name.startswith("@"):  # "@py_builtins" is pytest's own
                return b""
            return self._ledger.bind(f"{self._module}.{name}", self._globals[name], attributes)
        if name in _ANY_NAME and is_module(own := sys.modules.get(self._name)):
            return self._ledger.bind(name, own)
        if name in vars(builtins) or may_be_unbound or self._lenient:
            return b""
        return self._ledger.leaf(f"{self._module}.{name}", UNBOUND)

    def _imported(self, statement: Import) -> Iterator[Edge | bytes]:
        """A module of the project's as an edge, to be looked into where it is used; anything else at once."""
        name = self._absolute(statement)
        for prefix in accumulate(name.split("."), "{}.{}".format):
            if prefix not in sys.modules:
                yield self._ledger.absent(prefix)
        start = name if statement.from_ else name.partition(".")[0]
        if start in sys.modules:
            reached = self._ledger.follow(Edge(start, sys.modules[start]), statement.attributes)
            if isinstance(reached, bytes):
                yield reached
            elif is_module(reached[0].value):
                yield reached[0]
            else:
                yield self._ledger.bind(*reached[0])
        else:
            for attribute in statement.attributes:
                if self._ledger.surroundings.unimported.find(f"{name}.{attribute}"):
                    yield self._ledger.absent(f"{name}.{attribute}")

    def _absolute(self, statement: Import) -> str:
        """The full name of the module that the statement imports."""
        if statement.level == 0:
            return statement.module
        package = self._globals.get("__package__")
        if not isinstance(package, str):
            package = self._module if "__path__" in self._globals else parent(self._module)
        for _ in range(statement.level - 1):
            package = parent(package)
        return f"{package}.{statement.module}".rstrip(".")


def parent(module: str) -> str:
    return module.rpartition(".")[0]


def _binding(path: tuple[str, ...], bound: bytes) -> bytes:
    return pack(b"=", (text(".".join(path)), bound))
