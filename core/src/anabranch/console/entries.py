"""The parts of a run as a display sees them: calls, fan-outs, and the branches that hold them."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from anabranch.model.ids import InvocationId
from anabranch.model.records import Status

State: TypeAlias = Status | Literal["pending", "running", "retrying"]
Tally: TypeAlias = dict[str, int]

UNFINISHED: tuple[State, ...] = ("pending", "running", "retrying")
KEEP_ENDED = 60
KEEP_FAILED = 5


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    """One invocation. `map` is the fan-out that it is an item of; `inside` what the body of a child has called.

    `before` is how an earlier life ended it, `origin` the other run whose outcome it took. Times are in unix seconds, 0
    for not yet.
    """

    display: str
    scope: InvocationId
    map: "FanOut | None" = None
    is_pipeline: bool = False
    on_show: bool = False
    status: State = "pending"
    before: Status | None = None
    is_reused: bool = False
    origin: str = ""
    attempt: int = 0
    started_at: float = 0.0
    seconds: float = 0.0
    trouble: str = ""
    retry_at: float = 0.0
    place: int = 0
    inside: "Branch | None" = None

    @property
    def is_done(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def has_failed(self) -> bool:
        return self.status == "failed"


@dataclass(slots=True, eq=False, kw_only=True)
class FanOut:
    """A map or product of `count` items. `failures` are the first few, as (item, error)."""

    display: str
    scope: InvocationId
    count: int
    on_show: bool = False
    tally: Tally = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    started_at: float = 0.0
    ended_at: float = 0.0
    place: int = 0

    @property
    def ended(self) -> int:
        """How many items have an outcome."""
        return self.count - sum(self.tally.get(status, 0) for status in UNFINISHED)

    @property
    def is_done(self) -> bool:
        return self.ended >= self.count

    @property
    def has_failed(self) -> bool:
        return self.tally.get("failed", 0) > 0


Entry: TypeAlias = Call | FanOut


@dataclass(slots=True, eq=False)
class Branch:
    """The inside of one body: the run's own, or a child's.

    `active` holds by place what is under way, `failed` the first failures, `ended` the last of the other endings.
    `tally` counts all direct calls, `fan_outs_ended` the maps; their items are counted in the maps themselves.
    """

    tally: Tally = field(default_factory=dict)
    fan_outs_ended: int = 0
    active: dict[int, Entry] = field(default_factory=dict)
    failed: list[Entry] = field(default_factory=list)
    ended: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEEP_ENDED))

    def place(self, entry: Entry) -> None:
        """Puts it where its status belongs; what only waits is counted and not kept."""
        if entry.is_done:
            self.active.pop(entry.place, None)
            self.fan_outs_ended += isinstance(entry, FanOut)
            keeps = entry.has_failed and len(self.failed) < KEEP_FAILED
            (self.failed if keeps else self.ended).append(entry)
        elif isinstance(entry, FanOut) or entry.status != "pending":
            self.active[entry.place] = entry
