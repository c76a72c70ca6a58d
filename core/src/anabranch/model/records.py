"""What the journal keeps of values and failures: plain data, small, and readable in JSON."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["completed", "failed", "skipped", "cancelled"]
"""How an invocation can end. Exactly one is recorded for each."""

RunStatus = Literal[
    "running",
    "completed",
    "completed_with_failures",
    "failed",
    "cancelled",
    "interrupted",
    "paused",
    "lost",
]
"""`interrupted`: its driver left in good order and it can be resumed. `paused`: it did so since only answers are
missing. `lost`: its driver's lease ran out."""

FINAL: frozenset[RunStatus] = frozenset(
    ("completed", "completed_with_failures", "failed", "cancelled")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One artifact that an invocation made.

    `name` is the output's place ("output", "output_0"), `artifact` its name for people after substitutions.
    `offset` is where its bytes start in the event's data; -1 means that they are in the artifact store, under
    `digest`. `length` is the number of items that can be read alone; `None` means not a sequence.
    """

    name: str
    artifact: str
    digest: str
    size: int
    codec: str
    type: str
    length: int | None = None
    offset: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception as it is recorded.

    `type` is `module:qualname`, `traceback` the text that Python would print. The pickled exception, where there is
    one, is the event's data.
    """

    type: str
    message: str
    traceback: str
