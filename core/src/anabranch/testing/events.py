"""Events of every kind, drawn at random: what a home of the journal must be able to keep.

The fields are read from the events' own annotations, so that a new kind, or a new field of one, is drawn as soon as it
exists. Needs `hypothesis`, which a plugin's tests install and the product does not.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from anabranch.journal import events as room
from anabranch.journal.events import Event
from anabranch.model.ids import InvocationId
from anabranch.model.records import Failure, Output

E = TypeVar("E", bound=Event)

KINDS = tuple(
    kind
    for _, kind in sorted(vars(room).items())
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
"""All kinds of events, in the order of their names."""

_numbers = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_PLAIN: Mapping[object, st.SearchStrategy[object]] = {
    str: st.text(max_size=12),
    int: st.integers(-1, 2**40),
    float: _numbers,
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    NoneType: st.none(),
}
_ANY_TEXT = st.text(max_size=12)


def of_kind(kind: type[E], ids: st.SearchStrategy[str] = _ANY_TEXT) -> st.SearchStrategy[E]:
    """Events of a kind, invocations named by `ids`; fields with a default are left to it now and then."""
    hints = get_type_hints(kind, vars(room))
    optional = {f.name for f in fields(kind) if f.default is not MISSING}
    drawn = {name: _of_hint(hint, ids) for name, hint in hints.items()}
    return st.fixed_dictionaries(
        {name: values for name, values in drawn.items() if name not in optional},
        optional={name: values for name, values in drawn.items() if name in optional},
    ).map(lambda values: kind(**values))


def of_any_kind(ids: st.SearchStrategy[str] = _ANY_TEXT) -> st.SearchStrategy[Event]:
    """Events of all kinds, invocations named by `ids`."""
    return st.one_of([of_kind(kind, ids) for kind in KINDS])


def _of_hint(hint: Any, ids: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values of a field, by its annotation."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN or hint is InvocationId:
        return _PLAIN.get(hint, ids)
    if hasattr(hint, "__supertype__"):
        return _of_hint(hint.__supertype__, ids)
    if hint is room.Json or (kind in (Union, UnionType) and bool in inner):
        return _json
    if kind is Literal:
        return st.sampled_from(inner)
    if hint in (Output, Failure):
        found = get_type_hints(hint).items()
        return st.builds(hint, **{name: _of_hint(each, ids) for name, each in found})
    return _of_many(kind, [_of_hint(each, ids) for each in inner if each is not Ellipsis])


def _of_many(kind: object, parts: list[st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if kind in (Union, UnionType):
        return st.one_of(parts)
    if kind is tuple:
        return st.lists(parts[0], max_size=3).map(tuple)
    if kind is Mapping:
        return st.dictionaries(st.text(), parts[1], max_size=3)
    raise TypeError(f"values of {kind} are not drawn yet")
