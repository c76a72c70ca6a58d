"""What the engine asks of whatever runs its jobs. No implementation lives here: backends are plugins.

Names load when they are first used: a run in one process has no jobs, and does not pay for their types.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.backends.capabilities import Capabilities as Capabilities
    from anabranch.backends.interface import Backend as Backend
    from anabranch.backends.interface import SupportsLogs as SupportsLogs
    from anabranch.backends.interface import SupportsWatch as SupportsWatch
    from anabranch.backends.jobs import JobHandle as JobHandle
    from anabranch.backends.jobs import JobSpec as JobSpec
    from anabranch.backends.jobs import JobStatus as JobStatus

_NAMES = {
    "Capabilities": "anabranch.backends.capabilities",
    "Backend": "anabranch.backends.interface",
    "SupportsLogs": "anabranch.backends.interface",
    "SupportsWatch": "anabranch.backends.interface",
    "JobHandle": "anabranch.backends.jobs",
    "JobSpec": "anabranch.backends.jobs",
    "JobStatus": "anabranch.backends.jobs",
}

__all__ = [*_NAMES]  # noqa: PLE0604  (the names are strings, read from the table above)
__getattr__ = lazy(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
