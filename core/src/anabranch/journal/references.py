"""What events refer to in the artifact store: whatever is named here may be needed, and nothing else may.

An outcome that was discarded counts like any other: it is part of the run's history, which `runs export` hands out.
"""

from collections.abc import Iterator

from anabranch.journal.events import (
    AttemptStarted,
    CodeSeen,
    CompletionObserved,
    Event,
    InvocationCreated,
    LogWritten,
    MapExpanded,
    OutcomeRecorded,
    OutcomeReused,
    RunCreated,
    RunEnded,
    ValueDrawn,
)
from anabranch.model.records import Output

WITHOUT_REFERENCES: tuple[type[Event], ...] = (
    AttemptStarted,
    CodeSeen,
    CompletionObserved,
    InvocationCreated,
    MapExpanded,
    OutcomeReused,
    ValueDrawn,
)
"""The frequent kinds that refer to nothing: whoever only wants references need not read them."""


def stored_digests(event: Event) -> Iterator[str]:
    """The digests under which the store has what belongs to this event."""
    if isinstance(event, LogWritten):
        if event.blob:
            yield event.blob
    else:
        yield from (output.digest for output in _outputs(event) if output.offset < 0)


def _outputs(event: Event) -> tuple[Output, ...]:
    if isinstance(event, RunCreated):
        return event.arguments
    return event.outputs if isinstance(event, OutcomeRecorded | RunEnded) else ()
