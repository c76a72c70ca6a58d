"""The driver of a run: it owns the parts, and is what bodies and contexts call their run.

It decides nothing itself. A call becomes a node (`calls`), waits for its turn (`scheduling`), is spared if the journal
knows its outcome (`reusing`), or is run (`dispatching`, `executing`); bodies are run by `bodies`, and ended early by
`stopping`; all is written by `recording`. Handles turn to `attending`.
"""

# Parts that need each other are joined by lambdas, since one of them is made first.
# ruff: noqa: PLW0108

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager

from anabranch.engine.admission import admit
from anabranch.engine.attending import Attending
from anabranch.engine.bodies import Bodies, BodyEnd
from anabranch.engine.caching.flights import Caching
from anabranch.engine.calling import CallOptions, MapOptions
from anabranch.engine.calls import Calls
from anabranch.engine.children import Children
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.clock import Clock
from anabranch.engine.current import Question
from anabranch.engine.definitions import Definition, PipelineDefinition, StepDefinition
from anabranch.engine.dispatching import Dispatching
from anabranch.engine.executing import Executor
from anabranch.engine.futures import MapFuture, StepFuture, artifacts_of
from anabranch.engine.intake import Intake
from anabranch.engine.mailbox import Mailbox
from anabranch.engine.nodes import Collection, Input, Invocation, MapNode, Node
from anabranch.engine.reusing import Reuse
from anabranch.engine.scheduling import Scheduler
from anabranch.engine.scopes import Scope, gates_of, is_stopping
from anabranch.engine.stopping import Stopping
from anabranch.engine.waiting import Asking, Waits
from anabranch.engine.watching import Watches
from anabranch.errors import RunCancelled, RunStopping, RunTimeout
from anabranch.journal.events import CancelAsked, Event, MapExpanded, ValueDrawn
from anabranch.journal.interface import Message
from anabranch.model.ids import ROOT_SCOPE, InvocationId, RunId


