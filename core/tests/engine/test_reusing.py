"""L3: an outcome is used again only where inputs and code are what they were; otherwise the reason is recorded."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import anabranch
from anabranch import Artifact, pipeline, step, unmapped
from anabranch.errors import ArtifactMissing
from anabranch.journal.events import OutcomeReused


@dataclass
class Settings:
    rate: float
    names: tuple[str, ...] = ()


def stop_here(ready: bool) -> Any:
    """A step that fails until the code says that it is ready."""

    @step
    def stop(go_on: bool) -> int:
        if not go_on:
            raise OSError("not yet")
        return 0

    return lambda: stop(ready)


def flow_with(ready: bool, body: Any) -> Any:
    stop = stop_here(ready)

    @pipeline
    def flow() -> Any:
        found = body()
        if hasattr(found, "wait"):
            found.wait()
        stop()
        return found

    return flow


@pytest.fixture
def edited(lab):
    """Runs one body up to a failure, and resumes with another; tells what was executed again, and why."""

    def run(before: Any, after: Any) -> tuple[Any, list[str], dict[str, str]]:
        first = lab.start(flow_with(False, before))
        assert isinstance(first.error, OSError), first.error
        again = lab.resume(first, flow_with(True, after))
        executed = [name for name in lab.executed(again) if name != "stop"]
        reasons = {k: v for k, v in lab.reasons(again).items() if k != "stop"}
        return again.load(), sorted(executed), reasons

    return run


def work_of(constant: int = 1, helper: Any = None, default: int = 0) -> Any:
    help_ = helper or (lambda x: x)

    @step
    def work(x: Any, y: int = default) -> Any:
        return help_(x) * constant + y

    return work


def test_nothing_is_executed_again_when_nothing_has_changed(edited) -> None:
    result, executed, reasons = edited(lambda: work_of()(3), lambda: work_of()(3))

    assert (result, executed, reasons) == (3, [], {})


def test_what_is_reused_is_told_in_the_journal(lab) -> None:
    run = lab.start(flow_with(False, lambda: work_of().map([1, 2])))
    again = lab.resume(run, flow_with(True, lambda: work_of().map([1, 2])))

    reused = {event.invocation for event in lab.events(again) if isinstance(event, OutcomeReused)}
    names = {lab.state(again).invocations[id].display for id in reused}
    assert names == {"work[0]", "work[1]"}


EDITS: dict[str, tuple[Any, Any, int, str]] = {
    "a constant": (work_of(), work_of(constant=2), 6, "constant"),
    "a default": (work_of(), work_of(default=5), 8, "default y"),
    "a helper": (work_of(helper=lambda x: x + 1), work_of(helper=lambda x: x + 2), 5, "help_"),
}


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("way", ["call", "submit", "map"])
def test_a_changed_piece_of_code_is_executed_again_and_named(what, way, edited) -> None:
    before, after, result, named = EDITS[what]

    def called(work: Any) -> Any:
        if way == "map":
            return work.map([3])
        return work(3) if way == "call" else work.submit(3)

    found, executed, reasons = edited(lambda: called(before), lambda: called(after))

    name = "work[0]" if way == "map" else "work"
    assert found == ([result] if way == "map" else result)
    assert executed == [name]
    assert reasons[name].startswith("its code has changed")
    assert named in reasons[name]


ARGUMENTS: dict[str, tuple[Any, Any]] = {
    "a number": (1, 2),
    "a number of another type": (1, 1.0),
    "a truth value": (1, True),
    "a text": ("a", "b"),
    "bytes and text": (b"a", "a"),
    "a list": ([1, 2], [2, 1]),
    "a tuple and a list": ((1, 2), [1, 2]),
    "a dict": ({"a": 1}, {"a": 2}),
    "something nested": ({"a": [1, (2, {3})]}, {"a": [1, (2, {4})]}),
    "a dataclass": (Settings(0.1), Settings(0.2)),
    "a dataclass inside": ([Settings(0.1, ("a",))], [Settings(0.1, ("b",))]),
    "a path": (Path("/tmp/a"), Path("/tmp/b")),
    "none": (None, 0),
    "an empty list and an empty tuple": ([], ()),
    "a large value": ("x" * 2_000_000, "x" * 1_999_999 + "y"),
}


@step
def show(x: Any) -> str:
    return repr(x)[:50]


@pytest.mark.parametrize("what", ARGUMENTS)
def test_a_changed_argument_is_another_call(what, edited) -> None:
    before, after = ARGUMENTS[what]

    found, executed, _ = edited(lambda: show(before), lambda: show(after))

    assert found == repr(after)[:50]
    assert executed == ["show"]


@pytest.mark.parametrize("what", ARGUMENTS)
def test_an_equal_argument_is_the_same_call(what, edited) -> None:
    import copy

    value, _ = ARGUMENTS[what]

    _, executed, _ = edited(lambda: show(value), lambda: show(copy.deepcopy(value)))

    assert executed == []


@pytest.mark.parametrize("what", ARGUMENTS)
def test_a_changed_argument_of_a_call_with_an_id_is_told(what, edited) -> None:
    before, after = ARGUMENTS[what]

    _, executed, reasons = edited(lambda: show(before, id="x"), lambda: show(after, id="x"))

    assert executed == ["x"]
    assert reasons == {"x": "its inputs have changed"}


def test_what_the_body_does_to_a_value_after_the_call_is_not_seen_by_the_call(lab) -> None:
    @pipeline
    def flow() -> Any:
        value = {"x": [1]}
        future = show.submit(value)
        value["x"].append(2)
        later = show.submit(value)
        return future, later

    assert lab.start(flow).load() == ("{'x': [1]}", "{'x': [1, 2]}")


def test_a_changed_unmapped_argument_is_executed_again_for_every_item(edited) -> None:
    work = work_of()

    _, executed, _ = edited(
        lambda: work.map([1, 2, 3], unmapped(1)), lambda: work.map([1, 2, 3], unmapped(2))
    )

    assert executed == ["work[0]", "work[1]", "work[2]"]


def test_what_is_downstream_of_the_same_result_is_reused_all_the_way(edited) -> None:
    def source_of(version: int) -> Any:
        @step
        def source() -> list[int]:
            return [1, 2, 3] if version < 3 else [1, 2, 4]

        return source

    double, total = work_of(2), show

    def body(version: int) -> Any:
        return lambda: total(double.map(double.map(source_of(version)())))

    result, executed, reasons = edited(body(1), body(2))
    assert (result, executed) == ("[4, 8, 12]", ["source"])
    assert "closure version" in reasons["source"]


def test_what_is_downstream_of_one_changed_item_is_executed_again_alone(edited) -> None:
    def source_of(version: int) -> Any:
        @step
        def source() -> list[int]:
            return [1, 2, 2 + version]

        return source

    double = work_of(2)

    def body(version: int) -> Any:
        return lambda: show(double.map(double.map(source_of(version)())))

    result, executed, reasons = edited(body(1), body(2))
    assert result == "[4, 8, 16]"
    assert executed == ["show", "source", "work[2]", "work_2[2]"]
    assert (
        reasons["work[2]"] == reasons["work_2[2]"] == reasons["show"] == "its inputs have changed"
    )


def test_a_failure_that_was_handled_is_not_used_again_when_its_code_is_mended(edited) -> None:
    def fails_in(version: int) -> Any:
        @step
        def fails(x: int) -> int:
            if version == 1:
                raise ValueError("version 1")
            return x

        return fails

    def body(version: int) -> Any:
        def run() -> Any:
            try:
                return fails_in(version)(1)
            except ValueError as error:
                return show(str(error))

        return run

    result, executed, reasons = edited(body(1), body(2))
    assert (result, executed) == (1, ["fails"])
    assert "version" in reasons["fails"]


def test_a_file_that_has_changed_is_read_again_and_one_that_has_not_is_not(
    edited, tmp_path
) -> None:
    file, other = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text("one")
    other.write_text("other")

    @step
    def read(path: Path) -> str:
        return path.read_text()

    def change() -> Any:
        file.write_text("another")
        os.utime(file, ns=(1, 1))
        return [read(file), read(other)]

    result, executed, reasons = edited(lambda: [read(file), read(other)], change)
    assert (result, executed) == (["another", "other"], ["read"])
    assert reasons == {"read": "its inputs have changed"}


def test_a_child_whose_step_has_changed_runs_again_and_the_rest_of_it_is_reused(edited) -> None:
    def child_of(version: int) -> Any:
        same, changed = work_of(1).with_options(name="same"), work_of(version)

        @pipeline
        def child(x: int) -> Any:
            return changed(same(x))

        return child

    result, executed, reasons = edited(lambda: child_of(2)(5), lambda: child_of(3)(5))

    assert (result, executed) == (15, ["child", "work"])
    assert "constant" in reasons["work"]
    assert reasons["child"].startswith("its code has changed")


def test_a_changed_async_step_is_executed_again(edited) -> None:
    def nap_of(version: int) -> Any:
        @step
        async def nap(x: int) -> int:
            await asyncio.sleep(0)
            return x + version

        return nap

    result, executed, _ = edited(lambda: nap_of(1).submit(1), lambda: nap_of(2).submit(1))

    assert (result, executed) == (3, ["nap"])


def test_options_that_change_nothing_of_the_result_do_not_matter(edited) -> None:
    work = work_of()
    other = work.with_options(retry=5, queue_timeout=100, tags=["x"], enable_step_logs=False)

    _, executed, _ = edited(
        lambda: work.map([1, 2], max_concurrency=1), lambda: other.map([1, 2], chunk_size=2)
    )

    assert executed == []


def test_a_call_is_known_whether_it_is_called_submitted_mapped_or_in_an_async_body(lab) -> None:
    work = work_of()

    def flow_for(way: str, ready: bool) -> Any:
        stop = stop_here(ready)

        @pipeline
        def flow() -> Any:
            if way == "call":
                made = [work(x) for x in range(3)]
            elif way == "submit":
                made = [work.submit(x) for x in range(3)]
            else:
                made = list(work.map(range(3)))
            for each in made:
                each.load()
            stop()
            return made

        return flow

    run = lab.start(flow_for("call", False))
    for way, ready in (("submit", False), ("map", False), ("call", False), ("map", True)):
        run = lab.resume(run, flow_for(way, ready))
        assert lab.executed(run) == ["stop"], way
    assert run.load() == [0, 1, 2]


def test_an_artifact_of_another_run_is_known_by_its_content(lab) -> None:
    make, double = work_of().with_options(name="make"), work_of(2)

    def given(value: int) -> Artifact[int]:
        @pipeline
        def giving() -> Any:
            return make(value)

        return lab.start(giving).artifact("make")

    def flow_for(artifact: Any, ready: bool) -> Any:
        return flow_with(ready, lambda: double(artifact))

    run = lab.start(flow_for(given(5), False))
    run = lab.resume(run, flow_for(given(5), False))
    assert lab.executed(run) == ["stop"]
    run = lab.resume(run, flow_for(given(6), True))
    assert run.load() == 12
    assert sorted(lab.executed(run)) == ["stop", "work"]


def test_bytes_that_the_store_has_lost_are_told_when_they_are_needed(lab, stack) -> None:
    @step
    def large() -> bytes:
        return b"x" * 100_000

    @step
    def size(data: bytes) -> int:
        return len(data)

    @pipeline
    def flow(look: bool) -> Any:
        made = large()
        if look:
            return size(made)
        return made

    run = lab.start(flow, False)
    (file,) = (path for path in stack.store.root.rglob("*") if path.is_file())
    file.unlink()

    with pytest.raises(ArtifactMissing) as caught:
        run.load()
    assert len(str(caught.value).splitlines()) == 3


# --- L8 ----------------------------------------------------------------------------------------------------------


def test_L8_time_ids_and_chance_are_seen_again_and_new_ones_follow(lab, notes) -> None:
    def flow_for(count: int, ready: bool) -> Any:
        stop = stop_here(ready)

        @pipeline
        def flow() -> Any:
            for _ in range(count):
                notes.add((anabranch.now(), anabranch.uuid4(), anabranch.random()))
            return stop()

        return flow

    run = lab.start(flow_for(3, False))
    first = notes.take()
    lab.resume(run, flow_for(5, True))
    second = notes.take()

    assert second[:3] == first
    assert len(set(second)) == 5
    assert all(0 <= chance < 1 for _, _, chance in second)
    assert all(when.tzinfo is not None for when, _, _ in second)
    assert [when for when, _, _ in second] == sorted(when for when, _, _ in second)


def test_L8_draws_in_a_step_are_its_own_and_fresh(lab, notes) -> None:
    @step
    def draw(x: int) -> float:
        notes.add(anabranch.random())
        return anabranch.now().timestamp()

    @pipeline
    def flow() -> Any:
        return draw.map(range(20))

    lab.start(flow)

    assert len(set(notes.take())) == 20
