"""Begins a run, or takes one up again: the lease, the first events, the driver, and how it all ended.

Both are the same act. A new run has an empty past; a resumed one has its journal, and the body is executed again from
the top over it.
"""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from anabranch import __version__
from anabranch.artifacts.codecs import Codecs
from anabranch.engine.admission import admit
from anabranch.engine.artifacts import Artifact
from anabranch.engine.bodies import BodyEnd
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.contexts import TEES
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.driving import Driver, run_cancelled
from anabranch.engine.failures import recorded
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.interrupts import Interrupts
from anabranch.engine.recording import Observer, Recorder
from anabranch.engine.replaying import Replay
from anabranch.engine.values import Values
from anabranch.errors import (
    JournalError,
    NotSerializable,
    RunCancelled,
    RunNotResumable,
    RunPausing,
)
from anabranch.journal.events import (
    DriverEnded,
    DriverStarted,
    Event,
    Json,
    OutcomeDiscarded,
    RunCreated,
    RunEnded,
)
from anabranch.journal.fold import RunState, read_state
from anabranch.journal.holders import is_gone, this_holder
from anabranch.journal.interface import RunWriter
from anabranch.model.caching import CacheUse
from anabranch.model.ids import RunId, new_run_id
from anabranch.model.records import Output, RunStatus
from anabranch.stacks import Stack


@runtime_checkable
class Remembers(Protocol):
    """An observer that wants to know what earlier lives of a resumed run have recorded."""

    def remember(self, state: RunState) -> None: ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a driver life ended. `error` is the body's exception as it was raised, if it failed."""

    run: RunId
    status: RunStatus
    error: BaseException | None = None


def launch(
    pipeline: PipelineDefinition,
    arguments: Mapping[str, object],
    entry: Mapping[str, Json],
    stack: Stack,
    observers: Sequence[Observer] = (),
    caching: CacheUse = "use",
) -> Finished:
    """Runs a pipeline from the beginning. Raises a `UserMistake` before anything is written, or a `JournalError`."""
    admit(pipeline, stack.lacks, stack.name)
    run = new_run_id()
    values = Values(run, stack.journal, stack.store, stack.codecs)
    outputs, data = written(arguments, pipeline, values)
    created = RunCreated(
        at=time.time(),
        run=run,
        pipeline=pipeline.name,
        entry=entry,
        stack=stack.name,
        tags=pipeline.options.tags,
        version=__version__,
        arguments=outputs,
        caching=caching,
        data=data,
    )
    observers = [*observers, *stack.observers(run)]
    writer = stack.journal.create(created, this_holder(), stack.lease_seconds)
    return _drive(pipeline, arguments, stack, values, writer, Replay(), created, observers)


def written(
    arguments: Mapping[str, object], pipeline: PipelineDefinition, values: Values
) -> tuple[tuple[Output, ...], bytes]:
    """The arguments of a run as its first event has them. Raises `NotSerializable`."""
    given = {k: v.load() if isinstance(v, Artifact) else v for k, v in arguments.items()}
    try:
        return values.write([(name, name) for name in given], list(given.values()))
    except NotSerializable as error:
        raise NotSerializable(
            error.what, f"an argument of pipeline {pipeline.name!r}", error.do
        ) from None


def relaunch(
    run: RunId, pipeline: PipelineDefinition, stack: Stack, observers: Sequence[Observer] = ()
) -> Finished:
    """Takes up a run that is not over, or that failed. Raises `RunNotFound`, `RunNotResumable` or `RunBusy`."""
    admit(pipeline, stack.lacks, stack.name)
    writer = _acquired(run, stack)
    try:
        state = read_state(stack.journal, run)
        created = state.created
        if created is None or state.status in ("completed", "cancelled"):
            raise RunNotResumable(
                f"run {run} is {state.status}; there is nothing left to do",
                f"pipeline {state.pipeline!r}",
                f"look at it: anabranch runs show {run}",
            )
        values = Values(run, stack.journal, stack.store, stack.codecs)
        arguments = {output.name: values.load(output, 1) for output in created.arguments}
    except BaseException:
        writer.release()
        raise
    for observer in observers:
        if isinstance(observer, Remembers):
            observer.remember(state)
    watching = [*observers, *stack.observers(run)]
    replay = Replay(state, was_paused=state.status == "paused")
    return _drive(pipeline, arguments, stack, values, writer, replay, created, watching)


