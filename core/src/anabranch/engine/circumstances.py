"""What one life of a run is given from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.interrupts import Interrupts
from anabranch.engine.recording import Recorder
from anabranch.engine.replaying import Replay
from anabranch.engine.reusing import Reuse
from anabranch.engine.values import Values
from anabranch.journal.interface import Journal
from anabranch.model.caching import CacheUse
from anabranch.model.ids import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a run is given: where it is written, what it may do. `lacks` maps capabilities that are absent to why.

    `reuse` makes what decides whether a call is spared; a rehearsal has another one. `caching` says what the run has
    to do with the outcomes of others.
    """

    run: RunId
    values: Values
    recorder: Recorder
    replay: Replay
    fingerprints: Fingerprinter
    interrupts: Interrupts
    journal: Journal
    project: Path
    caching: CacheUse
    stack: str
    lacks: Mapping[str, str]
    started: datetime
    lease_seconds: float
    chance: Callable[[], float]
    reuse: Callable[..., Reuse] = Reuse
