"""Runs the body of a pipeline, the run's own or a child's, from its first hook to its last unfinished call.

What the body raises, or leaves unhandled, ends it as its execution mode says. A failure is *handled* once the body
has been shown it (an `except` around a call, `future.exception()`, a collected map); one that nobody looked at fails
the run when the body has returned.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from anabranch import engine
from anabranch.engine.current import BodyHome, BodyRun, current
from anabranch.engine.executing import call_hook
from anabranch.engine.failures import own_frames, recorded
from anabranch.engine.nodes import MapNode, Node
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import Scope, is_stopped, is_stopping
from anabranch.engine.shapes import shape_of
from anabranch.engine.values import Values
from anabranch.errors import BeyondRehearsal, Cancelled, RunPausing, RunStopping, Signal
from anabranch.journal.events import HookFailed, Json
from anabranch.model.ids import InvocationId
from anabranch.model.options import Hook
from anabranch.model.records import Output

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0
"""How long a body that was stopped from outside waits for sync steps, which nobody can end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyEnd:
    """How a body ended. `error` is `None` on success; `failed` are the unhandled failures behind it."""

    shape: Json = None
    outputs: tuple[Output, ...] = ()
    data: bytes = b""
    error: BaseException | None = None
    failed: tuple[InvocationId, ...] = ()


class Home(BodyHome, Protocol):
    """What running a body needs of the run."""

    @property
    def values(self) -> Values: ...

    def check(self) -> None:
        """Raises what has befallen the run: its journal fails, or its lease is lost."""
        ...

    def body(self, scope: Scope) -> AbstractContextManager[None]:
        """While it runs, and until all its calls have ended, it can be stopped from outside."""
        ...

    @property
    def is_pausing(self) -> bool:
        """Whether the driver leaves until an answer comes."""
        ...

    def was_paused(self, scope: Scope) -> bool:
        """Whether this body was waiting when the last driver left until an answer came."""
        ...

    def cancel_running(self, scope: Scope) -> None: ...

    def let_go(self, scope: Scope) -> None:
        """Ends the waiting of its calls for their next attempts."""
        ...


