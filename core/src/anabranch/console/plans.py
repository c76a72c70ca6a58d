"""A plan for people and for programs: what a resume would do with each call, and why.

The items of a map are one line, and those of them that would not be reused a few more; of many calls that would be
reused, the first are shown. Programs get them all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from anabranch.console.documents import Document
from anabranch.console.phrases import plural
from anabranch.console.tables import Cell, columns
from anabranch.journal.events import Json
from anabranch.model.ids import InvocationId
from anabranch.model.plans import DECISIONS, Decision, Plan, PlannedCall

MOST_REUSED = 40
"""Calls that would be reused and are shown one by one."""

_MOST_ITEMS = 10
_BY_WEIGHT: Sequence[Decision] = ("run", "re-attach", "orphan", "reuse")
_STYLES: Mapping[Decision, str] = {
    "reuse": "cyan",
    "run": "green",
    "re-attach": "blue",
    "orphan": "yellow",
}


def plan_document(plan: Plan) -> Document:
    """`anabranch resume --plan --json`."""
    counts: dict[str, Json] = {str(key): count for key, count in plan.counts().items()}
    calls: list[Json] = [
        {
            "id": call.invocation,
            "display": call.path,
            "step": call.step,
            "kind": "pipeline" if call.pipeline else "step",
            "scope": call.scope or None,
            "map": call.map,
            "reached": call.is_reached,
            "decision": call.decision,
            "reason": call.reason,
        }
        for call in plan.calls
    ]
    return {
        "run": plan.run,
        "pipeline": plan.pipeline,
        "status": plan.status,
        "driver": plan.driver or None,
        "nothing_left": plan.is_over,
        "beyond": plan.beyond or None,
        "failure": plan.failure or None,
        "counts": counts,
        "calls": calls,
    }


def plan_text(plan: Plan) -> Text:
    """A table of the calls, and what it comes to."""
    if plan.is_over:
        return Text(f"run {plan.run} is {plan.status}: there is nothing left to do")
    told = [columns(["", "", ""], list(_rows(plan)))] if plan.calls else []
    return Text("\n").join([*told, *(Text(line, "dim") for line in _sums(plan))])


def _sums(plan: Plan) -> Iterator[str]:
    counts = plan.counts()
    tally = ", ".join(f"{count:,} {decision}" for decision, count in counts.items())
    yield f"{plural(len(plan.calls), 'call')}: {tally}" if tally else "no calls are known"
    if plan.beyond:
        yield f"the body was followed up to {plan.beyond}; what comes after it is seen when it is there"
    if plan.failure:
        yield f"the body would fail: {plan.failure}"
    if plan.driver:
        yield f"another driver is at work, so this changes: {plan.driver}"


def _rows(plan: Plan) -> Iterator[list[Cell]]:
    items: dict[InvocationId, list[PlannedCall]] = {}
    for call in plan.calls:
        if call.map is not None:
            items.setdefault(call.map, []).append(call)
    shown = 0
    for call in plan.calls:
        if call.map is not None:
            yield from _map(plan.maps.get(call.map, call.step), items.pop(call.map, ()))
            continue
        shown += call.decision == "reuse"
        if call.decision != "reuse" or shown <= MOST_REUSED:
            yield _row(call.decision, call.path, call.reason)
    if shown > MOST_REUSED:
        yield _row("reuse", f"{shown - MOST_REUSED:,} more", "(all of them: --json)")


def _map(path: str, items: Sequence[PlannedCall]) -> Iterator[list[Cell]]:
    """One line for the map, at its first item; then what is not reused of it."""
    if not items:
        return
    tally = Counter(call.decision for call in items)
    told = ", ".join(f"{tally[decision]:,} {decision}" for decision in DECISIONS if tally[decision])
    chief = next(decision for decision in _BY_WEIGHT if tally[decision])
    reasons = {call.reason for call in items}
    if len(reasons) == 1:
        told = f"{told}: {items[0].reason}"
    yield _row(chief, f"{path}{_range(items)}", told)
    if len(reasons) > 1:
        others = [call for call in items if call.decision != "reuse"]
        for call in others[:_MOST_ITEMS]:
            yield _row(call.decision, f"  {call.path}", call.reason)
        if len(others) > _MOST_ITEMS:
            yield ["", f"  {len(others) - _MOST_ITEMS:,} more", "(all of them: --json)"]


def _row(decision: Decision, path: str, reason: str) -> list[Cell]:
    return [(decision, _STYLES[decision]), path, (reason, "dim")]


def _range(items: Sequence[PlannedCall]) -> str:
    """`[0..9999]`, or `[4]` of a single item."""
    places = sorted(int(call.path.rpartition("[")[2].rstrip("]")) for call in items)
    return f"[{places[0]}]" if len(places) == 1 else f"[{places[0]}..{places[-1]}]"
