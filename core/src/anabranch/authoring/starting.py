"""From a pipeline to a run: all that is loaded only once one is started."""

from collections.abc import Mapping, Sequence

from anabranch.authoring.entries import entry_of
from anabranch.authoring.reaching import refuse_unsupported_steps
from anabranch.authoring.runs import Run, watched
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.launching import launch
from anabranch.engine.recording import Observer
from anabranch.model.caching import CacheUse
from anabranch.stacks import open_stack


def start_run(
    definition: PipelineDefinition,
    bound: Mapping[str, object],
    stack: str | None,
    observers: Sequence[Observer] | None,
    caching: CacheUse = "use",
) -> Run:
    """Runs the pipeline with bound arguments on a stack; see `Pipeline.start`."""
    opened = open_stack(stack)
    try:
        refuse_unsupported_steps(definition, opened.lacks, opened.name)
        with watched(observers) as watching:
            ended = launch(definition, bound, entry_of(definition), opened, watching, caching)
        return Run(opened, ended)
    except BaseException:
        opened.close()
        raise
