"""`anabranch explain`: why each call ran or was reused, in every life of a run, and what an edit has done since."""

from anabranch import console
from anabranch.authoring.explaining import changes_since
from anabranch.cli.exits import COMPLETED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.explanations import Changes, Explanation, explanation_document
from anabranch.journal.events import CodeSeen, LogWritten
from anabranch.journal.fold import RunState, read_state
from anabranch.journal.history import histories
from anabranch.journal.names import called
from anabranch.model.ids import InvocationId
from anabranch.stacks import open_stack


def explain(request: Request, output: Output) -> int:
    """Explains a run, or what `STEP` names of it."""
    with open_stack(request.stack) as stack:
        output.warn(stack.problems)
        run = stack.journal.find(request.run)
        state = read_state(stack.journal, run)
        told = histories(stack.journal.read(run, without=(LogWritten, CodeSeen)))
    wanted = None if request.step is None else called(state, request.step)
    calls = [id for id in state.invocations if wanted is None or id in wanted]
    with output.reserved():
        changes, trouble = _changes(state, calls)
    explanation = Explanation(
        state=state, calls=calls, histories=told, changes=changes, trouble=trouble
    )
    if output.is_json:
        output.document(explanation_document(explanation))
    else:
        console.print_explanation(explanation, in_full=request.step is not None)
    return COMPLETED


def _changes(state: RunState, calls: list[InvocationId]) -> tuple[dict[InvocationId, Changes], str]:
    """What has changed, or why that cannot be told: importing the user's file may do anything."""
    try:
        return changes_since(state, calls), ""
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        first = next(iter(str(error).splitlines()), "")
        return {}, f"the code cannot be loaded: {type(error).__name__}: {first}"
