"""The driver of a run: it owns the parts, and is what handles and contexts call their run.

It decides nothing itself. A call becomes a node (`calls`), waits for its turn (`scheduling`), is spared if the journal
knows its outcome (`replaying`), or is run (`executing`); bodies are run by `bodies`; all is written by `recording`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from anabranch import engine
from anabranch.engine.admission import admit
from anabranch.engine.artifacts import Place
from anabranch.engine.bodies import Bodies, BodyEnd
from anabranch.engine.caching import Caching
from anabranch.engine.calling import CallOptions, MapOptions
from anabranch.engine.calls import Calls
from anabranch.engine.children import Children
from anabranch.engine.circumstances import Circumstances
from anabranch.engine.clock import Clock
from anabranch.engine.definitions import Definition, PipelineDefinition, StepDefinition
from anabranch.engine.executing import Executor
from anabranch.engine.futures import MapFuture, StepFuture, artifacts_of
from anabranch.engine.intake import Intake
from anabranch.engine.nodes import Collection, Input, Invocation, MapNode, Node
from anabranch.engine.resting import Resting
from anabranch.engine.reusing import Reuse
from anabranch.engine.scheduling import Scheduler, dropped, is_stopping
from anabranch.engine.scopes import Scope, gates_of
from anabranch.engine.shapes import rebuilt
from anabranch.engine.watching import Watches
from anabranch.engine.workers import WorkerPool
from anabranch.errors import RunStopping
from anabranch.journal.events import Event, MapExpanded, ValueDrawn
from anabranch.model.ids import ROOT_SCOPE, InvocationId
from anabranch.model.records import Output

THREADS = 64
"""Inline steps that run at once in one run, unless it asks for fewer."""

_LOOK_SECONDS = 0.5


class Driver:
    """One life of one run."""

    def __init__(self, given: Circumstances, pipeline: PipelineDefinition) -> None:
        self._given, self._pipeline = given, pipeline
        self._recorder, self._replay = given.recorder, given.replay
        self.values = given.values
        self._calls = Calls(Intake(given.values.codecs, given.fingerprints))
        self._scheduler = Scheduler(
            start=self._start,
            expand=self._expand,
            skip=lambda node, cause: self._reuse.skip(node, cause),  # noqa: PLW0108  (made below)
        )
        self._executor = Executor(
            values=given.values,
            recorder=given.recorder,
            fingerprints=given.fingerprints,
            settle=self._scheduler.settle,
            again=self._again,
            chance=given.chance,
        )
        self._executor.know(list(given.replay.state.codes))
        self._reuse = Reuse(
            replay=given.replay,
            recorder=given.recorder,
            values=given.values,
            fingerprints=given.fingerprints,
            settle=self._scheduler.settle,
        )
        self._watches = Watches(self, given.replay, given.recorder)
        self._bodies = Bodies(self, self._scheduler)
        self._children = Children(
            root=given.run,
            bodies=self._bodies,
            recorder=given.recorder,
            values=given.values,
            fingerprints=given.fingerprints,
            settle=self._scheduler.settle,
        )
        self._pool = WorkerPool(self._guarded(self._executor.run), THREADS)
        self._clock = Clock(self._tick, lambda: self._pool.waits)
        self._resting = Resting(self._clock.call_at)
        self._caching = Caching(
            given,
            scheduler=self._scheduler,
            resting=self._resting,
            first_seen=self._executor.first_seen,
            dispatch=self._dispatch,
            drop=self._not_again,
            check=self.check,
        )
        self._async: engine.AsyncSteps | None = None
        self._async_lock = threading.Lock()
        self._admitted: dict[int, Definition] = {}
        self._renewed = time.monotonic()
        self._crash: BaseException | None = None

    def run(self, arguments: Mapping[str, object]) -> BodyEnd:
        """Runs the pipeline's body to its end. Raises signals, `KeyboardInterrupt` and `JournalError`."""
        scope = Scope(
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
            self._pool.close()
            if self._async is not None:
                self._async.close()

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
                self._executor.run_here(node)
        elif free:
            self._scheduler.release([node])
        if node.done and node.error is None:
            return artifacts_of(self, node, None)
        return StepFuture(self, node).result()

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
        return StepFuture(self, node)

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
        return MapFuture(self, node)

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

    def note(self, event: Event) -> None:
        self._recorder.note(event)

    # --- what handles call -------------------------------------------------------------------------------------

    def wait(self, node: Node, timeout: float | None) -> None:
        if node.done:
            return
        arrived = threading.Lock()
        arrived.acquire()
        if not self._scheduler.when_done(node, lambda _: arrived.release()):
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if arrived.acquire(timeout=max(0.0, min(left, _LOOK_SECONDS))):
                return
            self.check()
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{node.name} is not done after {timeout:g} s")

    def expanded(self, node: MapNode) -> None:
        self.wait(node.expansion, None)
        if node.expansion.error is not None:
            self.observe(node)
            raise node.expansion.error

    def when_done(self, node: Node, callback: Callable[[Node], None]) -> bool:
        return self._scheduler.when_done(node, callback)

    def observe(self, node: Node) -> None:
        self._scheduler.observe(node)

    def cancel(self, node: Node) -> bool:
        if node.done:
            return False
        if isinstance(node, MapNode):
            if self._scheduler.withdraw_map(node):
                return True
            self.wait(node.expansion, None)
            asked = [self.cancel(item) for item in node.items or ()]
            return any(asked)
        if not isinstance(node, Invocation):
            return False
        unclaimed = self._scheduler.withdraw(node)
        if unclaimed or self._pool.remove(node) or self._resting.let_go(node):
            self._reuse.cancelled(node)
        elif node.inside is not None:
            node.inside.stopping = True
            self.cancel_running(node.inside)
            self.let_go(node.inside)
        elif self._async is not None and node.definition.is_async and node.status == "running":
            self._async.cancel(node)
        return True

    def watch(self, nodes: Sequence[Node], scope: Scope) -> Iterator[Node]:
        return self._watches.watch(nodes, scope)

    def rebuild(self, node: Invocation) -> object:
        own = Place(node.id, _NOWHERE, node.number, self.values)
        return rebuilt(node.shape, own, node.outputs, self._located)

    def check(self) -> None:
        self._given.interrupts.check()
        self._recorder.check()
        if self._crash is not None:
            raise self._crash

    def check_going_on(self, scope: Scope) -> None:
        self.check()
        if is_stopping(scope):
            raise RunStopping

    def cancel_running(self, scope: Scope) -> None:
        for node in self._scheduler.running_in(scope):
            self.cancel(node)

    def let_go(self, scope: Scope) -> None:
        """No call of a scope that stops waits for its next attempt: a resume makes it."""
        for node in self._resting.let_go_within(scope):
            self._scheduler.settle(node, dropped(node.name))

    # --- what the scheduler calls ------------------------------------------------------------------------------

    def _start(self, node: Invocation, front: bool) -> None:
        if not self._scheduler.claim(node) or self._reuse.stands_in(node):
            return
        if not self._caching.stands_in(node, front):
            self._dispatch(node, front)

    def _dispatch(self, node: Invocation, front: bool) -> None:
        wait = node.not_before - time.time()
        if wait > 0:
            node.not_before = 0.0
            if not self._resting.add(node, wait, lambda: self._dispatch(node, front)):
                self._not_again(node)
            return
        definition = node.definition
        if isinstance(definition, PipelineDefinition):
            work = self._guarded(lambda node: self._children.run(node, definition))
            threading.Thread(
                target=work, args=(node,), name=f"anabranch-{node.name}", daemon=True
            ).start()
        elif node.definition.is_async:
            self._async_steps().put(node, self._executor.run_async(node))
        elif self._pool.put(node, front):
            self._clock.wake()

    def _again(self, node: Invocation, wait: float) -> None:
        node.attempt += 1
        node.not_before = time.time() + wait
        if is_stopping(node.scope):
            self._not_again(node)
        else:
            self._dispatch(node, front=False)

    def _not_again(self, node: Invocation) -> None:
        if node.cancelling:
            self._reuse.cancelled(node)
        else:
            self._scheduler.settle(node, dropped(node.name))

    def _expand(self, node: MapNode) -> None:
        items = self._calls.items_of(node)
        sources: list[Input | Collection] = [*node.collections.values(), *node.shared.values()]
        after = dict.fromkeys(id for source in sources for id in source.producers())
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

    def _located(self, id: InvocationId) -> tuple[tuple[Output, ...], int]:
        node = self._scheduler.nodes.get(id)
        if isinstance(node, Invocation) and node.done:
            return node.outputs, node.number
        return self._reuse.outputs(id)

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
        self._reuse.announce(node, options.after)
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

    def _async_steps(self) -> "engine.AsyncSteps":
        with self._async_lock:
            if self._async is None:
                self._async = engine.AsyncSteps()
            return self._async

    def _guarded(self, work: Callable[[Invocation], None]) -> Callable[[Invocation], None]:
        """A fault of ours in a thread must end the run, not leave it waiting."""

        def guarded(node: Invocation) -> None:
            try:
                work(node)
            except BaseException as error:  # noqa: BLE001  (ours, by definition: users' are caught earlier)
                self._crash = error

        return guarded

    def _tick(self) -> None:
        self._given.interrupts.again()
        if not self._recorder.is_writing:  # a thread that writes has no use for another one
            self._pool.tick()
        self._executor.show_running()
        self._recorder.flush()
        now = time.monotonic()
        if now - self._renewed > self._given.lease_seconds / 3:
            self._renewed = now
            self._recorder.renew()


_NOWHERE = Output(name="", artifact="", digest="", size=0, codec="", type="")
