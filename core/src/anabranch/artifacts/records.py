"""Dataclasses and named tuples: the class by name, the fields each by its own codec.

A dataclass comes back without its `__init__` and `__post_init__` being called, as from a pickle:
the fields are what they were. One that keeps state elsewhere (an attribute that is no field, a
built-in base class, its own `__reduce__` or `__getstate__`) is declined, for only pickle knows how
to ask it. If the class has gained a field since then, the field gets its default.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from anabranch.artifacts.envelopes import enveloped, opened
from anabranch.artifacts.interface import Codec, Declined, Encoded, Source
from anabranch.artifacts.nesting import Nesting, Registry
from anabranch.artifacts.references import is_findable, name_of, resolve
from anabranch.artifacts.refusals import inside, type_name
from anabranch.errors import NotSerializable

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made by a class statement
_STATE_METHODS = (
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)


class Enveloped(Nesting):
    """A codec that writes a class by name and one inner value that stands for the state."""

    def enclose(self, name: str, kind: type, state: object, depth: int) -> Encoded:
        inner = self.encode_part(state, depth)
        header = {"class": name_of(kind), "codec": inner.codec}
        return Encoded(name, type_name(kind), enveloped(header, inner.payload))

    def disclose(self, source: Source) -> tuple[Any, Any]:
        """The class and the state."""
        header, rest = opened(source)
        kind = resolve(cast(str, header["class"]))
        return kind, self._registry.decode(cast(str, header["codec"]), rest)


class Dataclasses(Enveloped):
    name = "dataclass"

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._fields: WeakKeyDictionary[type, tuple[str, ...] | None] = WeakKeyDictionary()

    def handles(self, value: object) -> bool:
        return self._fields_of(type(value)) is not None

    def encode_at(self, value: object, depth: int) -> Encoded:
        kind = type(value)
        names = self._fields_of(kind)
        try:
            state = {name: getattr(value, name) for name in names or ()}
        except AttributeError:  # a field that was never set
            raise Declined from None
        if not getattr(value, "__dict__", state).keys() <= state.keys():
            raise Declined
        try:
            return self.enclose(self.name, kind, state, depth)
        except NotSerializable as error:
            raise _by_attribute(error, state) from None

    def decode(self, source: Source) -> object:
        kind, state = self.disclose(source)
        value = object.__new__(kind)
        for name, part in _completed(kind, state).items():
            object.__setattr__(value, name, part)
        return value

    def _fields_of(self, kind: type) -> tuple[str, ...] | None:
        """The names of the fields, if these are all there is to an instance."""
        try:
            return self._fields[kind]
        except KeyError:
            names = tuple(field.name for field in dataclasses.fields(cast(Any, kind)))
            found = self._fields[kind] = names if _is_made_of(kind, set(names)) else None
            return found


class NamedTuples(Enveloped):
    name = "namedtuple"

    def handles(self, value: object) -> bool:
        kind = type(value)
        return isinstance(value, tuple) and hasattr(kind, "_fields") and is_findable(kind)

    def encode_at(self, value: object, depth: int) -> Encoded:
        kind, parts = type(value), tuple(cast("tuple[object, ...]", value))
        if getattr(value, "__dict__", None) or len(parts) != len(cast(Any, kind)._fields):
            raise Declined
        return self.enclose(self.name, kind, parts, depth)

    def decode(self, source: Source) -> object:
        kind, parts = self.disclose(source)
        if len(kind._fields) != len(parts):
            raise _changed(kind, f"{len(parts)} fields")
        return tuple.__new__(kind, parts)


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Dataclasses(registry), NamedTuples(registry))


def _is_made_of(kind: type, names: set[str]) -> bool:
    if not is_findable(kind):
        return False
    for base in kind.__mro__[:-1]:
        slots = base.__dict__.get("__slots__", ())
        held = {slots} if isinstance(slots, str) else set(slots)
        if not base.__flags__ & _HEAP_TYPE or held - names - {"__dict__", "__weakref__"}:
            return False
    return not any(_is_customised(kind, method) for method in _STATE_METHODS)


def _is_customised(kind: type, method: str) -> bool:
    """Whether someone wrote this method; those that dataclasses add to frozen slots do not count."""
    found = getattr(kind, method, None)
    is_added = getattr(found, "__module__", None) == "dataclasses"
    return not is_added and found is not getattr(object, method, None)


def _completed(kind: Any, state: Mapping[str, object]) -> Mapping[str, object]:
    """The state with defaults for the fields that the class has gained since it was written."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if fields.keys() == state.keys():
        return state
    complete = dict(state)
    for name in fields.keys() - state.keys():
        default, factory = fields[name].default, fields[name].default_factory
        if default is not dataclasses.MISSING:
            complete[name] = default
        elif factory is not dataclasses.MISSING:
            complete[name] = factory()
    if complete.keys() != fields.keys():
        raise _changed(kind, "the fields " + ", ".join(state))
    return complete


def _changed(kind: type, recorded: str) -> NotSerializable:
    return NotSerializable(
        f"class {type_name(kind)} has changed since a value of it was recorded with {recorded}",
        name_of(kind),
        "give new fields a default and keep the old ones, or make the value again",
    )


def _by_attribute(error: NotSerializable, state: Mapping[str, object]) -> NotSerializable:
    """A field of a record is reached as `.name`, not as `['name']`."""
    for name in state:
        step = f"value[{name!r}]"
        if error.to.startswith(step):
            rest = error.to.removeprefix(step)
            return inside(NotSerializable(error.what, "value" + rest, error.do), f".{name}")
    return error
