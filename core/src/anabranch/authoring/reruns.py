"""A new run out of an old one: what comes before a step is taken over, the step and what follows it run again."""

from collections.abc import Mapping, Sequence

from anabranch.authoring.entries import recorded_pipeline
from anabranch.authoring.reaching import refuse_unsupported_steps
from anabranch.authoring.runs import Run, watched
from anabranch.engine.launching import relaunch
from anabranch.engine.recording import Observer
from anabranch.engine.rerunning import branch_off
from anabranch.stacks import open_stack


def rerun(
    run: str,
    from_step: str,
    *,
    parameters: Mapping[str, object] | None = None,
    stack: str | None = None,
    observers: Sequence[Observer] | None = None,
) -> Run:
    """Starts a new run that reuses what the run whose id begins with `run` (or `"latest"`) did before a step.

    `from_step` is a step's name (all its calls), a call (`"train_2"`, `"score[3]"`, `"tune/score"`), or a child
    pipeline. These calls run again, and so does all that depends on them. `parameters` replace arguments of the
    pipeline; a call that they change is another call. The code is taken as it is now, as in a resume. `observers` are
    called with every event; `None` shows the run on the terminal.

    Raises `RunNotFound`, `RunNotResumable` for a run that is going on, `UserMistake` for a step that it does not have,
    `EntryError`, or `CallError`.
    """
    opened = open_stack(stack)
    try:
        old = opened.journal.find(run)
        definition = recorded_pipeline(opened.journal, old)._definition
        refuse_unsupported_steps(definition, opened.lacks, opened.name)
        new = branch_off(old, from_step, definition, parameters or {}, opened)
        with watched(observers) as watching:
            return Run(opened, relaunch(new, definition, opened, watching))
    except BaseException:
        opened.close()
        raise
