"""Why each call of a run ran or was reused, life by life, and whether an edit since then would run it again."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from anabranch.console.documents import Document, failure_document, in_order
from anabranch.console.phrases import brief, duration, plural
from anabranch.console.tables import Cell, columns
from anabranch.journal.fold import InvocationState, RunState
from anabranch.journal.history import Episode
from anabranch.journal.names import paths_of
from anabranch.model.ids import InvocationId

MOST_CALLS = 60
"""Calls that are told of one by one, and reasons that are."""

Changes = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`calls` are those asked for. `changes` tells what an edit has done to the code of each since its outcome.

    A call whose step is not found has `None` there, one without an outcome nothing. `trouble` says why the code could
    not be looked at.
    """

    state: RunState
    calls: Sequence[InvocationId]
    histories: Mapping[InvocationId, Sequence[Episode]]
    changes: Mapping[InvocationId, Changes]
    trouble: str = ""


def explanation_document(explanation: Explanation) -> Document:
    """`anabranch explain --json`."""
    paths = paths_of(explanation.state)
    return {
        "run": explanation.state.run,
        "pipeline": explanation.state.pipeline,
        "lives": explanation.state.life,
        "calls": [_call_document(id, explanation, paths) for id in explanation.calls],
        "trouble": explanation.trouble or None,
    }


def _call_document(
    id: InvocationId, explanation: Explanation, paths: Mapping[InvocationId, str]
) -> Document:
    known = explanation.state.invocations[id]
    changes = explanation.changes.get(id)
    return {
        "id": id,
        "display": paths[id],
        "step": known.step,
        "kind": "pipeline" if known.pipeline else "step",
        "map": known.map,
        "lives": [
            {
                "life": episode.life,
                "status": episode.status,
                "reused": episode.is_reused,
                "ran_again_because": episode.again or None,
                "seconds": episode.seconds if episode.ran else None,
                "attempts": episode.attempts,
                "retried": [failure_document(failure) for failure in episode.retried],
                "failure": failure_document(episode.failure),
                "cause": None if episode.cause is None else paths.get(episode.cause, episode.cause),
                "origin": episode.origin,
            }
            for episode in explanation.histories.get(id, ())
        ],
        "changed": None if changes is None else list(changes),
    }


def explanation_text(explanation: Explanation, in_full: bool) -> Text:
    """`in_full` gives each life a line; otherwise each call has one, and maps have one for their items."""
    told = _in_full(explanation) if in_full else _in_brief(explanation)
    lines = [*told, *([f"now: {explanation.trouble}"] if explanation.trouble else [])]
    return Text("\n").join([line if isinstance(line, Text) else Text(line) for line in lines])


def _in_full(explanation: Explanation) -> Iterator[str | Text]:
    paths = paths_of(explanation.state)
    for id in explanation.calls[:MOST_CALLS]:
        yield Text(paths[id], "bold")
        for episode in explanation.histories.get(id, ()):
            for line in _lines(episode, paths):
                yield f"  {line}"
        now = _now(id, explanation)
        yield from [f"  now: {now}"] if now else []
    if len(explanation.calls) > MOST_CALLS:
        yield f"{len(explanation.calls) - MOST_CALLS:,} more calls (all of them: --json)"


def _in_brief(explanation: Explanation) -> Iterator[str | Text]:
    rows = list(_rows(explanation))
    if rows:
        yield columns(["", ""], rows[:MOST_CALLS])
    if len(rows) > MOST_CALLS:
        yield f"{len(rows) - MOST_CALLS:,} more lines (all of them: --json)"
    found = [explanation.histories.get(id, ()) for id in explanation.calls]
    again = sum(any(each.ran and each.is_repeated for each in episodes) for episodes in found)
    reused = sum(any(each.is_reused for each in episodes) for episodes in found)
    yield Text(f"{plural(len(found), 'call')}: {again:,} ran again, {reused:,} reused", "dim")


def _rows(explanation: Explanation) -> Iterator[list[Cell]]:
    state, paths = explanation.state, paths_of(explanation.state)
    calls, items = set(explanation.calls), _items_asked_for(explanation)
    for entry in in_order(state):
        if isinstance(entry, InvocationState):
            if entry.invocation in calls:
                told = _brief_lines(entry.invocation, explanation, paths)
                yield [paths[entry.invocation], " · ".join(told)]
        elif entry.map in items:
            tally: Counter[tuple[float, str]] = Counter()
            for item in items[entry.map]:
                tally.update(_gists(item, explanation))
            gists = [f"{gist} ({count:,})" for (_, gist), count in sorted(tally.items())]
            yield [f"{paths[entry.map]}[{entry.count:,}]", " · ".join(gists)]


def _items_asked_for(explanation: Explanation) -> dict[InvocationId, list[InvocationId]]:
    """By their maps."""
    items: dict[InvocationId, list[InvocationId]] = {}
    for id in explanation.calls:
        map = explanation.state.invocations[id].map
        if map is not None:
            items.setdefault(map, []).append(id)
    return items


def _brief_lines(
    id: InvocationId, explanation: Explanation, paths: Mapping[InvocationId, str]
) -> Iterator[str]:
    for episode in explanation.histories.get(id, ()):
        yield next(_lines(episode, paths))
    if explanation.changes.get(id):
        yield f"now: {_now(id, explanation)}"


def _gists(id: InvocationId, explanation: Explanation) -> Iterator[tuple[float, str]]:
    """What an item has in common with others, and its place in time: no seconds, and no failures of its own."""
    for episode in explanation.histories.get(id, ()):
        yield episode.life, f"{_when(episode)}: {_gist(episode)}"
    if explanation.changes.get(id):
        yield math.inf, f"now: {_now(id, explanation)}"


def _gist(episode: Episode) -> str:
    if episode.origin is not None:
        return f"taken from run {episode.origin}"
    if episode.is_reused:
        return "reused"
    if episode.status is None and episode.life == 0:
        return "not taken over, so that it runs again"
    again = f", since {episode.again}" if episode.again else ""
    if episode.is_repeated and episode.again:
        again = f" again: {episode.again}"
    if episode.status is None:
        return f"to run{again}, without an outcome"
    return f"ran{again}, {episode.status}" if episode.ran else episode.status


def _when(episode: Episode) -> str:
    return f"life {episode.life}" if episode.life else "at first"


def _lines(episode: Episode, paths: Mapping[InvocationId, str]) -> Iterator[str]:
    """The life in a line, and what failed in it and was tried again."""
    words = _gist(episode)
    if episode.ran:
        words += f" in {duration(episode.seconds)}"
        words += f" at attempt {episode.attempts}" if episode.attempts > 1 else ""
    if episode.cause is not None:
        words += f", because {paths.get(episode.cause, episode.cause)} failed"
    if episode.failure is not None:
        words += f": {brief(episode.failure)}"
    yield f"{_when(episode)}: {words}"
    for failure in episode.retried:
        yield f"        an attempt failed, and was followed by another: {brief(failure)}"


def _now(id: InvocationId, explanation: Explanation) -> str:
    if id not in explanation.changes:
        return ""
    changes = explanation.changes[id]
    if changes is None:
        return "its step is not found before the body calls it"
    if not changes:
        return "its code is the same"
    return f"it would run again: its code has changed: {'; '.join(changes[:8])}"
