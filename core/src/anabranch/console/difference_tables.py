"""Two runs side by side, for people: `anabranch runs diff`."""

import json
from collections.abc import Iterator, Sequence

from rich.text import Text

from anabranch.console.differences import Difference, is_same
from anabranch.console.marks import Marks
from anabranch.console.phrases import brief, duration, plural
from anabranch.console.tables import Cell, columns
from anabranch.journal.comparing import Argument, Call, ChangedCall, Comparison
from anabranch.journal.interface import RunSummary

_MOST_ROWS = 40
_MOST_PARTS = 4


def difference_text(difference: Difference, marks: Marks) -> Text:
    """A table of the runs, and one of the calls that differ; the items of a map that differ alike are one line."""
    found = difference.found
    text = columns(["", "A", "B"], [*_run_rows(difference, marks)])
    counted = [
        f"{plural(found.same, 'call')} the same",
        f"{len(found.changed):,} different" if found.changed else "",
        f"{len(found.only_old):,} only in A" if found.only_old else "",
        f"{len(found.only_new):,} only in B" if found.only_new else "",
    ]
    text.append(f"\n\n{' · '.join(filter(None, counted))}")
    rows = _call_rows(found)
    if rows:
        text.append("\n")
        text.append(columns(["", "", ""], rows[:_MOST_ROWS]))
    if len(rows) > _MOST_ROWS:
        text.append(f"\n{len(rows) - _MOST_ROWS:,} more lines (all of them: --json)", "dim")
    return text


def _run_rows(difference: Difference, marks: Marks) -> Iterator[list[Cell]]:
    old, new = difference.old, difference.new
    yield [("run", "dim"), old.run, new.run]
    yield _row("pipeline", old.pipeline, new.pipeline)
    yield [
        ("status", "dim"),
        *(
            (f"{marks[run.status]} {run.status.replace('_', ' ')}", run.status)
            for run in (old, new)
        ),
    ]
    yield [("took", "dim"), _took(old), _took(new)]
    if any(difference.found.failures):
        before, after = ("" if each is None else brief(each) for each in difference.found.failures)
        yield _row("failure", before, after)
    for name, pair in difference.found.arguments.items():
        before, after = map(_shown, pair)
        yield _row(name, before, after, alike=is_same(pair))


def _row(name: str, before: str, after: str, alike: bool | None = None) -> list[Cell]:
    alike = before == after if alike is None else alike
    return [(name, "dim"), before, after if alike else (after, "bold")]


def _took(summary: RunSummary) -> str:
    return "" if summary.ended is None else duration(summary.ended - summary.created)


def _shown(argument: Argument | None) -> str:
    if argument is None:
        return "(not given)"
    if argument.is_shown:
        return json.dumps(argument.value, ensure_ascii=False)
    return argument.digest[:16]


def _call_rows(found: Comparison) -> list[list[Cell]]:
    changed = [(call.new, "~", _told(call)) for call in found.changed]
    old = [(call, "-", "only in A") for call in found.only_old]
    new = [(call, "+", "only in B") for call in found.only_new]
    return [*_grouped(changed), *_grouped(old), *_grouped(new)]


def _grouped(calls: Sequence[tuple[Call, str, str]]) -> Iterator[list[Cell]]:
    """Items of one map with the same to be told are one line, at the place of the first."""
    groups: dict[tuple[str, str], list[tuple[Call, str, str]]] = {}
    for call, sign, told in calls:
        groups.setdefault((call.map_path or call.known.invocation, told), []).append(
            (call, sign, told)
        )
    for members in groups.values():
        first, sign, told = members[0]
        many = f"{first.map_path} ({len(members):,} items)"
        yield [sign, (first.path if len(members) == 1 else many, "bold"), told]


def _told(call: ChangedCall) -> str:
    old, new = call.old.known, call.new.known
    facts = []
    if call.status:
        facts.append(f"{old.status} -> {new.status}")
    if call.failure:
        facts += [brief(known.failure) for known in (old, new) if known.failure is not None]
    if call.inputs:
        facts.append("other inputs")
    if call.outputs:
        names = [name for name in call.outputs if name != "output"]
        facts.append(f"other output {', '.join(names)}".rstrip())
    if call.code:
        more = len(call.code) - _MOST_PARTS
        parts = [*call.code[:_MOST_PARTS], *([f"{more} more"] if more > 0 else [])]
        facts.append(f"other code: {', '.join(parts)}")
    return " · ".join(facts)