def cancel_undriven(run: RunId, stack: Stack, sender: str) -> None:
    """Ends a run that nobody drives. Raises `RunNotFound`, or `RunBusy` if somebody does."""
    writer = _acquired(run, stack)
    try:
        error = run_cancelled(run, sender)
        writer.append([_ended("cancelled", BodyEnd(error=error), stack.codecs)])
    finally:
        writer.release()


def _acquired(run: RunId, stack: Stack) -> RunWriter:
    """The lease of a run; that of a holder who is known to be gone does not count."""
    lease = stack.journal.summary(run).lease
    dead = lease.epoch if lease is not None and is_gone(lease.holder) else None
    return stack.journal.acquire(run, this_holder(), stack.lease_seconds, dead_epoch=dead)


def _drive(  # noqa: PLR0913  (the two ways to begin have this in common)
    pipeline: PipelineDefinition,
    arguments: Mapping[str, object],
    stack: Stack,
    values: Values,
    writer: RunWriter,
    replay: Replay,
    created: RunCreated,
    observers: Sequence[Observer],
) -> Finished:
    recorder = Recorder(writer, observers)
    values.on_refusal = recorder.refuse
    interrupts = Interrupts(f"\nended at once; resume it: anabranch resume {created.run}\n")
    circumstances = Circumstances(
        run=created.run,
        values=values,
        recorder=recorder,
        replay=replay,
        fingerprints=Fingerprinter(),
        interrupts=interrupts,
        journal=stack.journal,
        project=stack.project,
        caching=created.caching,
        stack=stack.name,
        lacks=stack.lacks,
        started=datetime.fromtimestamp(created.at, UTC),
        lease_seconds=stack.lease_seconds,
        chance=chance,
    )
    driver = Driver(circumstances, pipeline)
    if replay.state.events == 0:
        recorder.show(1, [created])
    recorder.note(*first_events(replay))
    with interrupts:
        TEES.open()
        try:
            end = driver.run(arguments)
            status = _status(pipeline, end.error)
            recorder.commit(_ended(status, end, values.codecs))
            return Finished(created.run, status, end.error)
        except RunPausing:
            recorder.commit(DriverEnded(at=time.time(), reason="paused"))
            return Finished(created.run, "paused")
        except KeyboardInterrupt:
            recorder.commit(DriverEnded(at=time.time(), reason="interrupted"))
            return Finished(created.run, "interrupted")
        finally:
            TEES.close()
            _close(recorder)


def _ended(status: RunStatus, end: BodyEnd, codecs: Codecs) -> RunEnded:
    failure, data = None, end.data
    if end.error is not None:
        failure, data = recorded(end.error, codecs)
    return RunEnded(
        at=time.time(),
        status=status,
        shape=end.shape,
        outputs=end.outputs,
        failure=failure,
        failed=end.failed,
        data=data,
    )


def first_events(replay: Replay) -> list[Event]:
    """A new life begins, and what it is to try again has no outcome any more."""
    now = time.time()
    life = replay.state.life + 1
    started = DriverStarted(
        at=now, life=life, holder=this_holder(), python=platform.python_version()
    )
    events: list[Event] = [started]
    for known in replay.to_discard():
        reason = f"it {_WORDS.get(known.status, known.status)}; resume tries again"
        events.append(OutcomeDiscarded(at=now, invocation=known.invocation, reason=reason))
    for number, event in enumerate(events, replay.state.events + 1):
        replay.state.apply(number, event)
    return events


_WORDS = {"skipped": "was skipped", "cancelled": "was cancelled"}


def _status(pipeline: PipelineDefinition, error: BaseException | None) -> RunStatus:
    if error is None:
        return "completed"
    if isinstance(error, RunCancelled):
        return "cancelled"
    continues = pipeline.options.execution_mode == "CONTINUE_ON_FAILURE"
    return "completed_with_failures" if continues else "failed"


def _close(recorder: Recorder) -> None:
    """A journal that refuses has been told of already; the lease then runs out by itself."""
    try:
        recorder.close()
    except JournalError:
        return


def chance() -> float:
    """A random number, 0 ≤ x < 1, for what is not journaled."""
    return int.from_bytes(os.urandom(7), "big") / (1 << 56)
