"""Looks at the code of a run's pipeline as it is now, for what an edit has done to the calls that are recorded."""

from collections.abc import Iterable

from anabranch.authoring.entries import reload_pipeline
from anabranch.authoring.reaching import definitions_within
from anabranch.engine.edits import Edits
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.journal.fold import RunState
from anabranch.model.ids import InvocationId


def changes_since(
    state: RunState, calls: Iterable[InvocationId]
) -> dict[InvocationId, tuple[str, ...] | None]:
    """What has changed in the code of each call that has an outcome; `None` where its step is not found.

    The module of the pipeline is imported, and nothing else of it is run. Raises `EntryError`, or what that raises.
    """
    definition = reload_pipeline(state.created.entry if state.created else {})._definition
    edits = Edits([definition, *definitions_within(definition)], Fingerprinter())
    outcomes = [state.invocations[id] for id in calls if state.invocations[id].has_outcome]
    return {known.invocation: edits.of(known, state.codes) for known in outcomes if known.code}
