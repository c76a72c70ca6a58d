"""What a resume of a run would do, with its pipeline's code as it is now."""

from anabranch.authoring.entries import recorded_pipeline
from anabranch.authoring.reaching import definitions_within, refuse_unsupported_steps
from anabranch.engine.rehearsing import outlined, rehearse
from anabranch.model.plans import Plan
from anabranch.stacks import open_stack


def plan_resume(run: str, *, stack: str | None = None) -> Plan:
    """The plan for the run whose id begins with `run` (or `"latest"`). No step is run and nothing is written.

    The body itself is executed. Raises `RunNotFound` or `EntryError`.
    """
    with open_stack(stack) as opened:
        plan = outlined(opened.journal.find(run), opened.journal)
        if plan.is_over:
            return plan
        definition = recorded_pipeline(opened.journal, plan.run)._definition
        refuse_unsupported_steps(definition, opened.lacks, opened.name)
        return rehearse(plan, definition, definitions_within(definition), opened)
