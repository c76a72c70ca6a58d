"""What a body may do with several futures at once, and how a call finds the body that it is made in."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from anabranch import engine
from anabranch.engine.artifacts import Artifact
from anabranch.engine.current import BodyHome, BodyRun, StepRun, current
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.engine.nodes import Node
from anabranch.engine.scopes import Scope
from anabranch.errors import CallError

T = TypeVar("T")
Future: TypeAlias = StepFuture[Any] | MapFuture[Any]


def body() -> tuple[BodyHome, Scope] | None:
    """The run and scope of the body that is calling; `None` in a step, and outside a run."""
    here = current.get()
    return (here.home, here.scope) if isinstance(here, BodyRun) else None


def body_for(what: str) -> tuple[BodyHome, Scope]:
    """The same, for what makes sense in a body only. Raises `CallError`."""
    found = body()
    if found is None:
        inside = isinstance(current.get(), StepRun)
        raise CallError(
            f"{what} works in a pipeline's body only",
            "a step's function" if inside else "code outside a run",
            "call the step as a plain function here, or move the call into a @pipeline",
        )
    return found


class as_completed(Generic[T]):  # noqa: N801  (reads like concurrent.futures.as_completed)
    """Futures in the order in which they are done: `for future in as_completed(futures)`.

    Takes a list of futures or one `MapFuture` (its items). The order is recorded, so that a resumed run sees the same.
    In an `async def` body, `async for` does not block the loop. Waits for all; a failure is raised by the future's own
    `result()`.
    """

    def __init__(self, futures: Iterable[StepFuture[T]]) -> None:
        self._futures = list(futures)

    def __iter__(self) -> Iterator[StepFuture[T]]:
        driver, scope = body_for("as_completed()")
        waiting: dict[Node, list[StepFuture[T]]] = {}
        for future in self._futures:
            waiting.setdefault(_node(future), []).append(future)
        for node in driver.watch(list(waiting), scope):
            yield from waiting[node]

    async def __aiter__(self) -> AsyncIterator[StepFuture[T]]:
        arrivals = iter(self)
        while (future := await engine.in_thread(next, arrivals, None)) is not None:
            yield future


def wait_any(futures: Iterable[StepFuture[T]]) -> StepFuture[T]:
    """The first of the futures to be done; after a resume, the one that was it before."""
    for future in as_completed(futures):
        return future
    raise CallError("there is nothing to wait for", "wait_any([])", "pass at least one future")


def wait_all(futures: Iterable[Future], timeout: float | None = None) -> bool:
    """Waits until all are done, however they end; False if `timeout` seconds were not enough for one of them."""
    ended = [future.wait(timeout) for future in futures]
    return all(ended)


def gather(*futures: Future | Artifact[Any]) -> list[Any]:
    """The results of several futures, in the order given. Raises the first failure, by that order."""
    return [item if isinstance(item, Artifact) else item.result() for item in futures]


def _node(future: object) -> Node:
    if isinstance(future, StepFuture):
        return future._node
    raise CallError(
        f"futures are expected, not {type(future).__name__}",
        "as_completed() or wait_any()",
        "pass what submit() or map() returned",
    )
