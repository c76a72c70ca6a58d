"""The registry: which codec takes a value, and which one reads a record.

The order of asking: the built-in types by exact type; then the codecs that plugins provide; then
those of the packages that a value's class derives from; then dataclasses and named tuples; then
pickle; then cloudpickle. So a plugin decides over arrays, frames, models and classes, but not over
`int` or `list`.

Nothing is imported that no value has asked for (see `optional`).
"""

from collections.abc import Iterable
from typing import cast
from weakref import WeakKeyDictionary

from anabranch.artifacts import optional
from anabranch.artifacts.containers import collections
from anabranch.artifacts.interface import Codec, Declined, Encoded, SequenceCodec, Source
from anabranch.artifacts.nesting import Nesting, TooDeep
from anabranch.artifacts.plain import JSON_TYPES, Json
from anabranch.artifacts.refusals import refusal
from anabranch.errors import DefinitionError

# What is asked after JSON.
_BUILT_IN: dict[type, tuple[str, ...]] = {
    int: ("pickle",),
    str: ("pickle",),
    float: ("pickle",),
    list: ("list",),
    dict: ("dict",),
    tuple: ("tuple",),
    set: ("set",),
    frozenset: ("frozenset",),
    bytes: ("bytes",),
    bytearray: ("bytearray",),
    complex: ("complex", "pickle"),
    range: ("range", "pickle"),
}
_LAST = ("pickle", "cloudpickle")


class Codecs:
    """All codecs of a process. Safe to use from several threads.

    `extra` are the codecs of plugins, asked in their order. Two codecs with one name are refused.
    """

    def __init__(self, extra: Iterable[Codec] = ()) -> None:
        self._extra = tuple(extra)
        self._json = Json()
        built_in: tuple[Codec, ...] = (self._json, *collections(self))
        self._by_name = {codec.name: codec for codec in built_in}
        self._routes: WeakKeyDictionary[type, tuple[Codec, ...]] = WeakKeyDictionary()
        self._add_extra()

    def extended(self, codecs: Iterable[Codec]) -> "Codecs":
        """A registry with these codecs after the extra ones that this one has."""
        return Codecs((*self._extra, *codecs))

    def encode(self, value: object) -> Encoded:
        """Raises `NotSerializable`, naming the part of the value that no codec carries."""
        try:
            return self.encode_at(value, 0)
        except TooDeep:
            return self._asked(value, 0, self._named(_LAST))

    def encode_at(self, value: object, depth: int) -> Encoded:
        """For codecs that hold other values: `encode`, `depth` levels inside. Raises `TooDeep`."""
        kind = type(value)
        if kind in JSON_TYPES:
            try:
                return self._json.encode(value)
            except Declined:
                pass
        route = self._routes.get(kind)
        if route is None:
            route = self._routes[kind] = self._route(kind)
        return self._asked(value, depth, route)

    def decoder(self, name: str) -> Codec:
        """The codec that a record names. Raises `NotSerializable` if it is not to be had."""
        codec = self._by_name.get(name)
        if codec is None:
            self._adopt(optional.home_of(name).codecs(self))
            codec = self._by_name[name]
        return codec

    def sequence_decoder(self, name: str) -> SequenceCodec | None:
        """The same, for the items of a record that has a length; `None` if it reads no items.

        `isinstance(codec, SequenceCodec)` says it too, but takes 18 µs, too long for each item.
        """
        codec = self.decoder(name)
        return cast(SequenceCodec, codec) if hasattr(codec, "decode_item") else None

    def decode(self, name: str, source: Source) -> object:
        """A new value from the bytes that codec `name` wrote."""
        return self.decoder(name).decode(source)

    def _asked(self, value: object, depth: int, route: Iterable[Codec]) -> Encoded:
        for codec in route:
            try:
                if not codec.handles(value):
                    continue
                if isinstance(codec, Nesting):
                    return codec.encode_at(value, depth)
                return codec.encode(value)
            except Declined:
                continue
        raise refusal(value, self._is_carried)

    def _is_carried(self, value: object) -> bool:
        for codec in self._named(_LAST):
            try:
                codec.encode(value)
            except Declined:
                continue
            return True
        return False

    def _route(self, kind: type) -> tuple[Codec, ...]:
        """The codecs to ask for values of a type, in order. Loads those that it concerns."""
        names = _BUILT_IN.get(kind)
        if names is not None:
            return self._named(names)
        packages = {str(base.__module__).partition(".")[0] for base in kind.__mro__}
        names = ()
        for package in sorted(packages):
            names += optional.BY_PACKAGE.get(package, ())
        if hasattr(kind, "__dataclass_fields__"):
            names += ("dataclass",)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            names += ("namedtuple",)
        return (*self._extra, *self._named((*names, *_LAST)))

    def _named(self, names: Iterable[str]) -> tuple[Codec, ...]:
        """These codecs, without those whose package is not installed."""
        return tuple(self.decoder(name) for name in names if self._is_installed(name))

    def _is_installed(self, name: str) -> bool:
        if name in self._by_name:
            return True
        try:
            optional.load(optional.BY_NAME[name])
        except ModuleNotFoundError:
            return False
        return True

    def _adopt(self, codecs: Iterable[Codec]) -> None:
        for codec in codecs:
            self._by_name.setdefault(codec.name, codec)

    def _add_extra(self) -> None:
        for codec in self._extra:
            if codec.name in self._by_name or codec.name in optional.BY_NAME:
                raise DefinitionError(
                    f"there is already a codec called {codec.name!r}",
                    f"codec {type(codec).__module__}.{type(codec).__qualname__}",
                    "give it another name: records find their codec by it",
                )
            self._by_name[codec.name] = codec
