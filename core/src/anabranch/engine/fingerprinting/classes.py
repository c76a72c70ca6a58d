"""What a class consists of: bases, metaclass, annotations, and the attributes that its author gave it.

Left out is what follows from these: the bookkeeping of the interpreter, `abc`, `copyreg`, `enum` and pydantic,
and the methods that `dataclass` writes.
"""

from collections.abc import Mapping
from enum import EnumMeta
from types import MappingProxyType

from anabranch.engine.fingerprinting.canonical import pack
from anabranch.engine.fingerprinting.hints import hint_pieces
from anabranch.engine.fingerprinting.ledger import Ledger
from anabranch.engine.fingerprinting.objects import ask, attribute, full_name, is_function, wrapped
from anabranch.engine.fingerprinting.origins import namespace_of
from anabranch.engine.fingerprinting.pieces import Pieces

_BOOKKEEPING = frozenset(
    [
        "__module__",
        "__qualname__",
        "__doc__",
        "__dict__",
        "__weakref__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotations_cache__",
        "__signature__",
        "__abstractmethods__",
        "__slotnames__",  # copyreg puts it there when the first instance is pickled
        "_abc_impl",
        "_member_map_",
        "_member_names_",
        "_value2member_map_",
        "_hashable_values_",
        "_unhashable_values_",
        "_unhashable_values_map_",
    ]
)

_HEAP_TYPE = 1 << 9
"""Set in `__flags__` of classes that were made at run time, by a `class` statement for example."""


def class_pieces(ledger: Ledger, kind: type) -> Pieces:
    if not ask(lambda: kind.__flags__, _HEAP_TYPE) & _HEAP_TYPE:
        return Pieces(ledger.foreign(ledger.origin_of(kind), full_name(kind)[1]))
    own: Mapping[str, object] = ask(lambda: dict(vars(kind)), {})
    values: dict[str, object] = {
        f"attribute {name}": value
        for name, value in sorted(own.items())
        if not (name in _BOOKKEEPING or _is_pydantic(name) or _is_written(value))
    }
    values["bases"] = attribute(kind, "__bases__")
    if type(kind) is not type:
        values["metaclass"] = type(kind)
    if issubclass(type(kind), EnumMeta):
        values["members"] = _members(kind)
    hints = own.get("__annotations__")
    hinted = hint_pieces(
        ledger, hints if type(hints) is dict else {}, namespace_of(full_name(kind)[0])
    )
    return Pieces(pack(b"k", (hinted.code,)), values | hinted.values)


def _is_pydantic(name: str) -> bool:
    return name.startswith("__pydantic_") and name != "__pydantic_fields__"


def _is_written(value: object) -> bool:
    """Whether `dataclass` wrote the method: it follows from the fields."""
    function = wrapped(value) or value
    return is_function(function) and function.__code__.co_qualname.startswith("__create_fn__.")


def _members(kind: type) -> list[tuple[str, object]]:
    members = attribute(kind, "__members__")
    if type(members) is not MappingProxyType:
        return []
    return [(name, attribute(member, "_value_")) for name, member in members.items()]
