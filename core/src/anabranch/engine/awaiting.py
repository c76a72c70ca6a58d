"""The two places where the engine meets asyncio: async steps, and async bodies.

Loaded only when one of them is used, since importing asyncio costs as much as the rest of a run's modules together.
Async steps of a run share one event loop in a thread of its own, so that thousands wait at the price of one thread.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

from anabranch.engine.nodes import Invocation, Node

_LEAVING = "the driver leaves"
_PATIENCE_SECONDS = 1.0


class AsyncSteps:
    """The event loop in which a run's async steps live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Invocation, asyncio.Task[None]] = {}
        self._alive: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[Invocation, Coroutine[Any, Any, None]]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="anabranch-async-steps", daemon=True
        )
        self._thread.start()

    def put(self, invocation: Invocation, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` in the loop. Many puts in a row wake the loop once."""
        with self._lock:
            self._waiting.append((invocation, work))
            first = len(self._waiting) == 1
        if first:
            self._loop.call_soon_threadsafe(self._start_waiting)

    def cancel(self, invocation: Invocation) -> None:
        self._loop.call_soon_threadsafe(self._cancel, invocation)

    def close(self) -> None:
        """What still runs is cancelled, and may take a second to clean up; what blocks the loop is left to itself."""
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._leave()))
        self._thread.join(2 * _PATIENCE_SECONDS)
        if not self._thread.is_alive():
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _start_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for invocation, work in waiting:
            task = self._loop.create_task(self._run(invocation, work))
            self._alive.add(task)
            task.add_done_callback(self._alive.discard)

    async def _run(self, invocation: Invocation, work: Coroutine[Any, Any, None]) -> None:
        """A task that is cancelled before it begins would never tell its end: it can be found once it has begun."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[invocation] = task
        try:
            await work
        finally:
            del self._tasks[invocation]

    def _cancel(self, invocation: Invocation) -> None:
        task = self._tasks.get(invocation)
        if task is not None:
            task.cancel()

    async def _leave(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for _, work in waiting:
            work.close()
        alive = [task for task in self._alive if not task.done()]
        for task in alive:
            task.cancel(_LEAVING)
        if alive:
            await asyncio.wait(alive, timeout=_PATIENCE_SECONDS)
        self._loop.stop()


def until_done(
    node: Node, add: Callable[[Node, Callable[[Node], None]], bool]
) -> Generator[Any, None, None]:
    """For `await future` in an async body: suspends the coroutine until the node is done.

    `add(node, callback)` registers the callback; False if the node is done already.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def done(_: Node) -> None:
        _call_in(loop, lambda: None if arrived.done() else arrived.set_result(None))

    if add(node, done):
        yield from arrived


def run_body(
    body: Callable[[], Coroutine[Any, Any, object]], begun: Callable[[Callable[[], None]], None]
) -> object:
    """Runs an async body to its end in this thread. `begun` is given what cancels it, from any thread."""

    async def cancellable() -> object:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        begun(lambda: _call_in(loop, task.cancel))
        return await body()

    return asyncio.run(cancellable())


def _call_in(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> None:
    """In a loop of another thread, which may have ended: then nobody waits for it any more."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(action)


async def within(seconds: float | None, work: Coroutine[Any, Any, object]) -> object:
    """The result of `work`, or `TimeoutError` after `seconds`."""
    async with asyncio.timeout(seconds):
        return await work


def is_leaving(error: BaseException) -> bool:
    """Whether a step was cancelled because its driver leaves: then it has no outcome, and a resume runs it again."""
    return isinstance(error, asyncio.CancelledError) and error.args == (_LEAVING,)


async def in_thread(function: Callable[..., Any], *args: object) -> Any:
    """Calls a blocking function without blocking the loop, in a copy of this context."""
    return await asyncio.to_thread(function, *args)


async def paused(pause: Callable[[], float]) -> None:
    """Sleeps as long as `pause()` says, until it says 0."""
    while (seconds := pause()) > 0:  # noqa: ASYNC110  (what ends it early has no event)
        await asyncio.sleep(seconds)
