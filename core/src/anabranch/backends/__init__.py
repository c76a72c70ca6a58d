"""What the engine asks of whatever runs its jobs. No implementation lives here: backends are plugins."""

from anabranch.backends.capabilities import Capabilities as Capabilities
from anabranch.backends.interface import Backend as Backend
from anabranch.backends.interface import SupportsLogs as SupportsLogs
from anabranch.backends.interface import SupportsWatch as SupportsWatch
from anabranch.backends.jobs import JobHandle as JobHandle
from anabranch.backends.jobs import JobSpec as JobSpec
from anabranch.backends.jobs import JobStatus as JobStatus
