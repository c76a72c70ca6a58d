"""Every error that Anabranch raises, in one tree under one root.

A message has three lines: what happened, to what, and what to do about it. `UserMistake` and what lies
below it is the user's to mend; `InfrastructureError` is the typed tree that every backend shares;
`JournalError` says that the record itself is in trouble. Every error survives pickling, its text included.

`Signal` is not an error. It derives from `BaseException`, so that a user's `except Exception` cannot
swallow the engine's request to stop.
"""

import difflib
from collections.abc import Iterable


class AnabranchError(Exception):
    """Root of the tree. `what`, `to` and `do` are the three lines of the message."""

    def __init__(self, what: str, to: str = "", do: str = "") -> None:
        super().__init__(what, to, do)
        self.what, self.to, self.do = what, to, do

    def __str__(self) -> str:
        lines = [self.what]
        if self.to:
            lines.append(f"  in: {self.to}")
        if self.do:
            lines.append(f"  do: {self.do}")
        return "\n".join(lines)


# --- mistakes that the user can mend -------------------------------------------------------------------------


class UserMistake(AnabranchError):
    """Something in the user's code, files or command line is wrong; nothing has been lost."""


class DefinitionError(UserMistake):
    """A `@step` or `@pipeline` is defined in a way that cannot work."""


class UnknownOption(DefinitionError):
    """An option, key or name that does not exist; the message suggests the nearest one that does."""


class CallError(UserMistake):
    """A step or pipeline was called with arguments that do not fit its signature."""


class NestingError(CallError):
    """A call in a place where it is not allowed, such as a pipeline inside a step."""


class NotMappable(CallError):
    """`map` or `product` was given something that has no items."""


class LengthMismatch(CallError):
    """`map` was given collections of different lengths."""


class CycleError(CallError):
    """An invocation would have to wait for itself."""


class DuplicateId(CallError):
    """The same `id=` was given to two calls of one step in one scope."""


class NotSerializable(UserMistake):
    """A value cannot be turned into bytes, or its bytes cannot be read back."""


class OutputMismatch(UserMistake):
    """A step returned something else than its annotation promises."""


class TemplateError(UserMistake):
    """A YAML configuration template is malformed or names something unknown."""


class StackError(UserMistake):
    """A stack is missing, malformed, or one of its parts cannot be reached."""


class CapabilityMissing(UserMistake):
    """The stack cannot do what was asked for; it is refused rather than ignored."""


class EntryError(UserMistake):
    """The file or pipeline to run cannot be found or imported."""


class RunNotFound(UserMistake):
    """No run has this id in this journal, or more than one begins with it."""


class RunNotResumable(UserMistake):
    """The run is over, or belongs to code that is no longer there."""


# --- failures that reach the body ----------------------------------------------------------------------------


class StepFailed(AnabranchError):
    """Stands for a step's exception whose own class cannot be rebuilt in this process.

    `type_name` is the original's qualified name and `traceback_text` its traceback, as it was printed.
    """

    def __init__(
        self, what: str, to: str = "", do: str = "", type_name: str = "", traceback_text: str = ""
    ) -> None:
        super().__init__(what, to, do)
        self.args = (what, to, do, type_name, traceback_text)
        self.type_name, self.traceback_text = type_name, traceback_text


class UpstreamFailed(AnabranchError):
    """A call never started because something that it depends on failed; `__cause__` is that failure."""


class RunFailed(AnabranchError):
    """A run ended in failure and its exception is no longer at hand."""


# --- infrastructure ------------------------------------------------------------------------------------------


class InfrastructureError(AnabranchError):
    """The machine, cluster or cloud failed, not the user's code: the same types on every backend."""


class TransientFailure(InfrastructureError):
    """What it ran on went away under it: tried again, and not at the expense of the user's own retries."""


class Preempted(TransientFailure):
    """The machine was taken back: a spot instance, an eviction, a drained node."""


class JobLost(TransientFailure):
    """Nobody will ever say how the job ended: its node is gone, or the backend has forgotten it."""


class OutOfMemory(InfrastructureError):
    """The attempt needed more memory than it was given, and was killed for it."""


class ImagePullFailed(InfrastructureError):
    """The image of the job cannot be had: no such image, or no right to it."""


class Unschedulable(InfrastructureError):
    """No machine of the backend can ever fit the resources that were asked for."""


class QuotaExceeded(InfrastructureError):
    """The account may not have more of what was asked for."""


class StepTimeout(InfrastructureError):
    """A step ran longer than its `timeout`."""


class QueueTimeout(InfrastructureError):
    """A step waited longer than its `queue_timeout` for something to run on."""


class RunTimeout(InfrastructureError):
    """A run, or a child run, worked longer than the `timeout` of its pipeline."""


class Cancelled(InfrastructureError):
    """A call was cancelled before it had an outcome of its own."""


class RunCancelled(Cancelled):
    """Somebody has cancelled the run. It is over: it is not resumed."""


# --- the record ----------------------------------------------------------------------------------------------


class JournalError(AnabranchError):
    """The journal cannot be read or written."""


class JournalCorrupt(JournalError):
    """The journal's bytes contradict themselves; no state is derived from it."""


class JournalVersion(JournalError):
    """The journal was written in a format that this version does not read."""


class RunBusy(JournalError):
    """Another driver holds the run's lease; the message names it."""


class LeaseLost(JournalError):
    """This driver's lease went to another; it can write nothing more to the run."""


class ArtifactMissing(JournalError):
    """The journal refers to bytes that the artifact store no longer has, or that are not the ones recorded."""


class ArtifactUnwritable(JournalError):
    """The artifact store does not take an artifact: there is no space left, or no right to write."""


# --- signals -------------------------------------------------------------------------------------------------


class Signal(BaseException):
    """A request to unwind the body or a step; never caught by `except Exception`."""


class RunStopping(Signal):
    """Raised in a body or a step that must stop because its run is ending."""


class RunPausing(Signal):
    """Raised in bodies that wait for an answer, when their driver leaves until it comes."""


class BeyondRehearsal(Signal):
    """Raised in a body that is only rehearsed, where it needs what is not there: an outcome, or time that passes."""


# --- warnings ------------------------------------------------------------------------------------------------


class AnabranchWarning(UserWarning):
    """Something is allowed, and does less than one may think."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A clause such as ``did you mean 'retry'? ``, or the list of what is known if nothing is near."""
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(options) if options else "there are none"
