"""What a resume would do: said of each call before anything is done."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import RunStatus

Decision = Literal["reuse", "run", "re-attach", "orphan"]
"""`reuse`: its recorded outcome stands in. `run`: it runs, again or for the first time. `re-attach`: its job still runs
on a backend, and is waited for. `orphan`: the run has it, and its pipeline does not make it any more."""

DECISIONS: tuple[Decision, ...] = ("reuse", "run", "re-attach", "orphan")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """`path` is the display id, with those of the child runs around it: `tune/train_2`.

    `is_reached` tells whether the body came to the call; of the others it is not known that the body makes them.
    """

    invocation: InvocationId
    path: str
    step: str
    pipeline: bool
    scope: InvocationId
    map: InvocationId | None
    is_reached: bool = True
    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`calls` is empty if nothing is left to do; `maps` are the paths of the maps that they are items of.

    `beyond` says what the body needs that is not there, and is empty if it comes to its end. `failure` is what the body
    itself raises, in a line; `driver` the holder of the lease, if the run is being driven.
    """

    run: RunId
    pipeline: str
    status: RunStatus
    calls: tuple[PlannedCall, ...] = ()
    beyond: str = ""
    failure: str = ""
    driver: str = ""
    maps: Mapping[InvocationId, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing that a resume could do."""
        return self.status in ("completed", "cancelled")

    def counts(self) -> dict[Decision, int]:
        """How many calls each decision is for; those that are for none are left out."""
        tally = Counter(call.decision for call in self.calls)
        return {decision: tally[decision] for decision in DECISIONS if tally[decision]}
