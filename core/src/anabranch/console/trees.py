"""A run that is recorded, as a tree for people: `anabranch runs show`.

Maps are one line, with the items that failed below it, unless all items are asked for; so are the many calls of a
body once there are more than a screen holds.
"""

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from anabranch.console.documents import in_order, is_reused, map_counts, reused
from anabranch.console.marks import MARKS, STYLES, Marks
from anabranch.console.phrases import (
    brief,
    counts,
    duration,
    from_run,
    moment,
    next_command,
    size,
)
from anabranch.console.rows import Row, append_rows
from anabranch.journal.fold import InvocationState, MapState, RunState
from anabranch.journal.interface import RunSummary
from anabranch.model.ids import ROOT_SCOPE, InvocationId
from anabranch.model.records import Output

MOST_CALLS = 40
"""Calls of one body that are shown one by one; of more, the first and the last."""

_MOST_FAILED_ITEMS = 10
_OUTPUTS = 4


def run_tree(
    state: RunState,
    summary: RunSummary,
    *,
    width: int,
    whole: bool = False,
    marks: Marks = MARKS,
) -> Text:
    """The run, its calls, and where it stands. `whole` shows every call and every item of every map."""
    text = Text(no_wrap=True, overflow="ellipsis")
    _head(text, state, summary, marks)
    rows = list(_Tree(state, marks, whole).rows(ROOT_SCOPE, 1))
    append_rows(text, rows, width, marks)
    for wait in state.open_waits():
        refused = f" (refused: {wait.refused})" if wait.refused else ""
        asked = f": {wait.question}" if wait.question else ""
        text.append(f"\n  waits for {wait.display}{asked}{refused}", STYLES["paused"])
    for name, value in state.metadata.get(None, {}).items():
        text.append(f"\n  {name} = {value}", "dim")
    for output in state.outputs:
        text.append(f"\n  result {output_phrase(output)}", "dim")
    if summary.status not in ("running", "completed"):
        text.append(f"\n  {next_command(summary.status, summary.run)}", "dim")
    return text


def _head(text: Text, state: RunState, summary: RunSummary, marks: Marks) -> None:
    style = STYLES[summary.status]
    text.append(f"{marks[summary.status]} ", style)
    text.append(state.pipeline, "bold")
    text.append(f"  {summary.run}", "dim")
    text.append(f"\n  {summary.status.replace('_', ' ')}", style)
    if summary.ended is not None:
        text.append(f" in {duration(summary.ended - summary.created)}", "dim")
    told = [counts(state.counts()), f"{reused(state):,} reused" if reused(state) else ""]
    text.append("".join(f" · {phrase}" for phrase in told if phrase), "dim")
    facts = [f"started {moment(summary.created)}"]
    if state.created is not None:
        facts += [f"stack {state.created.stack}", *(f"#{tag}" for tag in state.created.tags)]
        facts += [f"rerun of {state.created.origin}"] if state.created.origin else []
    if state.life > 1:
        facts.append(f"life {state.life}")
    if summary.lease is not None:
        facts.append(f"driver {summary.lease.holder}")
    text.append(f"\n  {' · '.join(facts)}", "dim")


