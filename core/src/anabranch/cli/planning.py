"""`anabranch resume --plan`: what a resume would do."""

from anabranch import console
from anabranch.authoring.plans import plan_resume
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.plans import plan_document


def resume_plan(request: Request, output: Output) -> int:
    """Prints the plan. What the body prints while it is rehearsed comes first."""
    with output.reserved():
        plan = plan_resume(request.run, stack=request.stack)
    if output.is_json:
        output.document(plan_document(plan))
    else:
        console.print_plan(plan)
    return COMPLETED
