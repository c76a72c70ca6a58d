"""Random programs, run by the engine and by an interpreter that does one thing after another: they must agree.

A program is a body of calls, submits, maps, maps over maps and child pipelines, whose steps fail where they are told
to, and which looks at some of the failures. What is determined, and compared:

* In a body that has nothing unhandled, and in every `CONTINUE_ON_FAILURE` body: the status of each call. In the body of
  a `STOP_ON_FAILURE` run that fails: of each call that the body has waited for.
* Elsewhere a call is either what it would be, or it did not start, or it was cancelled, or skipped for one that was: in
  `FAIL_FAST` a map ends with its first failure, and what another map would do with its other items is skipped.
* Always: the value of every call that completed, and the status of the run. `FAIL_FAST` may fail a run for a failure
  that the body would have looked at later; and which of two failed upstreams made a call be skipped is not determined.

Then the failures are mended and the run is resumed: a failure that was handled is history, the others are tried again,
and the result is the one that the interpreter gives for that. What had completed is not executed again unless its
inputs have changed. In the end the run is complete.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anabranch import MapFuture, Pipeline, as_completed, gather, pipeline, step, unmapped
from anabranch.errors import UpstreamFailed
from anabranch.journal.fold import InvocationState, RunState

# --- programs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A step that adds numbers up, or with a `length` a list of them. `inputs` and `after` are places in the body."""

    name: str
    inputs: tuple[int, ...]
    after: tuple[int, ...]
    fails: bool
    is_async: bool
    is_submitted: bool
    is_handled: bool
    length: int | None


@dataclass(frozen=True)
class Map:
    """Over numbers, over the results at some places, or over the map or list at one place. Even items may fail."""

    name: str
    numbers: tuple[int, ...]
    places: tuple[int, ...]
    whole: int | None
    fails: bool
    is_async: bool
    collects: bool
    limit: int | None


@dataclass(frozen=True)
class Child:
    name: str
    body: "Body"
    inputs: tuple[int, ...]
    is_submitted: bool
    is_handled: bool


@dataclass(frozen=True)
class Look:
    """At one place or several: by `exception()`, by `result()`, by `gather` or by `as_completed`."""

    how: str
    places: tuple[int, ...]
    is_handled: bool


@dataclass(frozen=True)
class Body:
    statements: tuple["Call | Map | Child | Look", ...]
    mode: str
    limit: int | None
    returned: tuple[int, ...]


MODES = ["STOP_ON_FAILURE", "FAIL_FAST", "CONTINUE_ON_FAILURE"]
chances = st.sampled_from([False, False, True])
limits = st.sampled_from([None, None, 1, 2])


@st.composite
def bodies(draw: Callable[..., Any], mode: str, depth: int = 0, prefix: str = "s") -> Body:
    statements: list[Call | Map | Child | Look] = []
    for number in range(draw(st.integers(1, 8 - 2 * depth))):
        name = f"{prefix}{number}"
        kinds = ["call", "call", "map", "look"] + ["child"] * (depth < 2)
        kind = draw(st.sampled_from(kinds))
        calls = [p for p, s in enumerate(statements) if not isinstance(s, Look)]
        submitted = [p for p in calls if isinstance(s := statements[p], Map) or s.is_submitted]
        some = st.lists(st.sampled_from(calls), max_size=2, unique=True) if calls else st.just([])
        if kind == "look":
            if not submitted:
                continue
            how = draw(st.sampled_from(["exception", "result", "gather", "as_completed"]))
            looked = draw(st.lists(st.sampled_from(submitted), min_size=1, max_size=3, unique=True))
            statements.append(Look(how, tuple(looked), not draw(chances)))
        elif kind == "child":
            body = draw(bodies(draw(st.sampled_from(MODES)), depth + 1, f"{name}_"))
            inputs = tuple(draw(some))
            statements.append(Child(name, body, inputs, draw(st.booleans()), not draw(chances)))
        elif kind == "map":
            statements.append(_map(draw, name, statements, calls, some))
        else:
            after = [p for p in draw(some) if p in submitted]
            statements.append(
                Call(
                    name,
                    inputs=tuple(draw(some)),
                    after=tuple(after),
                    fails=draw(chances),
                    is_async=draw(chances),
                    is_submitted=draw(st.booleans()),
                    is_handled=not draw(chances),
                    length=draw(st.sampled_from([None, None, 0, 3])),
                )
            )
    calls = [p for p, s in enumerate(statements) if not isinstance(s, Look)]
    whole = [p for p in calls if not (isinstance(s := statements[p], Map) and s.collects)]
    returned = draw(st.lists(st.sampled_from(whole), max_size=2, unique=True)) if whole else []
    return Body(tuple(statements), mode, draw(limits), tuple(returned))