class _Tree:
    """The rows of a run."""

    def __init__(self, state: RunState, marks: Marks, whole: bool) -> None:
        self._state, self._marks, self._whole = state, marks, whole
        self._tallies = {known.map: tally for known, tally in map_counts(state)}
        self._items: dict[InvocationId, list[InvocationState]] = {}
        self._inside: dict[InvocationId, list[InvocationState | MapState]] = {}
        for entry in in_order(state):
            self._inside.setdefault(entry.scope, []).append(entry)
        for known in state.invocations.values():
            if known.map in state.maps:
                self._items.setdefault(known.map or known.invocation, []).append(known)

    def rows(self, scope: InvocationId, depth: int) -> Iterator[Row]:
        entries = self._inside.get(scope, [])
        cut = len(entries) > MOST_CALLS and not self._whole
        first = entries[: MOST_CALLS // 4] if cut else entries
        last = entries[-MOST_CALLS * 3 // 4 :] if cut else []
        for entry in first:
            yield from self._rows_of(entry, depth)
        if cut:
            between = entries[len(first) : len(entries) - len(last)]
            yield self._aside(f"{_told(between)} (all of them: --all)", depth)
            for entry in between:
                if isinstance(entry, InvocationState) and entry.status == "failed":
                    yield from self._rows_of(entry, depth)
        for entry in last:
            yield from self._rows_of(entry, depth)

    def _rows_of(self, entry: InvocationState | MapState, depth: int) -> Iterator[Row]:
        if isinstance(entry, MapState):
            yield from self._map(entry, depth)
            return
        yield self._call(entry, depth)
        for name, value in self._state.metadata.get(entry.invocation, {}).items():
            yield self._aside(f"{name} = {value}", depth + 1)
        if entry.pipeline:
            yield from self.rows(entry.invocation, depth + 1)

    def _map(self, fan_out: MapState, depth: int) -> Iterator[Row]:
        tally = self._tallies[fan_out.map]
        state = _map_state(tally)
        items = self._items.get(fan_out.map, [])
        detail = f"{fan_out.count:,} items · {counts(tally)}" if tally else "0 items"
        seconds = _span(items)
        yield Row(
            depth=depth,
            mark=self._marks[state],
            name=fan_out.display,
            time=duration(seconds) if seconds else "",
            detail=detail,
            style=STYLES[state],
        )
        shown = items if self._whole else [item for item in items if item.status == "failed"]
        most = len(shown) if self._whole else _MOST_FAILED_ITEMS
        for item in shown[:most]:
            yield self._call(item, depth + 1)
        if len(shown) > most:
            yield self._aside(f"{len(shown) - most:,} more failed", depth + 1)

    def _call(self, known: InvocationState, depth: int) -> Row:
        is_spared = is_reused(known, self._state)
        state = "reused" if is_spared and known.status == "completed" else known.status
        return Row(
            depth=depth,
            mark=self._marks[state],
            name=known.display,
            time=duration(known.seconds) if known.has_outcome and known.attempts else "",
            detail=" · ".join(self._facts(known, is_spared)),
            style=STYLES[state],
            is_alarming=state == "failed",
        )

    def _facts(self, known: InvocationState, is_spared: bool) -> Iterator[str]:
        if known.failure is not None and known.status != "completed":
            yield brief(known.failure)
        if known.status in ("running", "retrying", "skipped", "cancelled"):
            yield known.status
        if known.cause is not None and known.cause in self._state.invocations:
            yield f"because {self._state.invocations[known.cause].display} failed"
        if known.attempts > 1:
            yield f"{known.attempts} attempts"
        if is_spared:
            yield f"reused {from_run(known.origin)}".rstrip()
        elif known.discarded:
            yield f"ran again: {known.discarded}"
        yield from map(output_phrase, known.outputs[:_OUTPUTS])
        if len(known.outputs) > _OUTPUTS:
            yield f"{len(known.outputs) - _OUTPUTS} more outputs"

    def _aside(self, phrase: str, depth: int) -> Row:
        return Row(depth=depth, mark=self._marks["more"], name=phrase, is_aside=True)


def output_phrase(output: Output) -> str:
    """`dict 1.2 KiB 9f86d081`, with the artifact's name where it has one of its own."""
    kind = output.type.rpartition(":")[2].rpartition(".")[2]
    length = f"[{output.length:,}]" if output.length is not None else ""
    name = "" if output.artifact in ("", output.name) else f"{output.artifact}: "
    return f"{name}{kind}{length} {size(output.size)} {output.digest[:8]}"


def _told(entries: Sequence[InvocationState | MapState]) -> str:
    tally: dict[str, int] = {}
    for entry in entries:
        kind = entry.status if isinstance(entry, InvocationState) else "maps"
        tally[kind] = tally.get(kind, 0) + 1
    maps = f"{tally['maps']:,} maps" if "maps" in tally else ""
    return " · ".join(filter(None, [counts(tally), maps]))


def _map_state(tally: Mapping[str, int]) -> str:
    if any(tally.get(status) for status in ("pending", "running", "retrying")):
        return "running"
    return "mixed" if tally.get("failed") else "completed"


def _span(items: Sequence[InvocationState]) -> float:
    """From the first start to the last end."""
    starts = [item.started_at for item in items if item.started_at]
    ends = [item.ended_at for item in items if item.has_outcome]
    return max(ends) - min(starts) if starts and ends else 0.0
