"""What differs between two runs: calls by identity, else by name; outcomes, inputs, outputs, and parts of the code."""

from collections.abc import Sequence
from typing import Any

import hypothesis
from hypothesis import strategies as st

from anabranch.journal.comparing import Argument, Comparison, compare
from anabranch.journal.events import (
    CodeSeen,
    DriverStarted,
    Event,
    InvocationCreated,
    MapExpanded,
    OutcomeRecorded,
    RunCreated,
    RunEnded,
)
from anabranch.journal.fold import RunState, fold
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import Failure, Output


def output(digest: str = "d1", name: str = "output", **how: Any) -> Output:
    given = {"size": 1, "codec": "json", "type": "int", "offset": 0, **how}
    return Output(name=name, artifact=name, digest=digest, **given)


def call(id: str, display: str, *, scope: str = "", map: str | None = None, **outcome: Any):
    """A call from beginning to end; `status=None` leaves it without an end."""
    created = InvocationCreated(
        at=1.0,
        invocation=InvocationId(id),
        step=display.partition("[")[0],
        display=display,
        scope=InvocationId(scope),
        map=None if map is None else InvocationId(map),
    )
    given = {"status": "completed", "inputs": "i1", "code": "c1", **outcome}
    if given["status"] is None:
        return [created]
    return [created, OutcomeRecorded(at=2.0, invocation=created.invocation, attempt=1, **given)]


def run(*calls: Sequence[Event], arguments: tuple[Output, ...] = (), data: bytes = b"") -> RunState:
    created = RunCreated(
        at=0.0,
        run=RunId("run"),
        pipeline="flow",
        entry={},
        stack="local",
        version="0",
        arguments=arguments,
        data=data,
    )
    life = DriverStarted(at=0.0, life=1, holder="me", python="3.11")
    events = [created, life, *(event for each in calls for event in each)]
    return fold(enumerate(events, 1))


def paths(found: Comparison) -> tuple[list[str], list[str], list[str]]:
    """Of what changed, and of what only one has."""
    return (
        [each.new.path for each in found.changed],
        [each.path for each in found.only_old],
        [each.path for each in found.only_new],
    )


def test_runs_that_did_the_same_differ_in_nothing() -> None:
    found = compare(
        run(call("a", "load"), call("b", "train")), run(call("a", "load"), call("b", "train"))
    )

    assert found.same == 2
    assert paths(found) == ([], [], [])


def test_a_call_is_recognised_by_its_identity_whatever_its_name() -> None:
    found = compare(run(call("a", "load")), run(call("z", "load"), call("a", "load_2")))

    assert found.same == 1
    assert paths(found) == ([], [], ["load"])


def test_a_call_with_another_identity_is_recognised_by_its_name() -> None:
    found = compare(run(call("a", "load", inputs="i1")), run(call("b", "load", inputs="i2")))

    [changed] = found.changed
    assert (changed.inputs, changed.has_same_identity) == (True, False)
    assert paths(found) == (["load"], [], [])


def test_calls_in_child_runs_are_recognised_by_the_way_to_them() -> None:
    """The child has another identity, and so have all calls in it."""
    old = run(call("c1", "tune"), call("a", "train", scope="c1"), call("b", "train"))
    new = run(call("c2", "tune"), call("d", "train", scope="c2"), call("e", "train"))

    found = compare(old, new)

    assert found.same == 3
    assert paths(found) == ([], [], [])


def test_what_only_one_of_them_called_is_named() -> None:
    found = compare(
        run(call("a", "load"), call("b", "old")), run(call("a", "load"), call("c", "new"))
    )

    assert paths(found) == ([], ["old"], ["new"])


def test_another_ending_is_told_with_its_error_and_not_as_another_output() -> None:
    failure = Failure(type="builtins:ValueError", message="no", traceback="")
    old = run(call("a", "load", outputs=(output(),)))
    new = run(call("a", "load", status="failed", failure=failure))

    [changed] = compare(old, new).changed

    assert (changed.status, changed.failure, changed.outputs) == (True, True, ())


