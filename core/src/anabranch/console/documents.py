"""Runs as JSON: the shapes that `--json` promises.

Plain dictionaries, made from what was recorded; the keys are documented in docs/reference/command-line.md and only
ever added to. Times are ISO 8601 with their distance from UTC, durations seconds, sizes bytes; what is not known or
not yet so is `null`.
"""

from collections.abc import Mapping, Sequence

from anabranch.console.phrases import iso
from anabranch.journal.events import Json
from anabranch.journal.fold import InvocationState, MapState, RunState, WaitState
from anabranch.journal.interface import RunSummary
from anabranch.model.ids import InvocationId
from anabranch.model.records import Failure, Output

Document = dict[str, Json]


def runs_document(summaries: Sequence[RunSummary]) -> Document:
    """`anabranch runs ls --json`."""
    return {"runs": [summary_document(summary) for summary in summaries]}


def summary_document(summary: RunSummary) -> Document:
    """One run, as the list of runs tells it."""
    lease = summary.lease
    return {
        "run": summary.run,
        "pipeline": summary.pipeline,
        "status": summary.status,
        "created": iso(summary.created),
        "ended": iso(summary.ended),
        "seconds": _span(summary.created, summary.ended),
        "events": summary.events,
        "driver": None if lease is None else {"holder": lease.holder, "until": iso(lease.until)},
    }


def ended_document(state: RunState, summary: RunSummary) -> Document:
    """`anabranch run --json` and `anabranch resume --json`: the run itself, and what made it fail."""
    created = state.created
    totals: dict[str, Json] = {**state.counts()}
    return {
        **summary_document(summary),
        "stack": created.stack if created else None,
        "version": created.version if created else None,
        "origin": created.origin if created else None,
        "tags": list(created.tags) if created else [],
        "entry": dict(created.entry) if created else {},
        "lives": state.life,
        "counts": totals,
        "reused": reused(state),
        "failure": failure_document(state.failure),
        "failed": [_failed(state, id) for id in state.failed],
        "waits": [wait_document(wait) for wait in state.waits.values()],
        "outputs": [output_document(output) for output in state.outputs],
        "metadata": dict(state.metadata.get(None, {})),
    }


def run_document(state: RunState, summary: RunSummary) -> Document:
    """`anabranch runs show --json`: with the invocations, in order of creation, and the maps."""
    return {
        **ended_document(state, summary),
        "invocations": [invocation_document(known, state) for known in state.invocations.values()],
        "maps": [map_document(known, tally) for known, tally in map_counts(state)],
    }


def invocation_document(known: InvocationState, state: RunState) -> Document:
    """One call. `attempts` counts those begun; `reused` says that this life took a recorded outcome.

    `origin` is the other run that it was recorded in, `null` if it is this run's own.
    """
    return {
        "id": known.invocation,
        "display": known.display,
        "step": known.step,
        "kind": "pipeline" if known.pipeline else "step",
        "scope": known.scope or None,
        "map": known.map,
        "after": list(known.after),
        "tags": list(known.tags),
        "status": known.status,
        "attempts": known.attempts,
        "started": iso(known.started_at),
        "ended": iso(known.ended_at) if known.has_outcome else None,
        "seconds": known.seconds if known.has_outcome else None,
        "reused": is_reused(known, state),
        "origin": known.origin,
        "ran_again_because": known.discarded or None,
        "cause": _name(state, known.cause) if known.cause else None,
        "failure": failure_document(known.failure),
        "outputs": [output_document(output) for output in known.outputs],
        "metadata": dict(state.metadata.get(known.invocation, {})),
    }


def wait_document(wait: WaitState) -> Document:
    """A wait for an answer. `refused` is why the last answer did not fit."""
    return {
        "name": wait.display,
        "question": wait.question,
        "schema": wait.schema,
        "opened": iso(wait.opened_at),
        "answered": wait.answer_number > 0,
        "by": wait.sender or None,
        "refused": wait.refused or None,
    }


def output_document(output: Output) -> Document:
    """One artifact. `length` is `null` for what is not a sequence."""
    return {
        "name": output.name,
        "artifact": output.artifact,
        "type": output.type,
        "codec": output.codec,
        "size": output.size,
        "digest": output.digest,
        "length": output.length,
        "stored": "store" if output.offset < 0 else "journal",
    }


def failure_document(failure: Failure | None) -> Document | None:
    """An exception, `type` as `module:qualname`."""
    if failure is None:
        return None
    return {"type": failure.type, "message": failure.message, "traceback": failure.traceback}


def is_reused(known: InvocationState, state: RunState) -> bool:
    """Whether the last life took an outcome that was recorded, in this run or in another."""
    in_life = known.reused_in_life if known.origin is None else known.life
    return in_life == state.life and state.life > 0


def reused(state: RunState) -> int:
    """How many calls the last life did not run, for their outcome was recorded."""
    return sum(is_reused(known, state) for known in state.invocations.values())


def in_order(state: RunState) -> list[InvocationState | MapState]:
    """Calls and maps in the order in which they came; items stand for nothing, their map does.

    A state does not say when a map was expanded: before its first item, and before whatever waited for it.
    """
    entries: list[InvocationState | MapState] = []
    maps = dict(state.maps)
    for known in state.invocations.values():
        entries.extend(maps.pop(id) for id in (known.map, *known.after) if id in maps)
        if known.map not in state.maps:
            entries.append(known)
    return [*entries, *maps.values()]


def map_counts(state: RunState) -> list[tuple[MapState, dict[str, int]]]:
    """Each map with how many of its items are in each status; items that have not begun are `pending`."""
    counts: dict[InvocationId, dict[str, int]] = {id: {} for id in state.maps}
    for known in state.invocations.values():
        if known.map in counts:
            tally = counts[known.map]
            tally[known.status] = tally.get(known.status, 0) + 1
    for id, tally in counts.items():
        unborn = state.maps[id].count - sum(tally.values())
        if unborn > 0:
            tally["pending"] = tally.get("pending", 0) + unborn
    return [(state.maps[id], tally) for id, tally in counts.items()]


def map_document(known: MapState, tally: Mapping[str, int]) -> Document:
    """A fan-out of `count` items."""
    totals: dict[str, Json] = {**tally}
    return {
        "id": known.map,
        "display": known.display,
        "step": known.step,
        "scope": known.scope or None,
        "after": list(known.after),
        "count": known.count,
        "counts": totals,
    }


def _failed(state: RunState, id: InvocationId) -> Document:
    known = state.invocations.get(id)
    failure = None if known is None else failure_document(known.failure)
    return {"display": _name(state, id), "failure": failure}


def _name(state: RunState, id: InvocationId) -> str:
    known = state.invocations.get(id)
    return known.display if known is not None else id


def _span(start: float, end: float | None) -> float | None:
    return None if end is None else round(end - start, 6)
