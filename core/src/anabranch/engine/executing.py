"""One attempt at a call in this process: load the inputs, call the function, keep what it returns.

The same steps serve the thread that the body runs in, the worker threads and the event loop. What an attempt came to
is written as events first; the invocation is settled, and its hooks told, once they are durable.
"""

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import Token
from dataclasses import dataclass
from typing import Any

from anabranch import engine
from anabranch.engine.contexts import end, printed_by, show
from anabranch.engine.current import BodyRun, StepRun, current
from anabranch.engine.definitions import StepDefinition
from anabranch.engine.failures import own_frames, recorded
from anabranch.engine.fingerprints import Fingerprint, Fingerprinter
from anabranch.engine.identity import content
from anabranch.engine.naming import artifact_names
from anabranch.engine.nodes import Invocation, options_of
from anabranch.engine.outcomes import Outcome, dropped
from anabranch.engine.overruns import check_time, translated
from anabranch.engine.recording import Recorder
from anabranch.engine.resting import rested
from anabranch.engine.scopes import fails_fast
from anabranch.engine.values import Values
from anabranch.errors import (
    Cancelled,
    OutputMismatch,
    RunStopping,
    TransientFailure,
)
from anabranch.journal.events import (
    AttemptEnded,
    CodeSeen,
    Event,
    HookFailed,
    InvocationCreated,
    OutcomeRecorded,
)
from anabranch.model.ids import InvocationId
from anabranch.model.options import Hook, Retry
from anabranch.model.records import Failure, Output, Status


@dataclass(slots=True)
class Ending:
    """What an attempt came to. `retry_seconds` is the wait before the next one; `None` means there is none."""

    events: list[Event]
    outcome: Outcome
    retry_seconds: float | None = None


