"""What a stack may be able to do: the words in which a backend declares it and the engine refuses it.

A capability is present, with how, or absent, with why; it is never guessed from which methods exist. The engine refuses
a run that needs what is absent, before its first step starts, and gives that reason (law L7). What a backend does not
mention is absent.

`UNBUILT` is the engine's own share: what this release cannot do whatever the backend says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Meaning(NamedTuple):
    """`decided_by`: the orchestrator, any backend of the stack (orchestrator or executor), or the engine itself."""

    text: str
    decided_by: Literal["orchestrator", "backends", "engine"]


CAPABILITIES: Mapping[str, Meaning] = {
    "isolated_steps": Meaning("a step runs in a process, container or pod of its own", "backends"),
    "driver_loss": Meaning("a run goes on after its driver has died", "orchestrator"),
    "detach": Meaning("a run goes on without the terminal that started it", "orchestrator"),
    "caching": Meaning("a step's result is reused by later runs", "engine"),
    "waits": Meaning("a run pauses for an answer and gives its compute back", "engine"),
    "models": Meaning("artifacts are grouped under a named model", "engine"),
    "run_timeout": Meaning("a run is stopped when its time is over", "engine"),
    "run_environment": Meaning("a run sets environment variables for its driver", "orchestrator"),
    "queue_timeout": Meaning("a step gives up when its compute does not come", "backends"),
    "resources": Meaning("a step gets the cpu, memory and gpu that it asks for", "backends"),
    "custom_image": Meaning("a step chooses the image that it runs in", "backends"),
    "secrets": Meaning("a step is given secrets that no record keeps", "backends"),
    "settings": Meaning("a step passes options that one backend alone knows", "backends"),
}

_ONE_PROCESS = "this release runs drivers and steps in the process that starts the run"

UNBUILT: Mapping[str, str] = {
    "isolated_steps": _ONE_PROCESS,
    "detach": _ONE_PROCESS,
    "run_environment": _ONE_PROCESS,
    "queue_timeout": _ONE_PROCESS,
    "resources": _ONE_PROCESS,
    "custom_image": _ONE_PROCESS,
    "settings": _ONE_PROCESS,
    "secrets": "handing secrets to steps is not built yet",
    "models": "named models are not built yet",
}
"""Why the engine of this release cannot do it, on any stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A backend's declaration: `present` maps a capability to how it is done, `absent` maps one to why it is not."""

    present: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
