"""`resume --plan` is a rehearsal: it says what a resume would do with each call, and does nothing of it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import anabranch
from anabranch import as_completed, pipeline, step, unmapped
from anabranch.authoring.reaching import definitions_within
from anabranch.engine.rehearsing import outlined, rehearse
from anabranch.model.plans import Plan

SAME = "its inputs and its code are the same"
UNLESS = ", unless its inputs come out the same"


@step
def one(x: Any = 1) -> Any:
    return x


@step
def twice(x: Any, y: Any = 0) -> Any:
    return x * 2


@step
def numbers(n: int) -> list[int]:
    return list(range(n))


@step
def fails(x: Any) -> Any:
    raise ValueError(f"no {x}")


def breaks(ready: bool) -> Any:
    @step
    def stop(x: Any = 0) -> Any:
        if not ready:
            raise OSError("not yet")
        return x

    return stop


@pytest.fixture
def plan_of(lab) -> Callable[..., Plan]:
    """The plan for a run with the code of a pipeline; a test that rehearsing changes nothing in the journal."""

    def made(run: Any, flow: Any) -> Plan:
        before = lab.events(run)
        definition = flow._definition
        plan = rehearse(
            outlined(run.id, lab.stack.journal),
            definition,
            definitions_within(definition),
            lab.stack,
        )
        assert lab.events(run) == before
        return plan

    return made


def told(plan: Plan) -> dict[str, tuple[str, str]]:
    """By path. A call that is gone may have had the name of one that is new."""
    found: dict[str, tuple[str, str]] = {}
    for call in plan.calls:
        path = call.path if call.path not in found else f"{call.path} gone"
        found[path] = call.decision, call.reason
    return found


def decisions(plan: Plan) -> Mapping[str, str]:
    return {call.path: call.decision for call in plan.calls}


def flow_of(ready: bool, body: Callable[[Any], Any]) -> Any:
    stop = breaks(ready)

    @pipeline
    def flow() -> Any:
        return body(stop)

    return flow


# --- what is said of a call ------------------------------------------------------------------------------------


def test_what_is_recorded_is_reused_and_what_failed_runs(lab, plan_of) -> None:
    def body(stop: Any) -> Any:
        return twice(stop(one()))

    run = lab.start(flow_of(False, body))
    plan = plan_of(run, flow_of(True, body))

    assert told(plan) == {
        "one": ("reuse", SAME),
        "stop": ("run", "it failed; resume tries again"),
    }
    assert plan.beyond == "stop"
    assert plan.counts() == {"reuse": 1, "run": 1}


def test_no_step_runs_no_hook_is_called_and_nothing_is_kept(lab, plan_of, notes, stack) -> None:
    large = "x" * 100_000

    def flow_with(ready: bool) -> Any:
        @step(on_start=lambda: notes.add("step hook"), on_end=lambda: notes.add("step hook"))
        def work(x: int) -> int:
            notes.add("work")
            if not ready:
                raise OSError("not yet")
            return x

        hooks: dict[str, Any] = {
            name: (lambda name=name: notes.add(name))
            for name in ("on_init", "on_start", "on_success", "on_failure", "on_end", "on_cleanup")
        }

        @pipeline(**hooks)
        def child() -> Any:
            one(0)
            work.submit(0)
            return large

        @pipeline(**hooks)
        def flow() -> Any:
            child()
            work.submit(1)
            return large

        return flow

    run = lab.start(flow_with(False))
    stored = sorted(path for path in (stack.home / "artifacts").rglob("*") if path.is_file())
    assert "on_init" in notes.take()

    plan = plan_of(run, flow_with(True))

    assert notes.take() == []
    assert decisions(plan)["work"] == "run"
    assert stored == sorted(p for p in (stack.home / "artifacts").rglob("*") if p.is_file())
    assert lab.stack.journal.summary(run.id).lease is None


def test_an_edited_step_runs_and_what_depends_on_it_is_said_to_come_after_it(lab, plan_of) -> None:
    def flow_with(factor: int, ready: bool) -> Any:
        @step
        def scale(x: int) -> int:
            return x * factor

        return flow_of(
            ready, lambda stop: stop.submit(twice.submit(twice.submit(scale.submit(one()))))
        )

    run = lab.start(flow_with(2, False))
    found = told(plan_of(run, flow_with(3, True)))

    decision, reason = found.pop("scale")
    assert decision == "run"
    assert reason.startswith("its code has changed: ")
    assert "closure factor" in reason
    assert found == {
        "one": ("reuse", SAME),
        "twice": ("run", f"after scale{UNLESS}"),
        "twice_2": ("run", f"after scale{UNLESS}"),
        "stop": ("run", "after scale"),
    }


def test_a_call_that_is_new_is_told_and_one_that_is_gone_is_an_orphan(lab, plan_of) -> None:
    run = lab.start(flow_of(False, lambda stop: [one(1), one(2), stop()][-1]))

    plan = plan_of(
        run, flow_of(True, lambda stop: [one(1), one.submit(3), stop.submit(), None][-1])
    )

    assert told(plan) == {
        "one": ("reuse", SAME),
        "one_2": ("run", "it is new"),
        "stop": ("run", "it failed; resume tries again"),
        "one_2 gone": ("orphan", "the body no longer makes this call"),
    }
    assert plan.beyond == ""


def test_what_the_body_does_not_reach_is_judged_by_its_code(lab, plan_of) -> None:
    def flow_with(first: int, version: int, ready: bool) -> Any:
        @step
        def edited(x: int) -> int:
            return x + version

        stop = breaks(ready)

        @pipeline
        def flow() -> Any:
            one(first).load()
            return stop([twice(0), edited(0)])

        return flow

    run = lab.start(flow_with(1, 1, False))
    plan = plan_of(run, flow_with(2, 2, True))
    found = told(plan)

    assert plan.beyond == "one"
    assert found["twice"] == ("reuse", "if its inputs come out the same")
    assert found["edited"][0] == "run"
    assert found["edited"][1].startswith("its code has changed: ")
    assert found["stop"] == ("run", "it failed; resume tries again")


def test_a_step_that_is_not_found_before_the_body_calls_it_is_told_as_such(lab, plan_of) -> None:
    def made(name: str) -> Any:
        return one.with_options(name=name)

    run = lab.start(flow_of(False, lambda stop: [one(1), made("a")(1), stop()][-1]))
    plan = plan_of(run, flow_of(True, lambda stop: [one(2).load(), made("a")(1), stop()][-1]))

    assert told(plan)["a"] == ("run", "no step 'a' is found before the body calls it")


def test_a_failure_that_the_body_has_handled_is_reused_and_takes_the_same_branch(
    lab, plan_of
) -> None:
    def body(stop: Any) -> Any:
        try:
            fails(1)
        except ValueError as error:
            one(str(error))
        return stop()

    run = lab.start(flow_of(False, body))

    assert told(plan_of(run, flow_of(True, body))) == {
        "fails": ("reuse", "its failure was handled, and is part of the run"),
        "one": ("reuse", SAME),
        "stop": ("run", "it failed; resume tries again"),
    }


ASKING: dict[str, Callable[[Any], Any]] = {
    "call": lambda stop: stop(),
    "result": lambda stop: stop.submit().result(),
    "exception": lambda stop: stop.submit().exception(),
    "failures": lambda stop: stop.map([1], on_error="collect").failures,
    "load": lambda stop: stop.map([1], on_error="collect").load(),
    "len": lambda stop: len(one.map(stop.submit())),
    "wait_any": lambda stop: anabranch.wait_any([stop.submit()]).load(),
    "gather": lambda stop: anabranch.gather(stop.submit(), one.submit()),
    "child": lambda stop: pipeline(lambda_named(stop))(),
}


def lambda_named(stop: Any) -> Any:
    def child() -> Any:
        return stop()

    return child


@pytest.mark.parametrize("way", ASKING)
def test_except_exception_does_not_swallow_what_a_rehearsal_cannot_know(
    way, lab, plan_of, notes
) -> None:
    def body(stop: Any) -> Any:
        try:
            ASKING[way](stop)
        except Exception:  # noqa: BLE001  (that is the point)
            notes.add("swallowed")
        notes.add("went on")

    run = lab.start(flow_of(False, lambda stop: stop("first")))
    plan = plan_of(run, flow_of(True, body))

    assert notes.take() == []
    assert plan.beyond.removeprefix("child/").startswith("stop")


# --- maps ------------------------------------------------------------------------------------------------------


def test_items_of_maps_are_judged_one_by_one(lab, plan_of) -> None:
    def flow_with(bad: int | None) -> Any:
        @step
        def pick(x: int) -> int:
            if x == bad:
                raise OSError("not yet")
            return x

        @pipeline
        def flow() -> Any:
            return one(twice.map(pick.map(numbers(4))))

        return flow

    run = lab.start(flow_with(2))
    plan = plan_of(run, flow_with(2))

    expected = dict.fromkeys(["numbers", "pick[0]", "pick[1]", "pick[3]"], "reuse")
    expected |= dict.fromkeys(["twice[0]", "twice[1]", "twice[3]"], "reuse")
    expected |= dict.fromkeys(["pick[2]", "twice[2]", "one"], "run")
    assert decisions(plan) == expected
    assert told(plan)["twice[2]"] == told(plan)["one"] == ("run", "after pick[2]")
    assert sorted(plan.maps.values()) == ["pick", "twice"]


def test_items_of_a_map_over_what_has_to_run_come_after_it(lab, plan_of) -> None:
    def flow_with(version: int, ready: bool) -> Any:
        @step
        def source() -> list[int]:
            return [1, 2, version * 0]

        stop = breaks(ready)

        @pipeline
        def flow() -> None:
            doubled = twice.map(source.submit(), y=unmapped(5))
            stop.submit(twice.map(doubled))

        return flow

    run = lab.start(flow_with(1, False))
    plan = plan_of(run, flow_with(2, True))

    assert plan.beyond == ""
    for call in plan.calls:
        if call.step == "twice":
            assert (call.decision, call.reason) == ("run", f"after source{UNLESS}")
    assert told(plan)["stop"] == ("run", "after source")


def test_a_map_that_collects_stops_the_body_only_where_it_is_asked(lab, plan_of) -> None:
    def body(stop: Any) -> Any:
        found = stop.map([1, 2], on_error="collect")
        twice.submit(5)
        return one(found.failures)

    run = lab.start(flow_of(False, lambda stop: [twice(5), stop.map([1, 2]).load()]))
    plan = plan_of(run, flow_of(True, body))

    assert decisions(plan) == {"stop[0]": "run", "stop[1]": "run", "twice": "reuse"}


def test_an_item_that_never_began_is_not_new(lab, plan_of) -> None:
    def flow_with(ready: bool) -> Any:
        stop = breaks(ready)

        @pipeline
        def flow() -> Any:
            return stop.map(range(5), max_concurrency=1).load()

        return flow

    run = lab.start(flow_with(False))
    plan = plan_of(run, flow_with(True))

    reasons = {reason for _, reason in told(plan).values()}
    assert reasons <= {"it failed; resume tries again", "it has not begun", "it has no outcome yet"}
    assert len(plan.calls) == 5


# --- child runs ------------------------------------------------------------------------------------------------


def test_a_child_that_is_finished_is_reused_with_all_that_is_in_it(lab, plan_of, notes) -> None:
    @pipeline
    def grandchild(x: int) -> Any:
        return one(x)

    @pipeline
    def child(x: int) -> Any:
        notes.add("body")
        return twice(grandchild(x))

    def body(stop: Any) -> Any:
        return stop(child(3))

    run = lab.start(flow_of(False, body))
    notes.take()
    plan = plan_of(run, flow_of(True, body))

    assert notes.take() == []
    assert told(plan)["child"] == ("reuse", SAME)
    for path in ("child/grandchild", "child/grandchild/one", "child/twice"):
        assert told(plan)[path] == ("reuse", "it is part of child, which is reused")


def test_a_failed_child_is_rehearsed_from_within(lab, plan_of) -> None:
    def flow_with(ready: bool) -> Any:
        stop = breaks(ready)

        @pipeline
        def grandchild(x: int) -> Any:
            return stop(one(x))

        @pipeline
        def child(x: int) -> Any:
            return twice(grandchild(x))

        @pipeline
        def flow() -> Any:
            return twice(child(3))

        return flow

    run = lab.start(flow_with(False))
    plan = plan_of(run, flow_with(True))

    again = ("run", "it failed; resume tries again")
    assert told(plan) == {
        "child": again,
        "child/grandchild": again,
        "child/grandchild/one": ("reuse", SAME),
        "child/grandchild/stop": again,
    }
    assert plan.beyond == "child/grandchild/stop"


def test_a_child_without_an_outcome_whose_steps_all_have_one_is_seen_to_its_end(
    lab, plan_of
) -> None:
    """Its result is known then, large or small, and so is what becomes of the calls that take it."""

    def flow_with(version: int, ready: bool) -> Any:
        @pipeline
        def child(x: int) -> Any:
            made = one(x)
            return {"made": made, "plain": [0] * (version * 0 + 2), "large": "y" * 50_000}

        def body(stop: Any) -> Any:
            found = child(3)
            twice(found["made"])
            show = one(len(found["large"]))
            return stop([found["plain"], show])

        return flow_of(ready, body)

    run = lab.start(flow_with(1, False))
    plan = plan_of(run, flow_with(2, True))

    assert told(plan)["child"][0] == "run"
    assert told(plan)["child/one"] == ("reuse", SAME)
    assert told(plan)["twice"] == ("reuse", SAME)
    assert told(plan)["one"] == ("reuse", SAME)
    assert plan.beyond == "stop"


def test_a_submitted_child_is_rehearsed_to_its_end_although_the_body_is_not(lab, plan_of) -> None:
    def flow_with(ready: bool) -> Any:
        stop = breaks(ready)

        @pipeline
        def child(x: int) -> Any:
            for i in range(20):
                one(i)
            return stop(x)

        @pipeline
        def flow() -> Any:
            found = child.submit(1)
            if not ready:
                found.wait()
            return [stop(2), found]

        return flow

    run = lab.start(flow_with(False))
    plans = [decisions(plan_of(run, flow_with(True))) for _ in range(5)]

    assert plans[0]["child/stop"] == "run"
    assert sum(path.startswith("child/one") for path in plans[0]) == 20
    assert all(plan == plans[0] for plan in plans)


# --- bodies of every kind --------------------------------------------------------------------------------------


def test_an_async_body_is_rehearsed_and_a_task_group_too(lab, plan_of) -> None:
    def flow_with(ready: bool, group: bool) -> Any:
        stop = breaks(ready)

        async def wait(future: Any) -> Any:
            return await future

        @pipeline
        async def flow() -> None:
            await one.submit(1)
            if not group:
                await stop.submit()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(wait(twice.submit(2)))
                tasks.create_task(wait(stop.submit()))

        return flow

    for group in (False, True):
        run = lab.start(flow_with(False, group))
        plan = plan_of(run, flow_with(True, group))
        assert decisions(plan)["one"] == "reuse"
        assert decisions(plan)["stop"] == "run"
        assert plan.beyond == "stop"


def test_as_completed_hands_over_what_is_recorded_in_its_order(lab, plan_of, notes) -> None:
    def body(stop: Any) -> Any:
        futures = [one.submit(i) for i in range(5)]
        order = [future.load() for future in as_completed(futures)]
        notes.add(order)
        return stop(order)

    run = lab.start(flow_of(False, body))
    plan = plan_of(run, flow_of(True, body))

    first, again = notes.take()
    assert first == again
    assert decisions(plan)["stop"] == "run"


def test_a_rehearsal_does_not_sleep(lab, plan_of) -> None:
    def body(stop: Any) -> Any:
        one()
        anabranch.sleep(0)
        return stop()

    def naps(stop: Any) -> Any:
        one()
        anabranch.sleep(3600)
        return stop()

    run = lab.start(flow_of(False, body))
    plan = plan_of(run, flow_of(True, naps))

    assert plan.beyond == "time that has to pass"
    assert decisions(plan) == {"one": "reuse", "stop": "run"}


def test_a_body_that_fails_by_itself_is_told(lab, plan_of) -> None:
    run = lab.start(flow_of(False, lambda stop: [one(), stop()]))

    def body(stop: Any) -> Any:
        one()
        raise KeyError("gone")

    plan = plan_of(run, flow_of(True, body))

    assert plan.failure == "KeyError: 'gone'"
    assert decisions(plan) == {"one": "reuse", "stop": "orphan"}


def test_a_limit_on_concurrency_holds_nothing_back(lab, plan_of) -> None:
    def flow_with(ready: bool) -> Any:
        stop = breaks(ready)

        @pipeline(max_concurrency=1)
        def flow() -> Any:
            one.map(range(20), max_concurrency=2).wait()
            return stop.map(range(5), max_concurrency=1).load()

        return flow

    run = lab.start(flow_with(False))
    plan = plan_of(run, flow_with(True))

    assert len(plan.calls) == 25
    assert plan.counts() == {"reuse": 20, "run": 5}


# --- and it comes true -----------------------------------------------------------------------------------------


def test_a_resume_does_what_the_plan_says(lab, plan_of) -> None:
    """Where the plan has no reservation, what runs is what it said would run."""

    def flow_with(ready: bool) -> Any:
        stop = breaks(ready)

        @pipeline
        def child(x: int) -> Any:
            return twice(one(x))

        @pipeline
        def flow() -> None:
            made = one.map(numbers(5))
            found = [child(i) for i in range(3)]
            stop.submit(twice.submit(made))
            stop.submit(found[0])

        return flow

    run = lab.start(flow_with(False))
    plan = plan_of(run, flow_with(True))
    again = lab.resume(run, flow_with(True))

    assert sorted(lab.executed(again)) == sorted(
        p for p, d in decisions(plan).items() if d == "run"
    )
    assert again.status == "completed"


def test_for_a_run_that_is_over_there_is_nothing_to_plan(lab) -> None:
    run = lab.start(flow_of(True, lambda stop: stop()))

    assert outlined(run.id, lab.stack.journal).is_over