class Executor:
    """Runs inline attempts. `settle` is told of durable outcomes, `again` of attempts that another follows."""

    def __init__(
        self,
        *,
        values: Values,
        recorder: Recorder,
        fingerprints: Fingerprinter,
        settle: Callable[[Invocation, Outcome], None],
        again: Callable[[Invocation, float], None],
        chance: Callable[[], float],
    ) -> None:
        self._values, self._recorder, self._fingerprints = values, recorder, fingerprints
        self._settle, self._again, self._chance = settle, again, chance
        self._codes: set[str] = set()
        self._active: set[StepRun] = set()

    def know(self, codes: Sequence[str]) -> None:
        """Codes whose parts the journal has already."""
        self._codes.update(codes)

    @property
    def is_running(self) -> bool:
        """Whether any attempt is going on."""
        return bool(self._active)

    def first_seen(self, code: Fingerprint) -> list[Event]:
        """The event that tells what the code consists of, unless the journal has it already."""
        if code.digest in self._codes:
            return []
        self._codes.add(code.digest)
        return [CodeSeen(at=time.time(), code=code.digest, parts=dict(code.parts))]

    def show_running(self) -> None:
        """What is running, and what it has printed so far, becomes readable by others."""
        for step in tuple(self._active):
            show(step)

    # --- the three ways to run ---------------------------------------------------------------------------------

    def run(self, node: Invocation) -> None:
        """In a worker thread: does not wait for the journal unless a hook must."""
        self._conclude(node, self._attempt(node))

    def run_here(self, node: Invocation) -> None:
        """In the body's own thread: all attempts, one after another, each recorded when this returns."""
        while rested(node, self._recorder.check):
            ending = self._attempt(node)
            number = self._recorder.commit(*ending.events)
            if ending.retry_seconds is None:
                self._tell(node, ending.outcome.error)
                self._settle(node, _numbered(ending.outcome, number))
                return
            node.attempt += 1
            node.not_before = time.time() + ending.retry_seconds
        self._settle(node, dropped(node.name))

    async def run_async(self, node: Invocation) -> None:
        """In the event loop of async steps."""
        step, started = self._begin(node)
        token = current.set(step)
        try:
            self._prepare(node)
            timeout = options_of(node).timeout
            work = node.definition.signature.call(node.definition.function, self._arguments(node))
            value = await engine.within(timeout, work)
            ending = self._kept(step, value, started)
        except BaseException as error:
            if engine.is_leaving(error):
                raise
            ending = self._failed(step, translated(node, error, started), started)
        finally:
            self._ended(step, token)
        self._conclude(node, ending)

    # --- an attempt --------------------------------------------------------------------------------------------

    def _attempt(self, node: Invocation) -> Ending:
        step, started = self._begin(node)
        token = current.set(step)
        try:
            self._prepare(node)
            definition = node.definition
            value = definition.signature.call(definition.function, self._arguments(node))
            check_time(node, started)
            return self._kept(step, value, started)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever a step raises is its failure)
            return self._failed(step, translated(node, error, started), started)
        finally:
            self._ended(step, token)

    def _begin(self, node: Invocation) -> tuple[StepRun, float]:
        node.status = "running"
        now = time.time()
        if node.map is not None and node.attempt == 1:
            self._recorder.note(created(node, now))
        step = StepRun(node, self._recorder.note, node.definition.is_async, _captures(node), now)
        self._active.add(step)
        hook = options_of(node).on_start
        if hook is not None:
            self._call(hook, node, None, "on_start")
        return step, time.perf_counter()

    def _prepare(self, node: Invocation) -> None:
        """It may have been cancelled since it was dispatched. Its code is looked at before it can change a global."""
        if node.cancelling:
            raise RunStopping
        self._fingerprints.of(node.definition.function)

    def _ended(self, step: StepRun, token: Token[BodyRun | StepRun | None]) -> None:
        current.reset(token)
        end(step)
        self._active.discard(step)

    def _arguments(self, node: Invocation) -> dict[str, Any]:
        return {name: value.load() for name, value in (node.inputs or {}).items()}

    def _kept(self, step: StepRun, value: object, started: float) -> Ending:
        node = step.invocation
        if node.cancelling and fails_fast(node.scope):
            raise RunStopping
        outputs, data = self._written(node, value)
        code = self._fingerprints.of(node.definition.function)
        inputs = content(node.inputs or {})
        events = [*printed_by(step), *self.first_seen(code)]
        events.append(
            OutcomeRecorded(
                at=time.time(),
                invocation=node.id,
                attempt=node.attempt,
                status="completed",
                inputs=inputs,
                code=code.digest,
                outputs=outputs,
                seconds=time.perf_counter() - started,
                cache="" if node.cache_key is None else node.cache_key.if_still(inputs),
                data=data,
            )
        )
        return Ending(events, Outcome(status="completed", outputs=outputs))

    def _written(self, node: Invocation, value: object) -> tuple[tuple[Output, ...], bytes]:
        specs = node.definition.returns.outputs
        if value is None and not node.definition.returns.annotated:
            return (), b""
        if not specs:
            if value is not None:
                raise _mismatch(node, "nothing", value)
            return (), b""
        values = (value,)
        if len(specs) > 1:
            if not isinstance(value, tuple | list) or len(value) != len(specs):
                raise _mismatch(node, f"{len(specs)} outputs", value)
            values = tuple(value)
        return self._values.write(artifact_names(node), values)

    def _failed(self, step: StepRun, error: BaseException, started: float) -> Ending:
        node = step.invocation
        error = error.with_traceback(own_frames(error.__traceback__))
        failure, data = recorded(error, self._values.codecs)
        cancelled = isinstance(error, Cancelled)
        retry = _retry(node)
        if not cancelled and retry.allows(error, node.attempt, node.spared):
            wait = retry.wait_seconds(error, node.attempt, node.spared, self._chance())
            node.spared += isinstance(error, TransientFailure)
            ended = AttemptEnded(
                at=time.time(),
                invocation=node.id,
                attempt=node.attempt,
                failure=failure,
                retry_at=time.time() + wait,
                is_spared=isinstance(error, TransientFailure),
            )
            return Ending([*printed_by(step), ended], Outcome(status="failed", error=error), wait)
        status: Status = "cancelled" if cancelled else "failed"
        seconds = time.perf_counter() - started
        ended_for_good = self._final(node, status, failure, data, node.attempt, seconds)
        return Ending([*printed_by(step), ended_for_good], Outcome(status=status, error=error))

    def give_up(self, node: Invocation, error: Exception) -> None:
        """It has failed without having been run."""
        failure, data = recorded(error, self._values.codecs)
        events: list[Event] = [] if node.map is None else [created(node, time.time())]
        events.append(self._final(node, "failed", failure, data, attempt=0, seconds=0.0))
        self._conclude(node, Ending(events, Outcome(status="failed", error=error)))

    def _final(
        self,
        node: Invocation,
        status: Status,
        failure: Failure,
        data: bytes,
        attempt: int,
        seconds: float,
    ) -> OutcomeRecorded:
        return OutcomeRecorded(
            at=time.time(),
            invocation=node.id,
            attempt=attempt,
            status=status,
            inputs=self._content_or_nothing(node),
            code=self._fingerprints.of(node.definition.function).digest,
            failure=failure,
            seconds=seconds,
            data=data,
        )

    @staticmethod
    def _content_or_nothing(node: Invocation) -> str:
        """The inputs may be what failed; then no later run can match them."""
        try:
            return content(node.inputs or {})
        except Exception:  # noqa: BLE001  (the inputs are what failed, in any way)
            return ""

    # --- after it ----------------------------------------------------------------------------------------------

    def _conclude(self, node: Invocation, ending: Ending) -> None:
        outcome = ending.outcome
        if ending.retry_seconds is not None:
            wait = ending.retry_seconds
            self._recorder.record(ending.events, lambda _: self._again(node, wait))
        elif _has_hooks(node):
            number = self._recorder.commit(*ending.events)
            self._tell(node, outcome.error)
            self._settle(node, _numbered(outcome, number))
        else:
            self._recorder.record(
                ending.events, lambda number: self._settle(node, _numbered(outcome, number))
            )

    def _tell(self, node: Invocation, error: BaseException | None) -> None:
        options = options_of(node)
        if error is None and options.on_success is not None:
            self._call(options.on_success, node, None, "on_success")
        if error is not None and options.on_failure is not None:
            self._call(options.on_failure, node, error, "on_failure")
        if options.on_end is not None:
            self._call(options.on_end, node, error, "on_end")

    def _call(self, hook: Hook, node: Invocation, error: BaseException | None, name: str) -> None:
        token = current.set(StepRun(node, self._recorder.note))
        try:
            call_hook(hook, error)
        except Exception as trouble:  # noqa: BLE001  (a hook's failure is told, and no more)
            failure, _ = recorded(trouble, self._values.codecs)
            self._recorder.note(
                HookFailed(at=time.time(), invocation=node.id, hook=name, failure=failure)
            )
        finally:
            current.reset(token)