class Bodies:
    """Runs bodies for one run."""

    def __init__(self, home: Home, scheduler: Scheduler) -> None:
        self._home, self._scheduler = home, scheduler

    def run(self, scope: Scope, arguments: Mapping[str, object]) -> BodyEnd:
        """Never raises what the body raised, but for signals and `KeyboardInterrupt`."""
        options = scope.definition.options
        try:
            with self._home.body(scope):
                self._hook(options.on_init, scope, None, "on_init", must=True)
                self._hook(options.on_start, scope, None, "on_start")
                if self._home.was_paused(scope):
                    self._hook(options.on_resume, scope, None, "on_resume")
                end = self._run(scope, arguments)
        except RunPausing:
            self._hook(options.on_pause, scope, None, "on_pause")
            raise
        except RunStopping:
            if scope.parent is None and scope.stopped_by is None:
                raise
            end = self._failed(scope, scope.stopped_by or _cancelled(scope))
        except Exception as error:  # noqa: BLE001  (whatever the body raises is its failure)
            end = self._failed(scope, scope.stopped_by or error)
        self._hook(
            options.on_success if end.error is None else options.on_failure,
            scope,
            end.error,
            "on_success" if end.error is None else "on_failure",
        )
        self._hook(options.on_end, scope, end.error, "on_end")
        self._hook(options.on_cleanup, scope, end.error, "on_cleanup")
        return end

    def _run(self, scope: Scope, arguments: Mapping[str, object]) -> BodyEnd:
        token = current.set(BodyRun(self._home, scope, scope.definition.is_async))
        plain: list[object] = []
        try:
            shape = shape_of(_called(scope, arguments), plain)
        except BaseException as error:
            if self._home.is_pausing:
                raise RunPausing from error
            is_signal = not isinstance(error, Exception | KeyboardInterrupt)
            if is_stopped(scope) or (is_signal and is_stopping(scope)):
                raise RunStopping from None  # whatever the body made of being stopped
            beyond = _beyond_rehearsal(error)
            if beyond is not None:
                return self._unwound(scope, beyond)
            if isinstance(error, KeyboardInterrupt | Signal):
                self._stop(scope)
            raise
        finally:
            current.reset(token)
        self._drain(scope)
        if scope.stopped_by is not None:
            raise RunStopping
        if scope.failures:
            return self._unhandled(scope)
        names = [(f"output_{i}", f"output_{i}") for i in range(len(plain))]
        outputs, data = self._home.values.write(names, plain)
        return BodyEnd(shape=shape, outputs=outputs, data=data)

    def _unwound(self, scope: Scope, beyond: BeyondRehearsal) -> BodyEnd:
        """A rehearsal can see no further here; what is under way beside it still can."""
        while not self._scheduler.wait_idle(scope, _LOOK_SECONDS):
            self._home.check()
        return BodyEnd(error=beyond)

    def _failed(self, scope: Scope, error: Exception) -> BodyEnd:
        """The body raised. Unless told to continue, nothing new starts."""
        if scope.definition.options.execution_mode != "CONTINUE_ON_FAILURE":
            self._stop(scope)
        self._drain(scope)
        error = error.with_traceback(own_frames(error.__traceback__))
        blame = {*self._left(scope), *self._blamed(scope, error)}
        return BodyEnd(error=error, failed=tuple(sorted(blame)))

    def _unhandled(self, scope: Scope) -> BodyEnd:
        """The body returned, and left failures that it never looked at: the first to happen speaks for all."""
        roots = [
            node.error
            for id in scope.failures
            if (node := self._scheduler.nodes[id]).status == "failed" and node.error is not None
        ]
        error = roots[0] if roots else next(iter(scope.failures.values()))
        return BodyEnd(error=error, failed=tuple(sorted(self._left(scope))))

    def _left(self, scope: Scope) -> set[InvocationId]:
        """What the body never looked at, and what made it fail."""
        return _with_causes([self._scheduler.nodes[id] for id in scope.failures])

    def _blamed(self, scope: Scope, error: BaseException) -> set[InvocationId]:
        """The calls whose failure this exception is, or comes from.

        A call that failed while another's failure was being handled is to blame alone.
        """
        failed = self._scheduler.failed_in(scope)
        own = {id(node.error) for node in failed}
        chain: set[int] = set()
        here: BaseException | None = error
        while here is not None and id(here) not in chain:
            chain.add(id(here))
            here = here.__cause__ or (None if id(here) in own else here.__context__)
        return _with_causes([node for node in failed if id(node.error) in chain])

    def _drain(self, scope: Scope) -> None:
        """Until nothing of the scope is unfinished; a failure that comes up now can no longer be handled.

        What does not end in time after the body was stopped is left to itself: nobody hears of it again.
        """
        with scope.lock:
            scope.awaited.append(())  # it does nothing any more but wait
        mode = scope.definition.options.execution_mode
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self._scheduler.wait_idle(scope, _LOOK_SECONDS):
            self._home.check()
            if scope.failures and mode != "CONTINUE_ON_FAILURE" and not scope.stopping:
                self._stop(scope)
            if scope.stopped_by is None:
                patience = time.monotonic() + _PATIENCE_SECONDS
            elif time.monotonic() > patience:
                return

    def _stop(self, scope: Scope) -> None:
        scope.stopping = True
        if scope.definition.options.execution_mode == "FAIL_FAST":
            self._home.cancel_running(scope)
        self._home.let_go(scope)

    def _hook(
        self,
        hook: Hook | None,
        scope: Scope,
        error: BaseException | None,
        name: str,
        must: bool = False,
    ) -> None:
        """Runs a hook; what it raises is recorded and changes nothing, unless it `must` succeed."""
        if hook is None:
            return
        token = current.set(BodyRun(self._home, scope))
        try:
            call_hook(hook, error)
        except Exception as trouble:
            if must:
                raise
            failure, _ = recorded(trouble, self._home.values.codecs)
            self._home.note(
                HookFailed(at=time.time(), invocation=scope.id or None, hook=name, failure=failure)
            )
        finally:
            current.reset(token)


def _with_causes(failed: list[Node]) -> set[InvocationId]:
    """And all that made them fail; a map's failure is that of all its failed items.

    Some of it may have been handled. But as long as that stays as it is, no resume can better what was skipped for it.
    """
    found: set[Node] = set()
    while failed:
        node = failed.pop()
        if node not in found:
            found.add(node)
            failed += [cause for cause in (node.cause, *(node.further or ())) if cause is not None]
            items = (node.items or ()) if isinstance(node, MapNode) else ()
            failed += [item for item in items if item.error is not None]
    return {node.id for node in found}


def _beyond_rehearsal(error: BaseException) -> BeyondRehearsal | None:
    """The signal that an exception is, or that a task group has wrapped."""
    if isinstance(error, BaseExceptionGroup):
        found = (_beyond_rehearsal(each) for each in error.exceptions)
        return next((each for each in found if each is not None), None)
    return error if isinstance(error, BeyondRehearsal) else None


def _cancelled(scope: Scope) -> Cancelled:
    return Cancelled(
        "the child run was cancelled, or what it is part of stopped",
        scope.definition.name,
        "resume the run, or submit it again if it is needed",
    )


def _called(scope: Scope, arguments: Mapping[str, object]) -> object:
    definition = scope.definition
    call: Callable[..., object] = definition.function
    if not definition.is_async:
        return definition.signature.call(call, arguments)

    def begun(cancel: Callable[[], None]) -> None:
        scope.interrupt = cancel
        if is_stopped(scope):
            cancel()

    return engine.run_body(lambda: definition.signature.call(call, arguments), begun)