def _map(
    draw: Callable[..., Any],
    name: str,
    statements: Sequence[Any],
    calls: list[int],
    some: st.SearchStrategy[list[int]],
) -> Map:
    wholes = [
        p
        for p in calls
        if isinstance(s := statements[p], Map)
        or (isinstance(s, Call) and s.length is not None and s.is_submitted)
    ]
    over = draw(st.sampled_from(["numbers", "places"] + ["whole"] * 2 * bool(wholes)))
    places = tuple(draw(some)) if over == "places" else ()
    return Map(
        name,
        numbers=tuple(draw(st.lists(st.integers(0, 9), max_size=4))) if not places else (),
        places=places,
        whole=draw(st.sampled_from(wholes)) if over == "whole" else None,
        fails=draw(chances),
        is_async=draw(chances),
        collects=draw(chances),
        limit=draw(limits),
    )


def added_up(name: str, given: Any) -> int:
    """What every step of a program computes: different for each of them, and for every input."""
    return (sum(map(ord, name)) * 7 + sum(n * 3 for n in flat(given))) % 1009


def flat(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    else:
        for item in value:
            yield from flat(item)


# --- the engine --------------------------------------------------------------------------------------------------


def compute(name: str, given: Any, fails: bool, length: int | None, is_mended: bool) -> Any:
    if fails and not is_mended:
        raise ValueError(name)
    total = added_up(name, given)
    return total if length is None else [total + place for place in range(length)]


class Workshop:
    """Turns a program into a pipeline. `mended` is a list of notes: with something in it, nothing fails any more."""

    def __init__(self, mended: Any) -> None:
        @step
        def work(name: str, given: Any, fails: bool, length: int | None) -> Any:
            return compute(name, given, fails, length, len(mended) > 0)

        @step
        async def awork(name: str, given: Any, fails: bool, length: int | None) -> Any:
            await asyncio.sleep(0)
            return compute(name, given, fails, length, len(mended) > 0)

        @step
        def item(name: str, given: Any, fails: bool) -> int:
            return compute(name, given, fails and sum(flat(given)) % 2 == 0, None, len(mended) > 0)

        @step
        async def aitem(name: str, given: Any, fails: bool) -> int:
            await asyncio.sleep(0)
            return compute(name, given, fails and sum(flat(given)) % 2 == 0, None, len(mended) > 0)

        self._work, self._awork, self._item, self._aitem = work, awork, item, aitem

    def pipeline(self, body: Body, name: str = "program") -> Pipeline[..., Any]:
        @pipeline(name=name, execution_mode=body.mode, max_concurrency=body.limit)
        def program(given: Any) -> Any:
            env: dict[int, Any] = {-1: given}
            seen: list[int] = []
            for place, statement in enumerate(body.statements):
                if isinstance(statement, Look):
                    seen.append(self._look(statement, env))
                elif isinstance(statement, Map):
                    env[place] = self._map(statement, env)
                elif isinstance(statement, Call):
                    env[place] = self._call(statement, env, seen)
                else:
                    env[place] = self._child(statement, env)
            if name == "program":
                return {"seen": seen, "returned": [env[place] for place in body.returned]}
            return env[body.returned[0]] if body.returned else sum(seen)

        return program

    def _call(self, call: Call, env: dict[int, Any], seen: list[int]) -> Any:
        made = (self._awork if call.is_async else self._work).with_options(name=call.name)
        given = [env[-1], sum(seen), *(env[place] for place in call.inputs)]
        after = [env[place] for place in call.after]
        return _made(call, made, call.name, given, call.fails, call.length, after=after)

    def _map(self, map: Map, env: dict[int, Any]) -> Any:
        made = (self._aitem if map.is_async else self._item).with_options(name=map.name)
        if map.whole is not None:
            over = env[map.whole]
        else:
            over = [env[place] for place in map.places] or list(map.numbers)
        return made.map(
            unmapped(map.name),
            over,
            unmapped(map.fails),
            max_concurrency=map.limit,
            on_error="collect" if map.collects else "raise",
        )

    def _child(self, child: Child, env: dict[int, Any]) -> Any:
        made = self.pipeline(child.body, child.name)
        return _made(child, made, [env[place] for place in child.inputs])

    def _look(self, look: Look, env: dict[int, Any]) -> int:
        futures = [env[place] for place in look.places]
        total = 0
        if look.how == "as_completed":
            single = [f for f in futures if not isinstance(f, MapFuture)]
            items = [item for f in futures if isinstance(f, MapFuture) for item in f]
            for future in as_completed([*single, *items]):
                total += 1 if future.exception() is not None else sum(flat(future.load()))
        elif look.how == "exception":
            total = sum(future.exception() is not None for future in futures)
        elif look.is_handled:
            with suppress(ValueError, UpstreamFailed):
                total = _loaded(look.how, futures)
        else:
            total = _loaded(look.how, futures)
        return total


def _made(statement: Call | Child, made: Any, *args: Any, **options: Any) -> Any:
    """The handle of a call; a plain number where the body has handled its failure."""
    if statement.is_submitted:
        return made.submit(*args, **options)
    if not statement.is_handled:
        return made(*args, **options)
    try:
        return made(*args, **options)
    except (ValueError, UpstreamFailed):
        return 5


def _loaded(how: str, futures: list[Any]) -> int:
    results = gather(*futures) if how == "gather" else [future.result() for future in futures]
    return sum(flat(_value(result) for result in results))


def _value(result: Any) -> Any:
    """A failed item of a map that collects counts for one."""
    if isinstance(result, list):
        return [_value(item) for item in result]
    if isinstance(result, BaseException):
        return 1
    return result if isinstance(result, int) else result.load()


# --- the interpreter ---------------------------------------------------------------------------------------------


class Undetermined(Exception):
    """What comes next depends on who was first."""


class Raised(Exception):
    """The body ends here, with the failure of a call that it did not handle."""


@dataclass(eq=False)
class Node:
    """A call as it must end. `causes` are the failed upstreams that made it be skipped, or a map's failed item."""

    name: str
    scope: "Scope"
    status: str = "completed"
    value: Any = None
    given: Any = None
    causes: list["Node"] = field(default_factory=list)
    items: list["Node"] | None = None
    is_map: bool = False
    is_child: bool = False
    is_in_background: bool = False
    observed: str = "no"
    was_waited_for: bool = False

    @property
    def failed(self) -> bool:
        return self.status != "completed"


@dataclass(eq=False)
class Scope:
    body: Body
    parent: "Scope | None" = None
    nodes: list[Node] = field(default_factory=list)
    child: Node | None = None
    raised: bool = False

    @property
    def may_end_early(self) -> bool:
        """`FAIL_FAST` does not wait for the body to look at what has failed."""
        return self.body.mode == "FAIL_FAST" and any(
            node.failed and node.is_in_background for node in self.nodes
        )

    def unhandled(self) -> list[Node]:
        return [n for n in self.nodes if n.failed and n.observed == "no" and not n.items]

    def perhaps_unhandled(self) -> list[Node]:
        return [n for n in self.nodes if n.failed and n.observed == "perhaps" and not n.items]

    @property
    def is_calm(self) -> bool:
        """Whether all that it asked for is done as if nothing had gone wrong."""
        own = self.body.mode == "CONTINUE_ON_FAILURE" or not (
            self.raised or self.unhandled() or self.perhaps_unhandled()
        )
        return own and not self.may_end_early and (self.parent is None or self.parent.is_calm)


class Interpreter:
    """`recorded` are the calls that fail, since the journal says so; with `None` the program says what fails."""

    def __init__(self, recorded: set[str] | None) -> None:
        self._recorded = recorded
        self.nodes: dict[str, Node] = {}

    def run(self, body: Body, given: Any, scope: Scope) -> Any:
        """The result. Raises `Raised`, or `Undetermined`."""
        env: dict[int, Any] = {-1: given}
        seen: list[int] = []
        for place, statement in enumerate(body.statements):
            if isinstance(statement, Look):
                seen.append(self._look(statement, [env[p] for p in statement.places]))
            elif isinstance(statement, Map):
                env[place] = self._map(statement, env, scope)
            elif isinstance(statement, Call):
                env[place] = self._call(statement, env, seen, scope)
            else:
                env[place] = self._child(statement, env, scope)
        if scope.parent is None:
            return {"seen": seen, "returned": [self._result(env[p]) for p in body.returned]}
        return self._result(env[body.returned[0]]) if body.returned else sum(seen)

    # --- statements ----------------------------------------------------------------------------------------------

    def _call(self, call: Call, env: dict[int, Any], seen: list[int], scope: Scope) -> Any:
        handles = [env[p] for p in call.inputs]
        node = self._node(call.name, scope, [*handles, *(env[p] for p in call.after)])
        if not node.failed:
            given = [env[-1], sum(seen), *map(_passed, handles)]
            self._compute(node, given, call.fails, call.length)
        return self._made(call, node)

    def _map(self, map: Map, env: dict[int, Any], scope: Scope) -> Node:
        whole = env[map.whole] if map.whole is not None else None
        upstreams = [whole] if isinstance(whole, Node) and whole.items is None else []
        node = self._node(map.name, scope, upstreams)
        node.is_map = node.is_in_background = True
        if node.failed:
            return node
        if whole is None:
            over = [env[p] for p in map.places] or list(map.numbers)
        else:
            over = whole.value if whole.items is None else whole.items
        node.items = [self._item(map, i, one, scope) for i, one in enumerate(over)]
        failed = [item for item in node.items if item.failed]
        if failed and not map.collects:
            node.status, node.causes = "failed", failed[:1]
        node.value = [item.value for item in node.items if not item.failed]
        return node

    def _item(self, map: Map, index: int, one: Any, scope: Scope) -> Node:
        item = self._node(f"{map.name}[{index}]", scope, [one])
        item.is_in_background = True
        item.observed = "yes" if map.collects else "no"
        if not item.failed:
            value = _passed(one)
            self._compute(item, value, map.fails and sum(flat(value)) % 2 == 0, None, map.name)
        return item

    def _child(self, child: Child, env: dict[int, Any], scope: Scope) -> Any:
        handles = [env[p] for p in child.inputs]
        node = self._node(child.name, scope, handles)
        node.is_child = True
        if not node.failed:
            node.given = [_passed(handle) for handle in handles]
            if self._recorded is not None and child.name in self._recorded:
                node.status = "failed"
            else:
                self._body(child.body, node, scope)
        return self._made(child, node)

    def _body(self, body: Body, node: Node, scope: Scope) -> None:
        inside = Scope(body, scope, child=node)
        try:
            node.value = self.run(body, node.given, inside)
        except Raised:
            inside.raised = True
        if inside.raised or inside.unhandled():
            node.status = "failed"
        elif inside.perhaps_unhandled() or inside.may_end_early:
            raise Undetermined

    def _look(self, look: Look, nodes: list[Node]) -> int:
        if look.how == "as_completed":
            every = [n for n in nodes if not n.is_map]
            for whole in (n for n in nodes if n.is_map):
                if whole.items is None:
                    self._observe(whole)
                    raise Raised
                every += whole.items
            for node in every:
                self._observe(node)
            return sum(1 if node.failed else sum(flat(node.value)) for node in every)
        if look.how == "exception":
            for node in nodes:
                self._observe(node)
            return sum(node.failed for node in nodes)
        total = 0
        for node in nodes:
            self._observe(node)
            if node.failed and not look.is_handled:
                raise Raised
            if node.failed:
                return 0
            found = node.items if node.items is not None else [node]
            total += sum(1 if one.failed else sum(flat(one.value)) for one in found)
        return total

    # --- parts ---------------------------------------------------------------------------------------------------

    def _node(self, name: str, scope: Scope, upstreams: list[Any]) -> Node:
        node = Node(name, scope)
        failed = [u for u in upstreams if isinstance(u, Node) and u.failed]
        if failed:
            node.status, node.causes = "skipped", list(dict.fromkeys(failed))
        scope.nodes.append(node)
        self.nodes[name] = node
        return node

    def _compute(
        self, node: Node, given: Any, fails: bool, length: int | None, name: str = ""
    ) -> None:
        node.given = given
        if fails if self._recorded is None else node.name in self._recorded:
            node.status = "failed"
        else:
            node.value = compute(name or node.name, given, False, length, True)

    def _made(self, statement: Call | Child, node: Node) -> Any:
        node.is_in_background = statement.is_submitted
        if statement.is_submitted:
            return node
        self._observe(node) if statement.is_handled or not node.failed else self._wait(node)
        if not node.failed:
            return node
        if not statement.is_handled:
            raise Raised
        return 5

    def _result(self, handle: Any) -> Any:
        if not isinstance(handle, Node):
            return handle
        self._wait(handle)
        if handle.failed:
            raise Raised
        if handle.items is None:
            return handle.value
        return [item.value for item in handle.items]

    def _wait(self, node: Node) -> None:
        node.was_waited_for = True
        for item in node.items or ():
            item.was_waited_for = True

    def _observe(self, node: Node, how: str = "yes") -> None:
        """The body is shown how it ended, and so what made it end so; of two causes it is one of them."""
        self._wait(node)
        waiting = [(node, how)]
        while waiting:
            seen, how = waiting.pop()
            seen.observed = "yes" if "yes" in (how, seen.observed) else how
            known = how if len(seen.causes) == 1 else "perhaps"
            waiting += [(cause, known) for cause in seen.causes if cause.observed != "yes"]
            waiting += [(item, how) for item in seen.items or () if item.failed]


def _passed(handle: Any) -> Any:
    return handle.value if isinstance(handle, Node) else handle


@dataclass(frozen=True)
class Prediction:
    """What must become of a run. `status` is `None` where it is not determined, `value` where there is none."""

    status: str | None
    value: Any
    nodes: dict[str, Node]


def predicted(body: Body, recorded: set[str] | None = None) -> Prediction | None:
    """`recorded` are the calls whose failure the journal has; without it the program says what fails."""
    interpreter, scope = Interpreter(recorded), Scope(body)
    value: Any = None
    try:
        value = interpreter.run(body, 1, scope)
    except Raised:
        scope.raised = True
    except Undetermined:
        return None
    failed = "completed_with_failures" if body.mode == "CONTINUE_ON_FAILURE" else "failed"
    if scope.raised or scope.unhandled():
        return Prediction(failed, None, interpreter.nodes)
    is_open = scope.perhaps_unhandled() or scope.may_end_early
    return Prediction(None if is_open else "completed", value, interpreter.nodes)


# --- they agree --------------------------------------------------------------------------------------------------

drawn = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check_statuses(lab: Any, run: Any, expected: Prediction, body: Body) -> None:
    statuses, behind = lab.statuses(run), cancelled_upstreams(lab.state(run))
    for name, node in expected.nodes.items():
        if node.is_map:
            continue
        found = statuses.get(name, "pending")
        waits = node.scope.parent is None and body.mode == "STOP_ON_FAILURE"
        if node.scope.is_calm or (waits and node.was_waited_for):
            assert found == node.status, name
        else:
            was_cut_off = node.scope.body.mode == "FAIL_FAST" and name in behind
            ways = (node.status, "pending", "cancelled", *(["skipped"] if was_cut_off else []))
            assert found in ways, name
        if found == node.status == "completed" and not node.is_child:
            assert run.artifact(name).load() == node.value, name


def cancelled_upstreams(state: RunState) -> set[str]:
    """The calls that were skipped for another that was cancelled."""
    return {
        known.display
        for known in state.invocations.values()
        if known.cause is not None and state.invocations[known.cause].status == "cancelled"
    }


def reused_failures(state: RunState) -> set[str]:
    """The calls that failed in an earlier life, and were not tried again in this one."""

    def is_reused(known: InvocationState) -> bool:
        parent = state.invocations.get(known.scope)
        return known.reused_in_life == state.life or (parent is not None and is_reused(parent))

    calls = state.invocations.values()
    return {known.display for known in calls if known.status == "failed" and is_reused(known)}


@pytest.mark.parametrize("mode", MODES)
def test_a_program_does_what_one_thing_after_another_would_do_and_a_resume_completes_it(
    mode, lab, notes
) -> None:
    @drawn
    @given(bodies(mode))
    def check(body: Body) -> None:
        notes.take()
        program = Workshop(notes).pipeline(body)
        expected = predicted(body)

        run = lab.start(program, 1)

        if expected is not None:
            assert expected.status in (None, run.status)
            check_statuses(lab, run, expected, body)
            if run.status == "completed":
                assert run.load() == expected.value
        else:
            assert run.status in ("completed", "failed", "completed_with_failures")

        notes.add("mended")
        for _ in range(
            8
        ):  # what the body had not come to may fail for a failure that it has handled
            if run.status == "completed":
                break
            run = check_resume(lab, run, program, body, expected)
        assert run.status == "completed"

    check()


def check_resume(
    lab: Any, run: Any, program: Pipeline[..., Any], body: Body, before: Prediction | None
) -> Any:
    """It does what the interpreter does with the failures that are history; and nothing again that had completed."""
    completed = {
        id for id, known in lab.state(run).invocations.items() if known.status == "completed"
    }

    again = lab.resume(run, program)

    state, changed = lab.state(again), lab.reasons(again)
    expected = predicted(body, reused_failures(state))
    if expected is not None:
        assert expected.status in (None, again.status)
        if again.status == "completed":
            assert again.load() == expected.value
    for id in completed & lab.executed_ids(again):
        name = state.invocations[id].display
        assert changed[name] == "its inputs have changed"
        if before is not None and expected is not None:
            assert before.nodes[name].given != expected.nodes[name].given
    return again
