"""What a handle asks of the run that it belongs to."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
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

    def when_done(self, node: Node, callback: Callable[[Node], None]) -> bool:
        """Has `callback` called when it is done; False if it is done already."""
        ...

    def waiting(self, node: Node) -> AbstractContextManager[None]:
        """While a body waits for it in a way of its own."""
        ...

    def waiting_in(self, scope: Scope, nodes: Collection[Node]) -> AbstractContextManager[None]:
        """While this body waits for any of these, of which there may be fewer and fewer."""
        ...

    def check_body(self, scope: Scope) -> None:
        """Raises what has befallen the run, and `RunStopping` if the body has been ended from outside."""
        ...

    def expanded(self, node: MapNode) -> None:
        """Waits until a map has its items."""
        ...

    def rebuild(self, node: Invocation) -> object:
        """What a finished child run returned, its artifacts as handles."""
        ...
