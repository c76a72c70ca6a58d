"""Values as canonical bytes: constants, defaults, closures, class attributes, options.

Builtin collections count by their items, in order where they have one (a `dict` has); sets have none.
Anything else counts by what it would pickle, taken apart rather than dumped, so that neither a set
inside it, nor the name `__main__`, nor the sharing of strings shows. What does not pickle counts by its
type alone.

Functions, classes and modules are the business of the `Code` that is given.
"""

import copyreg
from collections.abc import Callable
from enum import Enum
from functools import cached_property
from itertools import chain
from types import MappingProxyType, MethodType
from typing import Protocol, TypeAlias

from anabranch.engine.fingerprinting.canonical import atom, literal, pack, text
from anabranch.engine.fingerprinting.objects import ask, attribute, full_name
from anabranch.engine.fingerprinting.origins import main_name, namespace_of

MOST_ITEMS = 1_000_000
"""A value of more parts than this counts by its type alone."""

DEEPEST = 60
"""A value nested deeper than this counts by its type alone."""

_BY_ATTRIBUTES = {
    # Ways to the process and its surroundings rather than values.
    ("logging", "Logger"): (),
    ("logging", "RootLogger"): (),
    ("os", "_Environ"): (),
    # These pickle as their names alone.
    ("typing", "ForwardRef"): ("__forward_arg__",),
    ("typing", "NewType"): ("__name__", "__supertype__"),
    ("typing", "TypeVar"): ("__name__", "__bound__", "__constraints__"),
    ("typing", "TypeAliasType"): ("__name__", "__value__"),
}

_Parts: TypeAlias = tuple[object, ...]


class Code(Protocol):
    """What knows functions, classes and modules."""

    def refer(self, value: object) -> bytes | None:
        """The encoding of a function, class, module or wrapped function; `None` for anything else."""
        ...

    def type_of(self, value: object) -> bytes:
        """The encoding of a value's type."""
        ...

    def owns(self, kind: type) -> bool:
        """Whether the class is the user's."""
        ...


class _TooLarge(Exception):
    """The constant has more items or levels than are worth looking at."""


class _Opaque(Exception):
    """Something inside a foreign object does not pickle; then nor does the object."""


class Values:
    """Encodes the values of one part of a fingerprint."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._path: dict[int, int] = {}
        self._items = 0
        self._in_foreign = False

    def whole(self, value: object) -> bytes:
        """One constant, of any size."""
        self._items = 0
        try:
            return self.encode(value)
        except _TooLarge:
            self._items = 0
            return self._code.type_of(value)

    def encode(self, value: object) -> bytes:
        """A value by itself or within another one. A cycle counts by how far down it came back to."""
        encoding = literal(value)
        if encoding is not None:
            return encoding if encoding != _MAIN else text(main_name(namespace_of("__main__")))
        key = id(value)
        if key in self._path:
            return atom(b"^", b"%d" % self._path[key])
        self._items += 1
        if self._items > MOST_ITEMS or len(self._path) > DEEPEST:
            raise _TooLarge
        self._path[key] = len(self._path)
        try:
            return self._compound(value)
        finally:
            del self._path[key]

    def _compound(self, value: object) -> bytes:
        # Copies are taken of what a step in another thread may be changing.
        if type(value) is tuple:
            return pack(b"t", map(self.encode, value))
        if type(value) is list:
            return pack(b"l", map(self.encode, value.copy()))
        if type(value) is dict or type(value) is MappingProxyType:
            return pack(b"d", map(self.encode, chain.from_iterable(value.copy().items())))
        if type(value) is set or type(value) is frozenset:
            return pack(b"z", sorted(map(self.encode, value.copy())))
        foreign, self._in_foreign = self._in_foreign, False
        referred = self._code.refer(value)
        self._in_foreign = foreign
        if referred is not None:
            return referred
        known = _known_parts(value)
        if known is not None:
            return self._parts(value, known)
        return self._pickled(value)

    def _parts(self, value: object, parts: _Parts) -> bytes:
        return pack(b"o", (self._code.type_of(value), *map(self.encode, parts)))

    def _pickled(self, value: object) -> bytes:
        reduced = ask(lambda: _reduced(value), None)
        if reduced is None:
            if self._in_foreign:
                raise _Opaque
            return self._code.type_of(value)
        if self._in_foreign or self._code.owns(type(value)):
            return self._parts(value, reduced)
        self._in_foreign = True
        try:
            return self._parts(value, reduced)
        except _Opaque:
            return self._code.type_of(value)
        finally:
            self._in_foreign = False


_MAIN = text("__main__")


def _known_parts(value: object) -> _Parts | None:
    """What counts of an object that does not pickle, or pickles as more than it means."""
    if issubclass(type(value), Enum):
        return (attribute(value, "_name_"),)
    if type(value) is MethodType:
        return value.__func__, value.__self__
    if type(value) is property:
        return value.fget, value.fset, value.fdel
    if type(value) is staticmethod or type(value) is classmethod:
        return (value.__func__,)
    if type(value) is cached_property:
        return (value.func,)
    name = full_name(type(value))
    if name in _BY_ATTRIBUTES:
        return tuple(attribute(value, each) for each in _BY_ATTRIBUTES[name])
    return None


def _reduced(value: object) -> _Parts | None:
    """What pickle would store, in pieces. A string stands for a global name."""
    reducer: Callable[[object], object] | None = copyreg.dispatch_table.get(type(value))
    reduced = value.__reduce_ex__(4) if reducer is None else reducer(value)
    if isinstance(reduced, str):
        return (reduced,)
    if not isinstance(reduced, tuple):
        return None
    parts = list(reduced)
    for position in (3, 4):  # iterators over list items and dict items
        if position < len(parts) and parts[position] is not None:
            parts[position] = list(parts[position])
    return tuple(parts)