def test_other_outputs_are_named() -> None:
    old = run(call("a", "split", outputs=(output("d1", "one"), output("d2", "two"))))
    new = run(call("a", "split", outputs=(output("d1", "one"), output("d3", "two"))))

    [changed] = compare(old, new).changed

    assert changed.outputs == ("two",)


def test_other_code_is_told_by_its_parts() -> None:
    def parts(code: str, **named: str) -> list[Event]:
        return [
            CodeSeen(at=1.0, code=code, parts={f"flow.{key}": val for key, val in named.items()})
        ]

    old = run(parts("c1", RATE="=11", helper="aa", same="cc"), call("a", "load", code="c1"))
    new = run(parts("c2", RATE="=12", helper="bb", same="cc"), call("a", "load", code="c2"))

    [changed] = compare(old, new).changed

    assert changed.code == ("constant flow.RATE changed", "flow.helper changed")


def test_other_code_whose_parts_nobody_recorded_is_told_all_the_same() -> None:
    [changed] = compare(
        run(call("a", "load", code="c1")), run(call("a", "load", code="c2"))
    ).changed

    assert changed.code == ("it differs",)


def test_a_call_that_has_not_ended_differs_in_its_status_alone() -> None:
    [changed] = compare(run(call("a", "load", status=None)), run(call("a", "load"))).changed

    assert (changed.status, changed.inputs, changed.code) == (True, False, ())


def test_a_call_that_was_skipped_has_no_inputs_that_could_differ() -> None:
    skipped = call("a", "load", status="skipped", inputs="", code="")

    [changed] = compare(run(call("a", "load")), run(skipped)).changed

    assert (changed.status, changed.inputs, changed.code) == (True, False, ())


def test_an_item_knows_the_map_it_belongs_to() -> None:
    expanded = MapExpanded(at=1.0, map=InvocationId("m"), step="score", display="score", count=1)

    found = compare(run(), run([expanded], call("a", "score[0]", map="m")))

    assert [each.map_path for each in found.only_new] == ["score"]


def test_arguments_are_compared_by_digest_and_shown_where_they_are_small() -> None:
    old = run(arguments=(output("d3", "rows", size=1), output("dx", "data", offset=-1)), data=b"3")
    new = run(
        arguments=(
            output("d4", "rows", size=1),
            output("dx", "data", offset=-1),
            output("dn", "rate", size=3, offset=1, type="float"),
            output("dl", "words", size=2, offset=4, type="list"),
        ),
        data=b"4NaN[]",
    )

    assert compare(old, new).arguments == {
        "rows": (
            Argument(digest="d3", value=3, is_shown=True),
            Argument(digest="d4", value=4, is_shown=True),
        ),
        "data": (Argument(digest="dx"), Argument(digest="dx")),
        "rate": (None, Argument(digest="dn")),
        "words": (None, Argument(digest="dl")),
    }


def test_what_ended_the_runs_is_told() -> None:
    failure = Failure(type="builtins:ValueError", message="no", traceback="")
    ended = [RunEnded(at=3.0, status="failed", failure=failure)]

    assert compare(run(), run(ended)).failures == (None, failure)


calls = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from(["load", "train", "train_2"]),
        st.sampled_from(["completed", "failed", None]),
        st.sampled_from(["i1", "i2"]),
        st.sampled_from(["c1", "c2"]),
    ),
    unique_by=lambda each: each[0],
)


def made(given: list[tuple[Any, ...]]) -> RunState:
    return run(*(call(a, b, status=c, inputs=d, code=e) for a, b, c, d, e in given))


@hypothesis.given(calls)
def test_no_run_differs_from_itself(given: list[tuple[Any, ...]]) -> None:
    found = compare(made(given), made(given))

    assert found.same == len(given)
    assert paths(found) == ([], [], [])


@hypothesis.given(calls, calls)
def test_every_call_is_told_of_exactly_once(
    old: list[tuple[Any, ...]], new: list[tuple[Any, ...]]
) -> None:
    found = compare(made(old), made(new))
    both = found.same + len(found.changed)

    assert both + len(found.only_old) == len(old)
    assert both + len(found.only_new) == len(new)
    assert len({each.old.known.invocation for each in found.changed}) == len(found.changed)
