"""L3 between runs: an outcome is taken from another run where the key is the same, and from no other."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from anabranch import ArtifactConfig, Cache, Pipeline, log_metadata, pipeline, step
from anabranch.authoring.runs import Run
from anabranch.engine.launching import launch
from anabranch.errors import AnabranchError, CallError, Cancelled
from anabranch.journal.events import OutcomeRecorded


def of_one(make: Any, *args: Any, **options: Any) -> Pipeline[..., Any]:
    """A pipeline that calls one cached step."""

    @pipeline(**options)
    def flow() -> Any:
        return make(*args)

    return flow


# --- what is found -----------------------------------------------------------------------------------------------


def cached_add(notes: Any, **options: Any) -> Any:
    @step(enable_cache=True, **options)
    def add(x: Any, y: Any = 1) -> Any:
        notes.add(x)
        return x + y

    return add


def test_a_second_run_takes_the_outcome_of_the_first_and_says_from_where(lab, notes) -> None:
    add = cached_add(notes)
    first = lab.start(of_one(add, 1))
    again = lab.start(of_one(add, 1))

    assert (first.load(), again.load()) == (2, 2)
    assert notes.take() == [1]
    assert [known.origin for known in lab.state(again).invocations.values()] == [first.id]


def test_an_outcome_that_was_taken_is_the_runs_own_and_not_kept_a_second_time(lab, notes) -> None:
    add = cached_add(notes)
    first = lab.start(of_one(add, 1))
    again = lab.start(of_one(add, 1))
    third = lab.start(of_one(add, 1))

    [taken] = [event for event in lab.events(again) if isinstance(event, OutcomeRecorded)]
    assert (taken.attempt, taken.seconds, taken.cache, taken.origin) == (0, 0.0, "", first.id)
    assert [known.origin for known in lab.state(third).invocations.values()] == [first.id]


@pytest.mark.parametrize(
    ("of_step", "of_pipeline", "is_taken"),
    [
        ({}, {}, False),
        ({"enable_cache": True}, {}, True),
        ({"enable_cache": True}, {"enable_cache": False}, True),
        ({}, {"enable_cache": True}, True),
        ({"enable_cache": False}, {"enable_cache": True}, False),
        ({"cache": Cache()}, {}, True),
        ({"cache": Cache()}, {"enable_cache": False}, True),
        ({"cache": Cache(), "enable_cache": False}, {}, False),
    ],
)
def test_the_step_decides_then_its_cache_then_the_pipeline_and_else_nothing_is_taken(
    lab, notes, of_step: Any, of_pipeline: Any, is_taken: bool
) -> None:
    @step(**of_step)
    def work() -> int:
        notes.add("ran")
        return 1

    for _ in range(2):
        lab.start(of_one(work, **of_pipeline))

    assert len(notes) == (1 if is_taken else 2)


def test_a_child_run_inherits_the_choice_of_the_pipeline_around_it(lab, notes) -> None:
    @step
    def work(x: int) -> int:
        notes.add(x)
        return x

    child = pipeline(lambda: work(1))
    strict = pipeline(enable_cache=False)(lambda: work(2))

    @pipeline(enable_cache=True)
    def parent() -> None:
        child()
        strict()

    for _ in range(2):
        lab.start(parent)

    assert sorted(notes.take()) == [1, 2, 2]


LARGE = bytes(range(256)) * 400
VALUES: dict[str, Any] = {
    "a number": 17,
    "nothing": None,
    "a text": "text",
    "a structure": {"a": [1, (2, 3)], "b": {4.5}},
    "bytes that are too large for the journal": LARGE,
    "an array": np.arange(12).reshape(3, 4),
    "a large array": np.arange(20_000.0),
    "several small and large ones": (1, LARGE, "three"),
}


@pytest.mark.parametrize("what", VALUES)
def test_what_is_taken_is_what_was_made_whatever_its_type(lab, notes, what: str) -> None:
    value = VALUES[what]

    @step(enable_cache=True)
    def make() -> Any:
        notes.add(what)
        return value

    first, again = lab.start(of_one(make)), lab.start(of_one(make))

    for run in (first, again):
        loaded = run.load()
        assert type(loaded) is type(value)
        assert loaded.tolist() == value.tolist() if hasattr(value, "tolist") else loaded == value
    assert notes.take() == [what]


def test_several_outputs_are_taken_together(lab, notes) -> None:
    @step(enable_cache=True)
    def split(x: int) -> tuple[int, bytes]:
        notes.add(x)
        return x, LARGE

    @pipeline
    def flow() -> Any:
        number, data = split(5)
        return {"number": number, "size": len(data.load())}

    results = [lab.start(flow) for _ in range(2)]

    assert [run.load() for run in results] == [{"number": 5, "size": len(LARGE)}] * 2
    assert len(notes) == 1


def test_a_step_that_returns_nothing_is_spared_too(lab, notes) -> None:
    @step(enable_cache=True)
    def tell(x: int) -> None:
        notes.add(x)

    for _ in range(2):
        lab.start(of_one(tell, 1))

    assert notes.take() == [1]


def test_each_item_of_a_map_is_looked_up_by_itself(lab, notes) -> None:
    add = cached_add(notes)

    def flow_over(values: list[int]) -> Any:
        return of_one(add.map, values)

    lab.start(flow_over([1, 2, 3]))
    again = lab.start(flow_over([2, 3, 4]))

    assert again.load() == [3, 4, 5]
    assert sorted(notes.take()) == [1, 2, 3, 4]


def test_an_item_of_a_map_is_found_by_a_single_call_and_the_other_way_round(lab, notes) -> None:
    add = cached_add(notes)
    lab.start(of_one(add, 1))
    lab.start(of_one(add.map, [1, 2]))
    again = lab.start(of_one(add, 2))

    assert again.load() == 3
    assert notes.take() == [1, 2]


def test_async_steps_are_spared_too(lab, notes) -> None:
    @step(enable_cache=True)
    async def add(x: int) -> int:
        notes.add(x)
        return x + 1

    for _ in range(2):
        assert lab.start(of_one(add.map, [1, 2])).load() == [2, 3]

    assert sorted(notes.take()) == [1, 2]


def test_what_lies_below_a_call_that_ran_again_and_gave_the_same_is_taken(lab, notes) -> None:
    @step
    def source() -> list[int]:
        notes.add("source")
        return [1, 2]

    @step(enable_cache=True)
    def total(values: list[int]) -> int:
        notes.add("total")
        return sum(values)

    @pipeline
    def flow() -> Any:
        return total(source())

    for _ in range(2):
        assert lab.start(flow).load() == 3

    assert notes.take() == ["source", "total", "source"]


def test_equal_calls_of_one_run_are_computed_once(lab, notes) -> None:
    add = cached_add(notes)

    @pipeline
    def flow() -> Any:
        futures = [add.submit(1) for _ in range(20)]
        mapped = add.map([1] * 20)
        return [add(1).load(), *(f.load() for f in futures), *mapped.load()]

    assert lab.start(flow).load() == [2] * 41
    assert notes.take() == [1]


def test_names_of_outputs_are_those_of_the_run_that_takes_them(lab, notes) -> None:
    @step(enable_cache=True)
    def make() -> Annotated[int, ArtifactConfig(name="score_{suffix}")]:
        notes.add("ran")
        return 1

    names = [
        lab.start(of_one(make, substitutions={"suffix": suffix})).output.name
        for suffix in ("one", "two")
    ]

    assert names == ["score_one", "score_two"]
    assert len(notes) == 1


def test_hooks_logs_and_metadata_belong_to_the_execution_and_are_not_repeated(lab, notes) -> None:
    @step(enable_cache=True, on_end=lambda: notes.add("hook"))
    def work() -> int:
        log_metadata(rows=1)
        return 1

    runs = [lab.start(of_one(work)) for _ in range(2)]

    assert notes.take() == ["hook"]
    assert [len(lab.state(run).metadata) for run in runs] == [1, 0]


# --- what is not found -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), ("1", b"1"), ([1], (1,)), ({"a": 1}, {"b": 1})]
)
@pytest.mark.parametrize("passed", ["as a value", "as an artifact", "within a list", "by a child"])
def test_another_input_is_another_key_even_if_its_bytes_are_the_same(
    lab, notes, one: Any, other: Any, passed: str
) -> None:
    @step
    def source(first: bool) -> Any:
        return one if first else other

    @pipeline
    def child(first: bool) -> Any:
        return source(first)

    @step(enable_cache=True)
    def kind(value: Any) -> str:
        return f"{type(value).__name__} {value}"

    @pipeline
    def flow(first: bool) -> Any:
        if passed == "as a value":
            return kind(one if first else other)
        if passed == "by a child":
            return kind(child.submit(first))
        given = source(first)
        return kind([given] if passed == "within a list" else given)

    found = [lab.start(flow, first).load() for first in (True, False)]

    assert len(set(found)) == 2


def test_a_result_that_is_missing_from_a_map_counts_where_it_is_missing(lab) -> None:
    @step
    def maybe(x: int, hole: int):  # type: ignore[no-untyped-def]
        return None if x == hole else 7

    @step(enable_cache=True)
    def places(values: list[Any]) -> list[int]:
        return [i for i, value in enumerate(values) if value is None]

    @pipeline
    def flow(hole: int) -> Any:
        return places(maybe.map([0, 1, 2], hole=[hole] * 3))

    assert [lab.start(flow, hole).load() for hole in (0, 2)] == [[0], [2]]


@pytest.mark.parametrize("kinds", [(list, tuple), (tuple, list)])
def test_what_a_child_returns_in_a_list_is_not_what_it_returns_in_a_tuple(lab, kinds: Any) -> None:
    @step
    def number(x: int) -> int:
        return x

    @step(enable_cache=True)
    def kind(value: Any) -> str:
        return type(value).__name__

    @pipeline
    def child(place: int) -> Any:
        return kinds[place]([number(1), number(2)])

    @pipeline
    def flow(place: int) -> Any:
        return kind(child.submit(place))

    assert [lab.start(flow, place).load() for place in (0, 1)] == [k.__name__ for k in kinds]


def test_a_step_of_another_name_or_with_other_outputs_is_another_step(lab, notes) -> None:
    def work(x):  # type: ignore[no-untyped-def]
        notes.add(x)
        return x

    runs = [step(enable_cache=True, name=name)(work) for name in ("one", "two", "one")]
    for each in runs:
        lab.start(of_one(each, 1))

    assert len(notes) == 2


def test_a_file_that_was_written_to_while_the_step_ran_is_not_vouched_for(
    lab, notes, tmp_path: Path
) -> None:
    """The key was made of what the file was; the value may be that of what it became."""
    path = tmp_path / "data.txt"
    path.write_text("old")

    @step(enable_cache=True)
    def read(path: Path) -> str:
        if not notes:
            path.write_text("new text")
        notes.add("ran")
        return path.read_text()

    lab.start(of_one(read, path))
    path.write_text("old")
    again = lab.start(of_one(read, path))

    assert again.load() == "old"
    assert len(notes) == 2


def test_a_step_that_fails_is_not_kept(lab, notes) -> None:
    @step(enable_cache=True)
    def fail() -> int:
        notes.add("ran")
        raise OSError("no")

    for _ in range(2):
        assert isinstance(lab.start(of_one(fail)).error, OSError)

    assert len(notes) == 2


def test_an_artifact_that_is_gone_from_the_store_is_made_again(lab, stack, notes) -> None:
    @step(enable_cache=True)
    def make() -> bytes:
        notes.add("ran")
        return LARGE

    first = lab.start(of_one(make))
    digest = first.output.digest
    [stored] = [p for p in (stack.home / "artifacts").rglob("*") if p.name == digest[2:]]
    stored.unlink()

    assert lab.start(of_one(make)).load() == LARGE
    assert len(notes) == 2


# --- Cache(...) --------------------------------------------------------------------------------------------------


def test_an_outcome_older_than_its_ttl_does_not_count_and_a_hit_does_not_renew_it(
    lab, notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = cached_add(notes, cache=Cache(ttl=timedelta(hours=1)))
    lab.start(of_one(add, 1))
    now = time.time
    for minutes, executions in ((50, 1), (70, 2), (125, 2), (140, 3)):
        monkeypatch.setattr(time, "time", lambda m=minutes: now() + m * 60)
        lab.start(of_one(add, 1))
        assert len(notes) == executions, f"after {minutes} minutes"


def test_a_key_that_is_a_text_stands_for_the_inputs(lab, notes) -> None:
    def run(x: int, key: str) -> Any:
        return lab.start(of_one(cached_add(notes, cache=Cache(key=key)), x)).load()

    assert [run(1, "a"), run(2, "a"), run(2, "b")] == [2, 2, 3]
    assert notes.take() == [1, 2]


def test_a_key_function_gets_the_arguments_by_name_defaults_included(lab, notes) -> None:
    add = cached_add(notes, cache=Cache(key=lambda x, y: f"{x % 10} {y}"))

    found = [lab.start(of_one(add, x)).load() for x in (1, 11, 2)]

    assert found == [2, 2, 3]
    assert notes.take() == [1, 2]


def test_a_run_that_was_given_an_outcome_by_a_custom_key_keeps_it_when_it_is_resumed(
    lab, notes
) -> None:
    add = cached_add(notes, cache=Cache(key="one"))
    lab.start(of_one(add, 1))

    @step
    def stop(go_on: bool) -> int:
        if not go_on:
            raise OSError("not yet")
        return 0

    def flow_with(ready: bool) -> Any:
        @pipeline
        def flow() -> Any:
            found = add(2)
            stop(ready)
            return found

        return flow

    again = lab.resume(lab.start(flow_with(False)), flow_with(True))

    assert again.load() == 2
    assert lab.executed(again) == ["stop"]


def test_a_key_function_is_no_part_of_the_body_and_a_step_in_it_is_a_plain_function(
    lab, notes
) -> None:
    """It may be called while the journal is being written, so it must not ask the run for anything."""
    rounded = step(lambda x: x // 10)
    add = cached_add(notes, cache=Cache(key=lambda x, y: str(rounded(x))))

    runs = [lab.start(of_one(add, x)) for x in (11, 12)]

    assert [lab.statuses(run) for run in runs] == [{"add": "completed"}] * 2
    assert notes.take() == [11]


@pytest.mark.parametrize("returned", [None, 5, b"bytes"])
def test_a_key_function_that_returns_no_text_fails_the_call_in_three_lines(
    lab, notes, returned: Any
) -> None:
    add = cached_add(notes, cache=Cache(key=lambda x, y: returned))

    for make in (add, add.map):
        run = lab.start(of_one(make, [1]))
        assert isinstance(run.error, CallError)
        assert len(str(run.error).splitlines()) == 3
    assert not notes


def test_what_a_key_function_raises_is_the_calls_own_failure(lab, notes) -> None:
    def key(x: int, y: int) -> str:
        raise LookupError("no key")

    add = cached_add(notes, cache=Cache(key=key))

    @pipeline
    def flow() -> Any:
        try:
            add(1)
        except LookupError as error:
            return f"caught {error}", type(add.submit(2).exception()).__name__

    assert lab.start(flow).load() == ("caught no key", "LookupError")
    assert not notes


def test_without_inputs_in_the_key_any_input_will_do(lab, notes) -> None:
    add = cached_add(notes, cache=Cache(inputs=False))

    assert [lab.start(of_one(add, x)).load() for x in (1, 2)] == [2, 2]


def test_without_code_in_the_key_the_user_vouches_for_it(lab, notes) -> None:
    def work_of(constant: int, **options: Any) -> Any:
        @step(**options)
        def work(x: int) -> int:
            return x * constant

        return work

    careless = [lab.start(of_one(work_of(c, cache=Cache(code=False)), 1)).load() for c in (2, 3)]
    careful = [lab.start(of_one(work_of(c, cache=Cache()), 1)).load() for c in (2, 3)]

    assert (careless, careful) == ([2, 2], [2, 3])


def test_force_computes_anew_and_the_next_run_takes_that(lab, notes) -> None:
    add, forced = cached_add(notes), cached_add(notes, cache=Cache(force=True))
    lab.start(of_one(add, 1))
    second = lab.start(of_one(forced, 1))
    third = lab.start(of_one(add, 1))

    assert len(notes) == 2
    assert [known.origin for known in lab.state(third).invocations.values()] == [second.id]


@pytest.mark.parametrize(("caching", "executions"), [("use", 1), ("force", 2), ("off", 2)])
def test_a_whole_run_can_compute_anew_or_leave_the_cache_alone(
    lab, stack, notes, caching: Any, executions: int
) -> None:
    flow = of_one(cached_add(notes), 1)
    lab.start(flow)
    second = launch(flow._definition, {}, {}, stack, caching=caching)
    third = lab.start(flow)

    assert len(notes) == executions
    [known] = lab.state(third).invocations.values()
    assert (known.origin == second.run) is (caching == "force")


def test_a_run_that_leaves_the_cache_alone_does_so_when_it_is_resumed(lab, stack, notes) -> None:
    add = cached_add(notes)
    lab.start(of_one(add, 2))

    def flow_with(ready: bool) -> Any:
        @step
        def stop(go_on: bool) -> int:
            if not go_on:
                raise OSError("not yet")
            return 0

        @pipeline
        def flow() -> Any:
            stop(ready)
            return add(2)

        return flow

    ended = launch(flow_with(False)._definition, {}, {}, stack, caching="off")
    lab.resume(Run(stack, ended), flow_with(True))

    assert notes.take() == [2, 2]


# --- one at a time -----------------------------------------------------------------------------------------------


class Meeting:
    """A step that tells that it has begun, and waits until it may end. Counts by its type in a fingerprint."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def hold(self) -> None:
        self.begun.set()
        assert self.may_end.wait(20)

    def __reduce__(self) -> Any:
        raise TypeError("a meeting stays where it is")


