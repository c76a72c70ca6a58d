"""What a body or a step may ask about itself, and what becomes of the text that it prints."""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

from anabranch.engine.current import StepRun, current
from anabranch.engine.nodes import Invocation
from anabranch.engine.scopes import Scope
from anabranch.errors import CallError, RunStopping
from anabranch.journal.events import AttemptStarted, Event, Json, LogWritten, MetadataLogged
from anabranch.model.ids import InvocationId, RunId

_LOG_CHUNK = 32 * 1024


def show(step: StepRun) -> None:
    """Tells those who follow the run that this attempt is going on, and what it has printed.

    Called by the clock: an attempt that ends within one tick is told by its outcome alone.
    """
    with step.lock:
        if not step.announced and not step.is_over:
            step.announced = True
            node = step.invocation
            step.note(AttemptStarted(at=step.started_at, invocation=node.id, attempt=node.attempt))
    _hand_over(step)


def end(step: StepRun) -> None:
    """Nobody is told any more that it goes on: what follows in the journal is how it ended."""
    with step.lock:
        step.is_over = True


def take(step: StepRun, text: str) -> None:
    """Takes text that the step has printed; when there is much of it, it goes to the journal."""
    with step.lock:
        step.lines.append(text)
        step.size += len(text)
    if step.size >= _LOG_CHUNK:
        _hand_over(step)


def printed_by(step: StepRun) -> list[Event]:
    """The events for all text that has come since last time."""
    if not step.size:
        return []
    with step.lock:
        text, step.lines, step.size = "".join(step.lines), [], 0
    return _written(step, text)


def _hand_over(step: StepRun) -> None:
    """Whole lines go to the journal, in their order; a line that is still being written stays, unless it is long."""
    if not step.size:
        return
    with step.lock:
        text = "".join(step.lines)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if not end and len(text) >= _LOG_CHUNK:
            end = len(text)
        step.lines, step.size = [text[end:]], len(text) - end
        for event in _written(step, text[:end]):
            step.note(event)


def _written(step: StepRun, text: str) -> list[Event]:
    """One event for every 32 Ki characters, so that none is cut in two."""
    return [
        LogWritten(
            at=time.time(),
            invocation=step.invocation.id,
            attempt=step.invocation.attempt,
            data=text[start : start + _LOG_CHUNK].encode(errors="replace"),
        )
        for start in range(0, len(text), _LOG_CHUNK)
    ]


class Logger:
    """Writes lines to the step's log and to standard error, with a level in front."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: object, *args: object) -> None:
        self._log("DEBUG", message, args)

    def info(self, message: object, *args: object) -> None:
        self._log("INFO", message, args)

    def warning(self, message: object, *args: object) -> None:
        self._log("WARNING", message, args)

    def error(self, message: object, *args: object) -> None:
        self._log("ERROR", message, args)

    def _log(self, level: str, message: object, args: tuple[object, ...]) -> None:
        text = str(message) % args if args else str(message)
        sys.stderr.write(f"{level} {self._name}: {text}\n")


@dataclass(frozen=True, slots=True)
class Context:
    """What a body or a step may ask about itself. `invocation_id` and `attempt` are `None` in a body."""

    run_id: RunId
    pipeline: str
    parameters: Mapping[str, object]
    invocation_id: InvocationId | None
    step: str | None
    attempt: int | None
    _note: Callable[[Event], None]
    _node: Invocation | None
    _scope: Scope

    @property
    def logger(self) -> Logger:
        return Logger(self.step or self.pipeline)

    @property
    def cancelled(self) -> bool:
        """Whether this step, or its run, has been asked to stop."""
        return self._scope.stopping or (self._node is not None and self._node.cancelling)

    def log_metadata(self, **values: Json) -> None:
        """Attaches JSON values to this invocation, or to the run when called in a body."""
        for name, value in values.items():
            _check_json(name, value)
        self._note(MetadataLogged(at=time.time(), invocation=self.invocation_id, values=values))


def context() -> Context:
    """The context of the body or step that calls this. Raises `CallError` outside both."""
    here = current.get()
    if isinstance(here, StepRun):
        node = here.invocation
        return Context(
            node.scope.run,
            node.scope.definition.name,
            node.scope.parameters,
            node.id,
            node.definition.name,
            node.attempt,
            here.note,
            node,
            node.scope,
        )
    if here is not None:
        scope = here.scope
        return Context(
            scope.run,
            scope.definition.name,
            scope.parameters,
            None,
            None,
            None,
            here.home.note,
            None,
            scope,
        )
    raise CallError(
        "there is no run here",
        "anabranch.context()",
        "call it in a step or in a pipeline's body, while a run executes it",
    )


def log_metadata(**values: Json) -> None:
    """Attaches JSON values to the invocation, or to the run when called in a body."""
    context().log_metadata(**values)


def checkpoint() -> None:
    """Stops this step here if it, or its run, has been asked to stop; otherwise does nothing."""
    here = current.get()
    if isinstance(here, StepRun) and (here.invocation.cancelling or here.invocation.scope.stopping):
        raise RunStopping


def _check_json(name: str, value: object) -> None:
    plain = isinstance(value, str | int | float | bool | None)
    if isinstance(value, list | tuple):
        for item in value:
            _check_json(name, item)
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        for item in value.values():
            _check_json(name, item)
    elif not plain:
        raise CallError(
            f"metadata must be JSON, not {type(value).__name__}",
            f"log_metadata({name}=...)",
            "convert it: float(x), str(x), x.tolist()",
        )


class Tee:
    """Stands for `sys.stdout` or `sys.stderr` during a run: what a step prints goes to its log as well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        here = current.get()
        if isinstance(here, StepRun) and here.captures:
            take(here, text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class Tees:
    """Puts tees before the standard streams while any run of this process is going on."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._before: tuple[TextIO, TextIO] | None = None

    def open(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._before = (sys.stdout, sys.stderr)
                sys.stdout, sys.stderr = Tee(sys.stdout), Tee(sys.stderr)

    def close(self) -> None:
        """Somebody may have replaced the streams in between; then theirs stay."""
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._before is not None:
                if isinstance(sys.stdout, Tee):
                    sys.stdout = self._before[0]
                if isinstance(sys.stderr, Tee):
                    sys.stderr = self._before[1]
                self._before = None


TEES = Tees()
