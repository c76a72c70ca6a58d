"""Runs the body of a pipeline, the run's own or a child's, from its first hook to its last unfinished call.

What the body raises, or leaves unhandled, ends it as its execution mode says. A failure is *handled* once the body
has been shown it (an `except` around a call, `future.exception()`, a collected map); one that nobody looked at fails
the run when the body has returned.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from anabranch import engine
from anabranch.engine.current import BodyHome, BodyRun, current
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.executing import call_hook
from anabranch.engine.failures import own_frames, recorded
from anabranch.engine.nodes import Invocation, MapNode
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import Scope
from anabranch.engine.shapes import shape_of
from anabranch.engine.values import Values
from anabranch.errors import BeyondRehearsal, Cancelled, RunStopping, Signal
from anabranch.journal.events import HookFailed, Json
from anabranch.model.ids import InvocationId
from anabranch.model.options import Hook
from anabranch.model.records import Output

_LOOK_SECONDS = 0.05


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
            self._hook(options.on_init, scope, None, "on_init", must=True)
            self._hook(options.on_start, scope, None, "on_start")
            end = self._run(scope, arguments)
        except RunStopping:
            if scope.parent is None:
                raise
            end = self._failed(scope, _cancelled(scope))
        except Exception as error:  # noqa: BLE001  (whatever the body raises is its failure)
            end = self._failed(scope, error)
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
            shape = shape_of(_called(scope.definition, arguments), plain)
        except (BeyondRehearsal, BaseExceptionGroup) as error:
            return self._unwound(scope, error)
        except (KeyboardInterrupt, Signal):
            self._stop(scope)
            raise
        finally:
            current.reset(token)
        self._drain(scope)
        if scope.failures:
            return self._unhandled(scope)
        names = [(f"output_{i}", f"output_{i}") for i in range(len(plain))]
        outputs, data = self._home.values.write(names, plain)
        return BodyEnd(shape=shape, outputs=outputs, data=data)

    def _unwound(self, scope: Scope, error: BaseException) -> BodyEnd:
        """A rehearsal can see no further here; what is under way beside it still can. A task group wraps the signal."""
        if isinstance(error, BaseExceptionGroup):
            found = error.subgroup(BeyondRehearsal)
            if found is None:
                raise error
            error = _first_of(found)
        while not self._scheduler.wait_idle(scope, _LOOK_SECONDS):
            self._home.check()
        return BodyEnd(error=error)

    def _failed(self, scope: Scope, error: Exception) -> BodyEnd:
        """The body raised. Unless told to continue, nothing new starts."""
        if scope.definition.options.execution_mode != "CONTINUE_ON_FAILURE":
            self._stop(scope)
        self._drain(scope)
        error = error.with_traceback(own_frames(error.__traceback__))
        blame = {*scope.failures, *self._blamed(scope, error)}
        return BodyEnd(error=error, failed=tuple(sorted(blame)))

    def _unhandled(self, scope: Scope) -> BodyEnd:
        """The body returned, and left failures that it never looked at: the first to happen speaks for all."""
        roots = [
            node.error
            for id in scope.failures
            if (node := self._scheduler.nodes[id]).status == "failed" and node.error is not None
        ]
        error = roots[0] if roots else next(iter(scope.failures.values()))
        return BodyEnd(error=error, failed=tuple(sorted(scope.failures)))

    def _blamed(self, scope: Scope, error: BaseException) -> list[InvocationId]:
        """The calls whose failure this exception is, or comes from.

        A call that failed while another's failure was being handled is to blame alone. A map's failure is that of
        all its failed items.
        """
        failed = self._scheduler.failed_in(scope)
        own = {id(node.error) for node in failed}
        chain: set[int] = set()
        here: BaseException | None = error
        while here is not None and id(here) not in chain:
            chain.add(id(here))
            here = here.__cause__ or (None if id(here) in own else here.__context__)
        blamed = [node for node in failed if id(node.error) in chain]
        maps = {node for node in blamed if isinstance(node, MapNode)}
        items = [n for n in failed if isinstance(n, Invocation) and n.map in maps]
        return [node.id for node in (*blamed, *items)]

    def _drain(self, scope: Scope) -> None:
        """Until nothing of the scope is unfinished; a failure that comes up now can no longer be handled."""
        mode = scope.definition.options.execution_mode
        while not self._scheduler.wait_idle(scope, _LOOK_SECONDS):
            self._home.check()
            if scope.failures and mode != "CONTINUE_ON_FAILURE" and not scope.stopping:
                self._stop(scope)

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


def _first_of(group: BaseExceptionGroup[BeyondRehearsal]) -> BaseException:
    """The first exception in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _cancelled(scope: Scope) -> Cancelled:
    return Cancelled(
        "the child run was cancelled, or what it is part of stopped",
        scope.definition.name,
        "resume the run, or submit it again if it is needed",
    )


def _called(definition: PipelineDefinition, arguments: Mapping[str, object]) -> object:
    call: Callable[..., object] = definition.function
    if definition.is_async:
        return engine.run_body(lambda: definition.signature.call(call, arguments))
    return definition.signature.call(call, arguments)
