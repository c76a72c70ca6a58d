"""Handles on calls that may not be done: of one step, of a map, of a child run.

A future may be passed to a step at once; whoever waits for it here waits for the recorded outcome. A failure is
raised as the step's own exception, and counts as handled once the body has been shown it.
"""

from collections.abc import Awaitable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from anabranch import engine
from anabranch.engine.artifacts import Artifact, Handle, Place
from anabranch.engine.home import Home
from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.errors import CallError

T = TypeVar("T", covariant=True)  # noqa: PLC0105  (the short name is what users see)


if TYPE_CHECKING:
    # Said outright: in a class that derives from Any, a type checker does not look for `__await__` and `__iter__`.
    class _Awaits(Awaitable[T]):
        pass

    class _Iterates(Iterable[T]):
        pass
else:

    class _Awaits(Generic[T]):
        __slots__ = ()

    class _Iterates(Generic[T]):
        __slots__ = ()


class _Future(Handle[T]):
    """What the futures of steps and maps have in common."""

    __slots__ = ("_home", "_node")
    _node: Node

    def __init__(self, home: Home, node: Node) -> None:
        self._home, self._node = home, node

    def wait(self, timeout: float | None = None) -> bool:
        """Waits up to `timeout` seconds (`None`: for ever); whether it is done. Never raises the step's failure."""
        try:
            self._home.wait(self._node, timeout)
        except TimeoutError:
            return False
        return True

    def done(self) -> bool:
        """Whether it has an outcome now. A glance: unlike completion order, it is not repeated after a resume."""
        return self._node.done

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The failure, or `None`. The failure counts as handled. Raises `TimeoutError`."""
        self._home.wait(self._node, timeout)
        self._home.observe(self._node)
        return self._node.error

    def cancel(self) -> bool:
        """Asks it to stop. False if it is done; a step that runs in this process stops at its next chance."""
        return self._home.cancel(self._node)

    def _finished(self, timeout: float | None) -> None:
        error = self.exception(timeout)
        if error is not None:
            raise error

    def __bool__(self) -> bool:
        raise CallError(
            "a future cannot be tested for truth", repr(self), "use future.done(), or future.load()"
        )

    def __reduce__(self) -> NoReturn:
        raise CallError("a future cannot be pickled", repr(self), "use future.load()")


class StepFuture(_Awaits[Any], _Future[T]):
    """A submitted step, or one output of it. Awaitable; passing it to a step makes an edge."""

    __slots__ = ("_output",)
    _node: Invocation

    def __init__(self, home: Home, node: Invocation, output: int | None = None) -> None:
        super().__init__(home, node)
        self._output = output

    def result(self, timeout: float | None = None) -> Any:
        """The artifact, a tuple of them, or `None`: what calling the step would have returned.

        `timeout` is in seconds. Raises the step's own exception, `UpstreamFailed`, `Cancelled` or `TimeoutError`.
        """
        self._finished(timeout)
        return artifacts_of(self._home, self._node, self._output)

    def load(self, timeout: float | None = None) -> T:
        """The value, or a tuple of the values of several outputs. Raises like `result`."""
        return loaded(self.result(timeout))  # type: ignore[return-value]

    def chunk(self, index: int) -> Artifact[Any]:
        """Item `index` of the result, once it is there."""
        artifact = self.result()
        if not isinstance(artifact, Artifact):
            raise CallError(
                "chunk() needs one output", repr(self), "choose one: future[0].chunk(index)"
            )
        return artifact.chunk(index)

    @property
    def artifacts(self) -> tuple[Artifact[Any], ...]:
        """All outputs, once they are there."""
        found = self.result()
        return found if isinstance(found, tuple) else () if found is None else (found,)

    def __getitem__(self, index: int) -> "StepFuture[Any]":
        """The future of one output; known before the step has run."""
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"{self!r} has {count} output(s)")
        return StepFuture(self._home, self._node, index % count)

    def __len__(self) -> int:
        """The number of outputs that the step's annotation promises."""
        return 1 if self._output is not None else len(self._node.definition.returns.outputs)

    def __iter__(self) -> "Iterator[StepFuture[Any]]":
        """One future for each output, for `a, b = step.submit()`."""
        if self._output is not None or len(self) < 2:
            raise CallError(
                "a future of one output cannot be unpacked",
                repr(self),
                "annotate the step's return as tuple[A, B], or load() it first",
            )
        return (self[index] for index in range(len(self)))

    def __await__(self) -> Generator[Any, None, Any]:
        with self._home.waiting(self._node):
            yield from engine.until_done(self._node, self._home.when_done)
        return self.result()

    def __repr__(self) -> str:
        name = self._node.name + ("" if self._output is None else f"[{self._output}]")
        return f"<StepFuture {name} {self._node.status}>"


