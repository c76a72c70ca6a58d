"""The handle on a value that a step has made: passed on, it is an edge of the graph; loaded, it is the value."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

from anabranch.errors import CallError, NotMappable
from anabranch.model.ids import InvocationId
from anabranch.model.records import Output

T = TypeVar("T", covariant=True)  # noqa: PLC0105  (the short name is what users see)

if TYPE_CHECKING:
    # A handle may stand wherever its value may, so that `consume(produce())` passes a type checker although
    # `consume` takes an int: deriving from Any says just that, to type checkers alone.
    class Handle(Any, Generic[T]):  # type: ignore[misc]
        """Stands for a value of type T."""
else:

    class Handle(Generic[T]):
        """Stands for a value."""

        __slots__ = ()


class Reader(Protocol):
    """Reads the values of a run."""

    def load(self, output: Output, number: int) -> object:
        """The value, fresh at every call. `number` is the event that carries it if it is small."""
        ...

    def load_item(self, output: Output, number: int, index: int) -> object:
        """Item `index` alone."""
        ...

    def item_digest(self, output: Output, number: int, index: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where one output is: who made it, its record, and the event that carries it if it is small."""

    producer: InvocationId
    output: Output
    number: int
    values: Reader
    external: bool = False


class Artifact(Handle[T]):
    """One output of a finished step, or one item of it.

    `load()` gives the value, a new object each time. Passing the artifact to a step makes an edge, and the body never
    holds the value. It cannot be iterated, compared or tested for truth: those need the value.
    """

    __slots__ = ("_index", "_place")

    def __init__(self, place: Place, index: int | None = None) -> None:
        self._place, self._index = place, index

    def load(self) -> T:
        """The value. Raises `ArtifactMissing` if its bytes are gone."""
        place = self._place
        if self._index is None:
            return place.values.load(place.output, place.number)  # type: ignore[return-value]
        return place.values.load_item(place.output, place.number, self._index)  # type: ignore[return-value]

    def chunk(self, index: int) -> "Artifact[Any]":
        """A reference to item `index` (from 0; negative counts from the end) alone."""
        if self._index is not None:
            raise NotMappable(
                "an item of an item cannot be referred to",
                f"artifact {self.name!r}",
                "load() the item, or let a step take it apart",
            )
        count = len(self)
        index = operator.index(index)  # numpy's integers are not JSON
        place = index + count if index < 0 else index
        if not 0 <= place < count:
            raise CallError(
                f"there is no item {index}",
                f"artifact {self.name!r}, which has {count} item(s)",
                "count from 0; len(artifact) tells how many there are",
            )
        return Artifact(self._place, place)

    def __len__(self) -> int:
        """The number of items. Raises `NotMappable` if the value has none."""
        if self._index is not None or self._place.output.length is None:
            raise NotMappable(
                f"a value of type {self.type} has no length",
                f"artifact {self.name!r}",
                "load() it, or let its step return a list, tuple, array or table",
            )
        return self._place.output.length

    @property
    def name(self) -> str:
        """The artifact's name, substitutions made; items are `name[3]`."""
        name = self._place.output.artifact
        return name if self._index is None else f"{name}[{self._index}]"

    @property
    def type(self) -> str:
        """The qualified name of the value's type, such as `numpy.ndarray`; `object` for an item."""
        return self._place.output.type if self._index is None else "object"

    @property
    def digest(self) -> str:
        """SHA-256 of the whole artifact's bytes."""
        return self._place.output.digest

    def __iter__(self) -> Iterator[NoReturn]:
        raise self._needs_value("iterated", "for item in artifact.load(), or step.map(artifact)")

    def __bool__(self) -> bool:
        raise self._needs_value("tested for truth", "artifact.load(), or artifact is not None")

    def _needs_value(self, verb: str, instead: str) -> CallError:
        return CallError(
            f"an artifact cannot be {verb}: it is a reference", f"{self.name!r}", f"use {instead}"
        )

    def __repr__(self) -> str:
        return f"<Artifact {self.name} of type {self.type}>"

    def __reduce__(self) -> NoReturn:
        raise self._needs_value("pickled", "artifact.load()")
