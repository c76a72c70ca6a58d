"""Two runs side by side, for programs: `anabranch runs diff --json`."""

from dataclasses import dataclass

from anabranch.console.documents import Document, failure_document, summary_document
from anabranch.journal.comparing import Argument, Call, ChangedCall, Comparison
from anabranch.journal.interface import RunSummary
from anabranch.model.records import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The two runs, the older one named first, and what was found."""

    old: RunSummary
    new: RunSummary
    found: Comparison


def difference_document(difference: Difference) -> Document:
    """`anabranch runs diff --json`."""
    found = difference.found
    return {
        "old": _run(difference.old, found.failures[0]),
        "new": _run(difference.new, found.failures[1]),
        "arguments": {
            name: {"same": is_same(pair), "old": _given(pair[0]), "new": _given(pair[1])}
            for name, pair in found.arguments.items()
        },
        "same": found.same,
        "changed": [_changed(call) for call in found.changed],
        "only_old": [_call(call) for call in found.only_old],
        "only_new": [_call(call) for call in found.only_new],
    }


def is_same(pair: tuple[Argument | None, Argument | None]) -> bool:
    """Whether both runs were given it, and the same."""
    before, after = pair
    return before is not None and after is not None and before.digest == after.digest


def _run(summary: RunSummary, failure: Failure | None) -> Document:
    return {**summary_document(summary), "failure": failure_document(failure)}


def _given(argument: Argument | None) -> Document | None:
    return None if argument is None else {"digest": argument.digest, "value": argument.value}


def _call(call: Call) -> Document:
    known = call.known
    return {
        "id": known.invocation,
        "path": call.path,
        "step": known.step,
        "status": known.status,
        "seconds": known.seconds if known.has_outcome else None,
    }


def _changed(call: ChangedCall) -> Document:
    old, new = call.old.known, call.new.known
    digests = [{output.name: output.digest for output in known.outputs} for known in (old, new)]
    return {
        "old": {**_call(call.old), "failure": failure_document(old.failure)},
        "new": {**_call(call.new), "failure": failure_document(new.failure)},
        "same_identity": call.has_same_identity,
        "status": call.status,
        "failure": call.failure,
        "inputs": call.inputs,
        "outputs": {
            name: {"old": digests[0].get(name), "new": digests[1].get(name)}
            for name in call.outputs
        },
        "code": list(call.code),
    }
