"""L2: a program of two hundred calls of every kind is resumed in any other order and nothing is executed again."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anabranch import pipeline, step, unmapped
from anabranch.journal.events import OutcomeDiscarded


@dataclass
class Pair:
    left: Any
    right: Any


@step
def number(x: int) -> int:
    return x


@step
def numbers(n: int) -> list[int]:
    return list(range(n))


@step
def mixed(a: Any, b: Any = 0, *rest: Any, key: Any = None) -> str:
    return repr((a, b, rest, key))


@step
async def asynchronous(a: Any, b: Any = 0) -> str:
    await asyncio.sleep(0)
    return repr((a, b))


@step
def two(x: Any) -> tuple[int, str]:
    return len(repr(x)), repr(x)


@pipeline
def child(x: Any, deep: bool = False) -> Any:
    made = mixed(x, "in a child")
    return {"made": made, "again": child(x)} if deep else made


Make = Callable[[dict[int, Any]], Any]


@dataclass(frozen=True)
class Call:
    """One call of the program, and the calls whose results it takes."""

    needs: tuple[int, ...]
    make: Make


def program(chance: random.Random, count: int) -> list[Call]:
    """Calls of many kinds. Those that are equal to others are taken by nobody: who took which would be an order."""
    calls: list[Call] = []
    unlike: list[int] = []
    for place in range(count):
        one = tuple(chance.sample(unlike, min(1, len(unlike))))
        pair = tuple(chance.sample(unlike, min(2, len(unlike))))
        alike, made = chance.choice([_equal, _unlike])(chance, place, one, pair)
        calls.append(made)
        if not alike:
            unlike.append(place)
    return calls


Needs = tuple[int, ...]


def _equal(chance: random.Random, place: int, one: Needs, pair: Needs) -> tuple[bool, Call]:
    v = chance.randrange(4)
    kinds: list[Make] = [
        lambda got: number(v),
        lambda got: number.submit(v),
        lambda got: mixed.map(range(v + 1), unmapped("whole")),
        lambda got: mixed.map(numbers(v + 1), range(v + 1)),
        lambda got: asynchronous.map(number.with_options(name="other").map(range(v))),
        lambda got: mixed.product(["a", "b"], b=numbers.with_options(name="others").submit(v)),
        lambda got: child(v),
    ]
    return True, Call((), chance.choice(kinds))


def _unlike(chance: random.Random, place: int, one: Needs, pair: Needs) -> tuple[bool, Call]:
    p = place
    kinds: list[tuple[Needs, Make]] = [
        ((), lambda got: mixed({"p": p, "q": [1.5, None, (p,)]}, b"bytes", p)),
        ((), lambda got: two.submit([p, Path("/tmp") / str(p)])[1]),
        ((), lambda got: number.map(range(p, p + 3))),
        ((), lambda got: child(p, deep=True)),
        (one, lambda got: mixed.submit(p, *(got[i] for i in one), key="k")),
        (one, lambda got: mixed.submit(Pair(p, [got[i] for i in one]))),
        (one, lambda got: child.submit([p, [got[i] for i in one]])),
        (one, lambda got: asynchronous.submit([got[i] for i in one], p, id=f"named-{p}")),
        (pair, lambda got: mixed([got[i] for i in pair], {"x": (p, *map(got.get, pair))})),
        (pair, lambda got: asynchronous.map([got[i] for i in pair], unmapped(p))),
    ]
    return False, Call(*chance.choice(kinds))


def shuffled(chance: random.Random, calls: list[Call], wanted: set[int]) -> list[int]:
    """Another order of some calls in which each still comes after those that it needs."""
    waiting, order = set(wanted), []
    while waiting:
        free = [place for place in waiting if not waiting & set(calls[place].needs)]
        chosen = chance.choice(sorted(free))
        waiting.remove(chosen)
        order.append(chosen)
    return order


def with_needs(calls: list[Call], chosen: set[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(chosen)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting.extend(calls[place].needs)
    return found


def stop_unless(notes: Any) -> Any:
    """A step that ends the first life of a run, when nothing is noted yet, and not the second."""

    @step
    def stop() -> int:
        if len(notes) == 0:
            raise OSError("not yet")
        return 1

    return stop


def flow_of(calls: list[Call], order: list[int], notes: Any, inserted: list[int] = []) -> Any:  # noqa: B006
    """A body that makes the calls in an order, with foreign ones in between; it stops at its end if it is to."""

    stop = stop_unless(notes)

    @pipeline
    def flow() -> Any:
        got: dict[int, Any] = {}
        for count, place in enumerate(order):
            if count in inserted:
                mixed.submit("inserted", count)
            got[place] = calls[place].make(got)
        for made in got.values():
            if hasattr(made, "wait"):
                made.wait()
        return stop()

    return flow


@pytest.mark.parametrize("seed", range(5))
def test_L2_200_calls_in_another_order_are_all_known_again(seed, lab, notes) -> None:
    chance = random.Random(seed)
    calls = program(chance, 200)
    run = lab.start(flow_of(calls, list(range(200)), notes))
    assert isinstance(run.error, OSError), run.error
    before = len(lab.state(run).invocations)
    assert before > 200

    notes.add("go on")
    again = lab.resume(run, flow_of(calls, shuffled(chance, calls, set(range(200))), notes))

    assert again.load() == 1
    assert lab.executed(again) == ["stop"]
    assert len(lab.state(again).invocations) == before
    discarded = [e for e in lab.events(again) if isinstance(e, OutcomeDiscarded)]
    assert [event.reason for event in discarded] == ["it failed; resume tries again"]


@pytest.mark.parametrize("seed", range(5))
def test_L2_calls_that_are_inserted_and_removed_leave_the_others_alone(seed, lab, notes) -> None:
    chance = random.Random(100 + seed)
    calls = program(chance, 200)
    run = lab.start(flow_of(calls, list(range(200)), notes))
    assert isinstance(run.error, OSError), run.error

    notes.add("go on")
    kept = with_needs(calls, set(chance.sample(range(200), 100)))
    order = shuffled(chance, calls, kept)
    inserted = chance.sample(range(len(order)), 10)
    again = lab.resume(run, flow_of(calls, order, notes, inserted))

    assert again.load() == 1
    executed = lab.executed(again)
    assert len(executed) == 11
    assert {name.partition("_")[0] for name in executed} == {"mixed", "stop"}
    assert set(lab.reasons(again)) == {"stop"}


def test_L2_equal_calls_are_told_apart_by_their_count(lab, notes) -> None:
    """Ten equal calls and then twelve: two are new, whichever of them are called, submitted or mapped."""

    def flow_for(count: int) -> Any:
        stop = stop_unless(notes)

        @pipeline
        def flow() -> Any:
            found = [
                (number, number.submit, lambda x: number.map([x])[0])[place % 3](7)
                for place in range(count)
            ]
            stop()
            return found

        return flow

    run = lab.start(flow_for(10))
    notes.add(1)
    again = lab.resume(run, flow_for(12))

    assert again.load() == [7] * 12
    assert max(lab.executed(again)) == "stop"
    assert len(lab.executed(again)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda items: [*items, 99],
        lambda items: [99, *items],
        lambda items: [*items[:3], 99, *items[3:]],
        lambda items: items[::-1],
        lambda items: items[2:5],
        lambda items: [],
    ],
    ids=["append", "prepend", "insert", "reverse", "cut", "empty"],
)
@pytest.mark.parametrize("chunk", [1, 4])
def test_L2_items_over_plain_values_are_known_in_a_changed_list(change, chunk, lab, notes) -> None:
    def flow_for(items: list[int], chunk_size: int) -> Any:
        stop = stop_unless(notes)

        @pipeline
        def flow() -> Any:
            found = mixed.map(items, unmapped("same"), chunk_size=chunk_size)
            later = asynchronous.map(found)
            found.wait()
            later.wait()
            stop()
            return found

        return flow

    items = [10, 11, 12, 13, 14, 15]
    run = lab.start(flow_for(items, chunk))
    notes.add(1)
    changed = change(items)
    again = lab.resume(run, flow_for(changed, 1))

    assert again.load() == [repr((item, "same", (), None)) for item in changed]
    expected = 1 + 2 * (99 in changed)
    assert len(lab.executed(again)) == expected


def test_L2_equal_items_of_a_map_are_told_apart_by_their_count(lab, notes) -> None:
    def flow_for(items: list[int]) -> Any:
        stop = stop_unless(notes)

        @pipeline
        def flow() -> Any:
            found = number.map(items)
            found.wait()
            stop()
            return found

        return flow

    run = lab.start(flow_for([5, 5, 6]))
    notes.add(1)
    again = lab.resume(run, flow_for([6, 5, 5, 5]))

    assert again.load() == [6, 5, 5, 5]
    assert len(lab.executed(again)) == 2


def test_L2_a_call_with_an_id_is_known_by_it_alone(lab, notes) -> None:
    """Its arguments are then no part of what it is, but of what its outcome depends on."""

    def flow_for(x: int) -> Any:
        stop = stop_unless(notes)

        @pipeline
        def flow() -> Any:
            made = number.submit(x, id="mine")
            made.wait()
            stop()
            return made

        return flow

    run = lab.start(flow_for(1))
    notes.add(1)
    again = lab.resume(run, flow_for(2))

    assert again.load() == 2
    assert len(lab.state(again).invocations) == 2
    assert lab.reasons(again)["mine"] == "its inputs have changed"
