"""What crosses the border between the engine and a backend: plain data, never an engine object.

A job is a command with an environment, an image and resources that a backend runs to its end. To a backend a driver and
an isolated step are the same thing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from anabranch.model.ids import RunId
from anabranch.model.options import Resources

JobState = Literal["pending", "running", "succeeded", "failed", "cancelled", "lost"]
"""`lost`: the backend does not know the job, or knows that nobody will ever say how it ended."""

ENDED: frozenset[JobState] = frozenset(("succeeded", "failed", "cancelled", "lost"))

JobTrouble = Literal[
    "out_of_memory",
    "preempted",
    "image_pull_failed",
    "unschedulable",
    "quota_exceeded",
    "timed_out",
]
"""What the infrastructure did to a job: each is a typed error that a body can catch on any backend (law L10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job to run.

    `name` is computed from the attempt and never drawn: two submissions of one name are one job (law L5). It has at
    most 63 characters of `[a-z0-9-]`, a letter first and no hyphen last, which clouds accept as it is. `secrets` are
    environment variables too, but go through the backend's secret store where it has one (law L13). `image` is `None`
    for the stack's own. `timeout_seconds` counts from the start of the command; `None` means no limit. `settings` are
    the step's own for this backend.
    """

    name: str
    run: RunId
    role: Literal["driver", "step"]
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    image: str | None = None
    resources: Resources = field(default_factory=Resources)
    timeout_seconds: float | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandle:
    """A job that was submitted; small enough for the journal, and all that a later driver needs to find it again.

    `reference` is the backend's own name for it (a process, a container, an ARN), read by nobody else.
    """

    name: str
    run: RunId
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What a backend knows of a job now.

    `exit_code` is the command's, `None` while it runs or where the backend cannot tell. `trouble` is set only when the
    infrastructure ended the job; `detail` is the backend's own words for a person.
    """

    handle: JobHandle
    state: JobState
    exit_code: int | None = None
    trouble: JobTrouble | None = None
    detail: str = ""