def in_thread(lab: Any, flow: Any) -> Any:
    """Starts a run beside this thread; `result()` waits for it."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(lab.start(flow)))
    thread.start()

    def result() -> Any:
        thread.join(30)
        return found[0]

    return result


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("way", ["call", "submit", "map"])
def test_a_run_that_needs_what_another_computes_waits_for_it(lab, notes, way: str) -> None:
    meeting = Meeting()

    @step(enable_cache=True)
    def slow(x: int) -> int:
        notes.add(x)
        meeting.hold()
        return x + 1

    @pipeline
    def first() -> Any:
        return slow(1)

    @pipeline
    def second() -> Any:
        if way == "call":
            return slow(1)
        return slow.submit(1) if way == "submit" else slow.map([1, 1])

    one = in_thread(lab, first)
    assert meeting.begun.wait(20)
    other = in_thread(lab, second)
    until(lambda: len(lab.stack.journal.runs()) == 2)
    meeting.may_end.set()

    assert one().load() == 2
    assert other().load() == ([2, 2] if way == "map" else 2)
    assert notes.take() == [1]


def test_if_the_one_that_computes_it_fails_the_one_that_waits_does_it(lab, notes) -> None:
    meeting = Meeting()

    @step(enable_cache=True)
    def slow(x: int) -> int:
        notes.add(x)
        if len(notes) == 1:
            meeting.hold()
            raise OSError("the first fails")
        return x + 1

    flow = of_one(slow, 1)
    one = in_thread(lab, flow)
    assert meeting.begun.wait(20)
    other = in_thread(lab, flow)
    until(lambda: len(lab.stack.journal.runs()) == 2)
    meeting.may_end.set()

    assert isinstance(one().error, OSError)
    assert other().load() == 2
    assert len(notes) == 2


def test_of_equal_calls_in_one_run_the_next_takes_over_if_the_first_fails(lab, notes) -> None:
    @step(enable_cache=True)
    def work(x: int) -> int:
        notes.add(x)
        if len(notes) <= 2:
            raise OSError("not yet")
        return x

    @pipeline
    def flow() -> Any:
        return work.map([1] * 6, on_error="collect").failures

    assert len(lab.start(flow).load()) == 2
    assert len(notes) == 3


def test_a_call_that_waits_for_another_run_can_be_cancelled(lab, notes) -> None:
    meeting = Meeting()

    @step(enable_cache=True)
    def slow(x: int) -> int:
        notes.add(x)
        meeting.hold()
        return x

    one = in_thread(lab, of_one(slow, 1))
    assert meeting.begun.wait(20)

    @pipeline
    def flow() -> Any:
        waiting, follower = slow.submit(1), slow.submit(1)
        asked = waiting.cancel()
        error = waiting.exception()
        meeting.may_end.set()
        return asked, isinstance(error, Cancelled), follower.load()

    assert lab.start(flow).load() == (True, True, 1)
    assert one().load() == 1
    assert notes.take() == [1]


def test_waiting_calls_do_not_keep_a_run_that_stops(lab, notes) -> None:
    meeting = Meeting()

    @step(enable_cache=True)
    def slow(x: int) -> int:
        meeting.hold()
        return x

    one = in_thread(lab, of_one(slow, 1))
    assert meeting.begun.wait(20)

    @pipeline
    def flow() -> Any:
        slow.map([1] * 5)
        raise LookupError("the body fails")

    assert isinstance(lab.start(flow).error, LookupError)
    meeting.may_end.set()
    assert one().load() == 1


def test_calls_that_wait_hold_no_worker_thread(lab, notes) -> None:
    """More wait than there are threads, and what they wait for still runs."""
    meeting = Meeting()

    @step(enable_cache=True)
    def slow(x: int) -> int:
        meeting.hold()
        return x

    @step
    def release() -> int:
        meeting.may_end.set()
        return 0

    one = in_thread(lab, of_one(slow, 1))
    assert meeting.begun.wait(20)

    @pipeline
    def flow() -> Any:
        waiting = slow.map([1] * 200)
        release.submit().wait()
        return sum(waiting.load())

    assert lab.start(flow).load() == 200
    assert one().load() == 1


def test_two_runs_that_need_each_others_work_do_not_wait_in_a_circle(lab, notes) -> None:
    first, second = Meeting(), Meeting()

    @step(enable_cache=True)
    def slow(name: str) -> str:
        notes.add(name)
        (first if name == "a" else second).hold()
        return name

    @pipeline
    def forwards() -> Any:
        return [slow.submit(name) for name in "ab"]

    @pipeline
    def backwards() -> Any:
        return [slow.submit(name) for name in "ba"]

    one, other = in_thread(lab, forwards), in_thread(lab, backwards)
    assert first.begun.wait(20)
    assert second.begun.wait(20)
    first.may_end.set()
    second.may_end.set()

    assert (one().load(), other().load()) == (["a", "b"], ["b", "a"])
    assert sorted(notes.take()) == ["a", "b"]


# --- the version of the source -----------------------------------------------------------------------------------


def test_a_project_without_git_is_refused_at_the_call(lab, notes) -> None:
    add = cached_add(notes, cache=Cache(source_version=True))

    @pipeline
    def flow() -> Any:
        try:
            add.submit(1)
        except AnabranchError as error:
            return str(error)

    told = lab.start(flow).load()

    assert len(told.splitlines()) == 3
    assert "source_version=True needs the project's git commit" in told
    assert not notes
