"""How calls end, in memory; and the errors of those that never ran."""

from dataclasses import dataclass

from anabranch.engine.nodes import Node
from anabranch.errors import BeyondRehearsal, Cancelled, UpstreamFailed
from anabranch.model.records import Output, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an invocation ended, in memory. `number` is the event that records it, 0 if none does."""

    status: Status
    number: int = 0
    outputs: tuple[Output, ...] = ()
    shape: object = None
    error: BaseException | None = None


def dropped(name: str) -> Outcome:
    """For a call that never started because its run stops: it has no recorded outcome."""
    return Outcome(
        status="cancelled",
        error=Cancelled(
            "the call was not started, since its run is stopping", name, "resume the run"
        ),
    )


def withdrawn(name: str) -> Outcome:
    """For a call that was cancelled while it waited."""
    return Outcome(
        status="cancelled",
        error=Cancelled("the call was cancelled while it waited", name, "submit it again"),
    )


def upstream_failed(name: str, cause: Node) -> BaseException:
    """The failure of a call that was skipped; its cause is the failure that is to blame.

    In a rehearsal, what is to blame is itself the error: what follows lies beyond it too.
    """
    origin = cause.origin
    if isinstance(origin.error, BeyondRehearsal):
        return origin.error
    error = UpstreamFailed(
        f"{name} was skipped: {type(origin.error).__name__}: {origin.error}",
        f"it depends on {origin.name}, which failed",
        "mend that one, and resume the run",
    )
    error.__cause__ = origin.error
    return error