class MapFuture(_Awaits[list[Any]], _Iterates[StepFuture[T]], _Future[list[T]]):
    """A fan-out as a whole: it has a length, items, and one result for each."""

    __slots__ = ()
    _node: MapNode

    def result(self, timeout: float | None = None) -> list[Any]:
        """What each item returned, in order; with `on_error="collect"` a failed item's exception stands in its place.

        Otherwise raises the first item's failure, by order of items.
        """
        self._finished(timeout)
        return [self._outcome(item) for item in self._node.items or ()]

    def load(self, timeout: float | None = None) -> list[T]:
        """The values, in order. Raises like `result`."""
        return [loaded(item) for item in self.result(timeout)]  # type: ignore[misc]

    @property
    def failures(self) -> dict[int, BaseException]:
        """The failed items by index, once all are done. They count as handled."""
        self._home.wait(self._node, None)
        self._home.observe(self._node)
        items = self._node.items or ()
        return {item.index: item.error for item in items if item.error is not None}

    def unpack(self) -> tuple[list[StepFuture[Any]], ...]:
        """One list of futures for each output, items in order."""
        count = len(self._node.definition.returns.outputs)
        return tuple(
            [StepFuture(self._home, item, i) for item in self._items()] for i in range(count)
        )

    def __len__(self) -> int:
        """The number of items. Waits until the collections are known."""
        return len(self._items())

    def __getitem__(self, index: int) -> StepFuture[T]:
        return StepFuture(self._home, self._items()[index])

    def __iter__(self) -> Iterator[StepFuture[T]]:
        return (StepFuture(self._home, item) for item in self._items())

    def __await__(self) -> Generator[Any, None, list[Any]]:
        with self._home.waiting(self._node):
            yield from engine.until_done(self._node, self._home.when_done)
        return self.result()

    def _items(self) -> list[Invocation]:
        self._home.expanded(self._node)
        return list(self._node.items or ())

    def _outcome(self, item: Invocation) -> object:
        return item.error if item.error is not None else artifacts_of(self._home, item, None)

    def __repr__(self) -> str:
        return f"<MapFuture {self._node.label} {self._node.status}>"


def artifacts_of(home: Home, node: Invocation, output: int | None) -> Any:
    """The handles on a finished invocation's outputs, in the shape that the step's caller expects."""
    if node.shape is not None:
        return home.rebuild(node)
    made: list[Artifact[Any]] = [
        Artifact(Place(node.id, record, node.number, home.values)) for record in node.outputs
    ]
    if output is not None:
        return made[output] if output < len(made) else None
    return None if not made else made[0] if len(made) == 1 else tuple(made)


def loaded(result: object) -> object:
    """The values of a result of any shape."""
    if isinstance(result, Artifact):
        return result.load()
    if isinstance(result, tuple):
        return tuple(loaded(item) for item in result)
    if isinstance(result, list):
        return [loaded(item) for item in result]
    if isinstance(result, dict):
        return {key: loaded(item) for key, item in result.items()}
    return result