class Driver:
    """One life of one run."""

    _caching: Caching
    _dispatching: Dispatching
    _mailbox: Mailbox
    _reuse: Reuse

    def __init__(self, given: Circumstances, pipeline: PipelineDefinition) -> None:
        self._given, self._pipeline = given, pipeline
        self._recorder, self._replay = given.recorder, given.replay
        self.values = given.values
        self._calls = Calls(Intake(given.values.codecs, given.fingerprints))
        self._scheduler = Scheduler(
            start=lambda node, front: self._dispatching.start(node, front),
            expand=self._expand,
            skip=lambda node, cause: self._reuse.skip(node, cause),
            queue=lambda node, seconds: self._dispatching.queue(node, seconds),
        )
        self._executor = Executor(
            values=given.values,
            recorder=given.recorder,
            fingerprints=given.fingerprints,
            settle=self._scheduler.settle,
            again=lambda node, wait: self._dispatching.again(node, wait),
            chance=given.chance,
        )
        self._executor.know(list(given.replay.state.codes))
        self._reuse = given.reuse(
            replay=given.replay,
            recorder=given.recorder,
            values=given.values,
            fingerprints=given.fingerprints,
            settle=self._scheduler.settle,
        )
        self._make_what_runs(given)
        self._make_what_waits(given)
        self._admitted: dict[int, Definition] = {}
        self._renewed = time.monotonic()
        self._crash: BaseException | None = None

    def _make_what_runs(self, given: Circumstances) -> None:
        self._bodies = Bodies(self, self._scheduler)
        self._children = Children(given, self._bodies, self._scheduler.settle)
        self._clock = Clock(self._tick, lambda: self._dispatching.pool.waits, crashed=self._crashed)
        self._dispatching = Dispatching(
            scheduler=self._scheduler,
            reuse=self._reuse,
            spares=self._spares,
            executor=self._executor,
            clock=self._clock,
            run_child=self._children.run,
            crashed=self._crashed,
        )
        self._caching = Caching(
            given,
            scheduler=self._scheduler,
            resting=self._dispatching.resting,
            first_seen=self._executor.first_seen,
            dispatch=self._dispatching.dispatch,
            drop=self._dispatching.drop,
            check=self.check,
        )

    def _make_what_waits(self, given: Circumstances) -> None:
        self._stopping = Stopping(
            scheduler=self._scheduler,
            pool=self._dispatching.pool,
            resting=self._dispatching.resting,
            reuse=self._reuse,
            cancel_async=self._dispatching.cancel_async,
        )
        self._attending = Attending(
            values=given.values,
            scheduler=self._scheduler,
            stopping=self._stopping,
            reuse=self._reuse,
            check=self.check,
        )
        self.waits = Waits(
            recorder=given.recorder,
            replay=given.replay,
            values=given.values,
            is_idle=self._is_idle,
            read=lambda: self._mailbox.read(),
        )
        self._mailbox = Mailbox(
            given.recorder,
            frozenset(given.replay.state.handled),
            {"cancel": self._cancel_asked, "answer": self.waits.offer},
        )
        self._watches = Watches(self._attending, given.replay, given.recorder)

    @property
    def graph(self) -> Mapping[InvocationId, Node]:
        """The calls and maps that have been made, in that order."""
        return self._scheduler.nodes

    def run(self, arguments: Mapping[str, object]) -> BodyEnd:
        """Runs the pipeline's body to its end. Raises signals, `KeyboardInterrupt` and `JournalError`."""
        self._root = scope = Scope(
            id=ROOT_SCOPE,
            run=self._given.run,
            definition=self._pipeline,
            parameters=arguments,
            started=self._given.started,
        )
        self._clock.start()
        try:
            end = self._bodies.run(scope, arguments)
            self.check()
            return end
        finally:
            scope.stopping = True
            self._clock.close()
            self._dispatching.close()

    # --- what bodies call --------------------------------------------------------------------------------------

    def call(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> object:
        """Runs it now; returns once its outcome is recorded. Raises its failure."""
        node, free = self._added(scope, definition, bound, options)
        if free and self._runs_here(node):
            if not self._reuse.stands_in(node) and not self._caching.stands_in_here(node):
                self._run_here(node)
        elif free:
            self._scheduler.release([node])
        if node.done and node.error is None:
            return artifacts_of(self._attending, node, None)
        return StepFuture(self._attending, node).result()

    def submit(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> StepFuture[object]:
        node, free = self._added(scope, definition, bound, options)
        if free:
            self._scheduler.release([node])
        return StepFuture(self._attending, node)

    def map(
        self,
        scope: Scope,
        definition: StepDefinition,
        bound: Mapping[str, object],
        options: CallOptions,
        mapping: MapOptions,
    ) -> MapFuture[object]:
        step = self._effective(scope, definition)
        assert isinstance(step, StepDefinition)
        node = self._calls.map(scope, step, bound, options, mapping)
        upstreams = [u for found in node.collections.values() for u in found.upstreams()]
        upstreams += [u for value in node.shared.values() for u in value.upstreams()]
        if self._scheduler.add(node, [*dict.fromkeys(upstreams), *options.after]):
            self._scheduler.release([node])
        return MapFuture(self._attending, node)

    def draw(self, scope: Scope, kind: str, make: Callable[[], float | str]) -> float | str:
        """A value that the body sees again after a resume (law L8)."""
        index = scope.draw(kind)
        known = self._replay.drawn(scope.id, kind, index)
        if known is not None:
            return known
        value = make()
        self._recorder.commit(
            ValueDrawn(at=time.time(), scope=scope.id, kind=kind, index=index, value=value)
        )
        return value

    def ask(self, scope: Scope, question: Question) -> Asking:
        """Opens a wait for an answer, or takes the one that it has had."""
        return self.waits.ask(scope, question, lambda: self.check_going_on(scope))

    def note(self, event: Event) -> None:
        self._recorder.note(event)

    def watch(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]:
        return self._watches.watch(nodes, scope)

    # --- what ends it early ------------------------------------------------------------------------------------

    def check(self) -> None:
        self._given.interrupts.check()
        self._recorder.check()
        self.waits.check()
        if self._crash is not None:
            raise self._crash

    @property
    def is_pausing(self) -> bool:
        return self.waits.is_pausing

    def was_paused(self, scope: Scope) -> bool:
        waits = self._replay.state.waits.values()
        was_open = any(wait.scope == scope.id and not wait.answer_number for wait in waits)
        return self._replay.was_paused and (scope.parent is None or was_open)

    def _is_idle(self, asking: AbstractSet[Scope]) -> bool:
        is_working = self._dispatching.is_working
        return not is_working and self._stopping.is_everybody_waiting(asking)

    def _crashed(self, error: BaseException) -> None:
        self._crash = error

    def _cancel_asked(self, number: int, message: Message) -> None:
        self._recorder.note(CancelAsked(at=time.time(), message=number, sender=message.sender))
        self._stopping.stop(self._root, run_cancelled(self._given.run, message.sender))

    def body(self, scope: Scope) -> AbstractContextManager[None]:
        """While it runs it can be stopped; its own `timeout` does it."""
        seconds = scope.definition.options.timeout
        if seconds is not None:
            spent = self._replay.state.worked_seconds if scope.parent is None else 0.0
            error = _out_of_time(scope, seconds)
            moment = time.monotonic() + max(0.0, seconds - spent)
            self._clock.call_at(moment, lambda: self._stopping.stop(scope, error))
        if scope.parent is None and not scope.definition.is_async:
            scope.interrupt = self._given.interrupts.unwinder(scope.definition.function)
        return self._stopping.body(scope)

    def cancel_running(self, scope: Scope) -> None:
        self._stopping.cancel_running(scope)

    def let_go(self, scope: Scope) -> None:
        self._stopping.let_go(scope)

    def check_going_on(self, scope: Scope) -> None:
        self.check()
        if is_stopping(scope):
            raise RunStopping
        self._reuse.pausing()

    # --- what the scheduler calls ------------------------------------------------------------------------------

    def _spares(self, node: Invocation, front: bool) -> bool:
        """Whether this run, or another one, has the outcome of a call already, or will see to it."""
        return self._reuse.stands_in(node) or self._caching.stands_in(node, front)

    def _expand(self, node: MapNode) -> None:
        items = self._calls.items_of(node)
        sources: list[Input | Collection] = [*node.collections.values(), *node.shared.values()]
        made_by = (id for source in sources for id in source.producers())
        after = dict.fromkeys([*made_by, *node.edges])
        self._recorder.note(
            MapExpanded(
                at=time.time(),
                map=node.id,
                step=node.definition.name,
                display=node.label,
                count=len(items),
                scope=node.scope.id,
                after=tuple(after),
            )
        )
        self._scheduler.release(self._scheduler.add_items(node, items))

    def _run_here(self, node: Invocation) -> None:
        if not node.scope.fails_fast:
            self._executor.run_here(node)
            return
        with self._stopping.waiting(node.scope, (node,)):
            self._executor.run_here(node)

    # --- parts of a call ---------------------------------------------------------------------------------------

    def _added(
        self,
        scope: Scope,
        definition: Definition,
        bound: Mapping[str, object],
        options: CallOptions,
    ) -> tuple[Invocation, bool]:
        definition = self._effective(scope, definition)
        node = self._calls.invocation(scope, definition, bound, options)
        upstreams = list(dict.fromkeys([*node.upstreams(), *options.after]))
        self._reuse.announce(node, options.edges)
        return node, self._scheduler.add(node, upstreams)

    def _effective(self, scope: Scope, definition: Definition) -> Definition:
        """With the template's word on it, and admitted by the stack."""
        self._given.interrupts.check()
        if is_stopping(scope):
            raise RunStopping
        if isinstance(definition, StepDefinition):
            template = scope.template(definition.name)
            definition = definition.under(template) if template else definition
        if id(definition) not in self._admitted:
            admit(definition, self._given.lacks, self._given.stack)
            self._caching.admit(definition)
            if not (isinstance(definition, StepDefinition) and scope.template(definition.name)):
                self._admitted[id(definition)] = definition
        return definition

    def _runs_here(self, node: Invocation) -> bool:
        """A sync step with nothing to wait for runs in the thread that calls it: no queue, no change of threads."""
        plain = isinstance(node.definition, StepDefinition) and not node.definition.is_async
        return (
            plain
            and node.cause is None
            and not gates_of(node.scope)
            and not is_stopping(node.scope)
        )

    def _tick(self) -> None:
        self._given.interrupts.again()
        if not self._recorder.is_writing:  # a thread that writes has no use for another one
            self._dispatching.pool.tick()
        self._executor.show_running()
        self._recorder.flush()
        self._stopping.look()
        self._mailbox.look()
        self.waits.look()
        now = time.monotonic()
        if now - self._renewed > self._given.lease_seconds / 3:
            self._renewed = now
            self._recorder.renew()


def run_cancelled(run: RunId, sender: str) -> RunCancelled:
    """How a run ends that `sender` has cancelled."""
    return RunCancelled(
        f"the run was cancelled by {sender}", f"run {run}", "start a new run if it is needed"
    )


def _out_of_time(scope: Scope, seconds: float) -> RunTimeout:
    return RunTimeout(
        f"the pipeline worked longer than its timeout of {seconds:g} s",
        f"pipeline {scope.definition.name!r} in run {scope.run}",
        "raise the timeout; a resume has all of it again, and goes on from what is recorded",
    )
