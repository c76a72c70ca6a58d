"""`anabranch runs diff`: two runs of one journal, side by side."""

from anabranch import console
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.differences import Difference, difference_document
from anabranch.journal.comparing import compare
from anabranch.journal.fold import read_state
from anabranch.stacks import open_stack


def runs_diff(request: Request, output: Output) -> int:
    """What differs between two runs."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        ids = [stack.journal.find(name) for name in (request.run, request.other)]
        old, new = (stack.journal.summary(id) for id in ids)
        found = compare(*(read_state(stack.journal, id) for id in ids))
    difference = Difference(old=old, new=new, found=found)
    if output.is_json:
        output.document(difference_document(difference))
    else:
        console.print_difference(difference)
    return COMPLETED
