"""The five verbs of a backend, and two small protocols for what some can do besides.

Orchestrators and executors share them. Every method may be called from any thread. What a cloud refuses, or a network
breaks, is an `InfrastructureError`; a mistake in the stack is a `StackError`. A constructor only assigns: a backend
connects when its first verb is called.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from anabranch.backends.jobs import JobHandle, JobSpec, JobStatus
from anabranch.model.ids import RunId


class Backend(Protocol):
    """Runs jobs."""

    def submit(self, spec: JobSpec) -> JobHandle:
        """Starts the job, or returns the handle of the one that has this name already, whatever its state (law L5).

        Returns once the backend has accepted it, before it runs.
        """
        ...

    def poll(self, handles: Sequence[JobHandle]) -> Sequence[JobStatus]:
        """The state of each, in the order of `handles`, in as few requests as the backend allows.

        A job that the backend does not know is `lost`, never an error. An ended job keeps its state for at least as
        long as its run lives.
        """
        ...

    def find(self, run: RunId) -> Sequence[JobHandle]:
        """All jobs of a run that the backend still knows, ended ones included; empty if there are none.

        Found by what the backend itself has stored, so that a driver without memory finds what its predecessor began.
        """
        ...

    def cancel(self, handle: JobHandle) -> None:
        """Asks the job to end and returns before it does. Does nothing to a job that has ended or is unknown."""
        ...

    def close(self) -> None:
        """Lets go of connections. Jobs go on."""
        ...


@runtime_checkable
class SupportsWatch(Protocol):
    """A backend that tells of changes instead of being asked."""

    def watch(self, run: RunId) -> Iterator[JobStatus]:
        """The states of a run's jobs as they change, the present ones first. Ends when the backend is closed."""
        ...


@runtime_checkable
class SupportsLogs(Protocol):
    """A backend that gives a job's output while it runs."""

    def logs(self, handle: JobHandle) -> Iterator[str]:
        """The lines of its output from the first, without line ends. Ends when the job has ended and all is told."""
        ...