def created(
    node: Invocation, now: float, also_after: Iterable[InvocationId] = ()
) -> InvocationCreated:
    """The event that an invocation exists. `also_after` is what it was told to wait for, beside its inputs."""
    after = dict.fromkeys([*node.producers(), *also_after])
    return InvocationCreated(
        at=now,
        invocation=node.id,
        step=node.definition.name,
        display=node.name,
        scope=node.scope.id,
        pipeline=not isinstance(node.definition, StepDefinition),
        map=None if node.map is None else node.map.id,
        after=tuple(after),
        tags=node.definition.options.tags,
    )


def call_hook(hook: Hook, error: BaseException | None) -> None:
    """A hook may take the exception (`None` on success) or nothing."""
    takes = [
        parameter
        for parameter in inspect.signature(hook).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if takes:
        hook(error)
    else:
        hook()


_NO_RETRY = Retry()


def _retry(node: Invocation) -> Retry:
    return options_of(node).retry or node.scope.definition.options.retry or _NO_RETRY


def _captures(node: Invocation) -> bool:
    own = options_of(node).enable_step_logs
    inherited = node.scope.definition.options.enable_step_logs
    return next((choice for choice in (own, inherited) if choice is not None), True)


def _has_hooks(node: Invocation) -> bool:
    options = options_of(node)
    return not (options.on_success is options.on_failure is options.on_end is None)


def _mismatch(node: Invocation, promised: str, value: object) -> OutputMismatch:
    size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
    return OutputMismatch(
        f"the annotation promises {promised}, and a {type(value).__name__}{size} was returned",
        node.name,
        "make the return annotation and the returned value agree",
    )


def _numbered(outcome: Outcome, number: int) -> Outcome:
    return Outcome(
        status=outcome.status,
        number=number,
        outputs=outcome.outputs,
        shape=outcome.shape,
        error=outcome.error,
    )
