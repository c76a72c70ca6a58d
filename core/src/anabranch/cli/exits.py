"""The exit codes: a promise to scripts, told in `anabranch --help` and in docs/reference/command-line.md."""

from anabranch.errors import AnabranchError, RunFailed, UserMistake
from anabranch.model.records import RunStatus

COMPLETED = 0
FAILED = 1
MISTAKE = 2
TROUBLE = 3
PAUSED = 4
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANINGS = {
    COMPLETED: "completed; a check found nothing wrong",
    FAILED: "the run failed, or completed with failures; a check found something",
    MISTAKE: "a mistake in the command, the code or the stack; nothing was run",
    TROUBLE: "the journal, the artifact store or the infrastructure is in trouble",
    PAUSED: "paused: the run waits for an answer",
    INTERRUPTED: "interrupted; the run can be resumed",
}


def of_run(status: RunStatus) -> int:
    """The code for how a run ended."""
    if status == "completed":
        return COMPLETED
    return {"interrupted": INTERRUPTED, "paused": PAUSED}.get(status, FAILED)


def of_error(error: AnabranchError) -> int:
    """The code for an error that ended a command."""
    if isinstance(error, UserMistake):
        return MISTAKE
    return FAILED if isinstance(error, RunFailed) else TROUBLE
