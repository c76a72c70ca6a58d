"""What a handle asks of the run that it belongs to."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from anabranch.engine.artifacts import Reader
from anabranch.engine.nodes import Invocation, MapNode, Node
from anabranch.engine.scopes import Scope


class Home(Protocol):
    """A run as its handles see it: something that can be waited for and read."""

    @property
    def values(self) -> Reader: ...

    def wait(self, node: Node, timeout: float | None) -> None:
        """Until it is done. Raises `TimeoutError`, or a signal if the run is stopping."""
        ...

    def observe(self, node: Node) -> None:
        """The body has looked at how it ended: a failure counts as handled."""
        ...

    def cancel(self, node: Node) -> bool:
        """Asks it to stop; False if it is done already."""
        ...

    def watch(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]:
        """The nodes as they are done; after a resume in the order that the body saw before (law L8)."""
        ...

    def when_done(self, node: Node, callback: Callable[[Node], None]) -> bool:
        """Has `callback` called when it is done; False if it is done already."""
        ...

    def expanded(self, node: MapNode) -> None:
        """Waits until a map has its items."""
        ...

    def check(self) -> None:
        """Raises what has befallen the run: its journal fails, or its lease is lost."""
        ...

    def rebuild(self, node: Invocation) -> object:
        """What a finished child run returned, its artifacts as handles."""
        ...
