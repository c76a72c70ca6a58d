"""`anabranch runs delete` and `anabranch gc`: what is kept no longer.

The first removes runs, the second what only they needed. Neither asks what a run is worth: so a deletion wants a yes,
and `gc` leaves alone whatever a driver may be about to record.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import chain

from anabranch import console
from anabranch.artifacts.interface import Stored
from anabranch.cli.ages import age
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.phrases import iso, plural, size
from anabranch.engine.leftovers import leftovers, remove
from anabranch.errors import RunBusy, UserMistake
from anabranch.journal.events import Json
from anabranch.journal.interface import Journal, RunSummary
from anabranch.stacks import open_stack, sharing_stacks

GRACE = timedelta(days=1)
"""How old an artifact must be to go, unless another age is asked for: far longer than it takes to record one."""

_GOING_ON = ("running", "paused")


def runs_delete(request: Request, output: Output) -> int:
    """Removes the runs that are named, or all that ended long enough ago."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        chosen = _chosen(request, stack.journal)
        if chosen and not request.agreed and not _is_agreed(chosen, output):
            chosen = []
        for summary in chosen:
            stack.journal.delete(summary.run)
            if not output.is_json:
                print(f"deleted {summary.run}  {summary.pipeline}")
    if output.is_json:
        output.document({"deleted": [summary.run for summary in chosen]})
    elif chosen:
        output.note("their artifacts go with: anabranch gc")
    else:
        output.note("nothing was deleted")
    return COMPLETED


def gc(request: Request, output: Output) -> int:
    """Removes artifacts that no run refers to."""
    grace = GRACE if request.older_than is None else age(request.older_than)
    before = time.time() - grace.total_seconds()
    with ExitStack() as closing:
        stack = closing.enter_context(open_stack(request.stack))
        output.warn(stack.problems)
        others = [closing.enter_context(open_stack(n)) for n in sharing_stacks(request.stack)]
        journals = [each.journal for each in (stack, *others)]
        if grace < GRACE and not request.rehearsal:
            _refuse_while_running(journals)  # who is gone now has recorded what is read next
        gone = leftovers(journals, stack.store, before)
        if gone and request.older_than is None and not request.rehearsal:
            _refuse_without_runs(journals, gone)
        if not request.rehearsal:
            gone = remove(stack.store, gone, before)
    _tell(gone, request, output)
    return COMPLETED


def _chosen(request: Request, journal: Journal) -> list[RunSummary]:
    """Raises `UserMistake` or `RunNotFound`, before anything is deleted."""
    if bool(request.runs) == (request.older_than is not None):
        raise request.parser.mistake("give the runs to delete, or --older-than AGE")
    if not all(request.runs):
        raise request.parser.mistake("the name of a run is empty")  # it would be that of any run
    if request.older_than is not None:
        before = time.time() - age(request.older_than).total_seconds()
        return [each for each in journal.runs(None) if _is_done(each) and _end(each) < before]
    return [journal.summary(run) for run in dict.fromkeys(map(journal.find, request.runs))]


def _is_done(summary: RunSummary) -> bool:
    """A run that is driven, or that waits for an answer, is not done, however old it is."""
    return summary.status not in _GOING_ON


def _end(summary: RunSummary) -> float:
    return summary.created if summary.ended is None else summary.ended


def _is_agreed(chosen: Sequence[RunSummary], output: Output) -> bool:
    """Asks whoever sits at the terminal. Raises `UserMistake` if nobody does."""
    if not sys.stdin.isatty():
        raise UserMistake(
            f"{plural(len(chosen), 'run')} would be deleted for good, and nobody is there to be asked",
            "anabranch runs delete",
            "add --yes",
        )
    for summary in chosen:
        output.note(f"  {summary.run}  {summary.pipeline}  {summary.status}")
    print(f"delete {plural(len(chosen), 'run')} for good? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _refuse_while_running(journals: Sequence[Journal]) -> None:
    runs = chain.from_iterable(journal.runs(None) for journal in journals)
    driven = next((each for each in runs if each.status == "running"), None)
    if driven is not None:
        raise RunBusy(
            f"run {driven.run} is going on, and what it is about to record looks like a leftover",
            "anabranch gc --older-than less than a day",
            "wait until the run has ended, or leave --older-than out",
        )


def _refuse_without_runs(journals: Sequence[Journal], gone: Sequence[Stored]) -> None:
    """A store that is full and a journal without any run may not belong together."""
    if not any(journal.runs(1) for journal in journals):
        raise UserMistake(
            f"there is no run, so {plural(len(gone), 'artifact')} would go: all that are old enough",
            "the journal and the artifact store of this stack",
            "see whether they are the right ones: anabranch stack show. If so: --older-than 1d",
        )


def _tell(gone: Sequence[Stored], request: Request, output: Output) -> None:
    total = sum(each.size for each in gone)
    if output.is_json:
        found: list[Json] = [
            {"digest": each.digest, "size": each.size, "stored": iso(each.at)} for each in gone
        ]
        output.document(
            {"dry_run": request.rehearsal, "removed": len(gone), "size": total, "artifacts": found}
        )
        return
    if request.rehearsal:
        rows = [[each.digest[:16], size(each.size).rjust(9)] for each in gone]
        console.print_table(["artifact", "     size"], rows)
    verb = "would be removed" if request.rehearsal else "removed"
    print(f"{plural(len(gone), 'artifact')} {verb}, {size(total)}")
