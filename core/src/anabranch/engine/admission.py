"""What a stack cannot do is refused, with the reason, before any work starts (law L7). Nothing is silently ignored."""

from collections.abc import Mapping

from anabranch.engine.definitions import Definition, StepDefinition
from anabranch.errors import CapabilityMissing
from anabranch.model.options import PipelineOptions, StepOptions

_STEP_NEEDS = {
    "resources": "isolated_steps",
    "image": "isolated_steps",
    "environment": "isolated_steps",
    "secrets": "secrets",
    "executor": "isolated_steps",
    "settings": "settings",
    "model": "models",
}
_PIPELINE_NEEDS = {
    "image": "isolated_steps",
    "environment": "run_environment",
    "secrets": "secrets",
    "settings": "settings",
    "model": "models",
}


def admit(definition: Definition, lacks: Mapping[str, str], stack: str) -> None:
    """Raises `CapabilityMissing` for the first option that asks for something in `lacks` (capability to reason)."""
    options = definition.options
    step = isinstance(definition, StepDefinition)
    owner = f"{'step' if step else 'pipeline'} {definition.name!r} on stack {stack!r}"
    if isinstance(options, StepOptions) and options.runtime == "isolated":
        _refuse("isolated_steps", "runtime='isolated'", lacks, owner)
    for name, capability in (_STEP_NEEDS if step else _PIPELINE_NEEDS).items():
        if _asked(options, name):
            _refuse(capability, f"{name}={getattr(options, name)!r}", lacks, owner)


def _asked(options: StepOptions | PipelineOptions, name: str) -> bool:
    """False and empty ask for nothing."""
    return bool(getattr(options, name, None))


def _refuse(capability: str, asked: str, lacks: Mapping[str, str], owner: str) -> None:
    if capability in lacks:
        raise CapabilityMissing(
            f"{asked} needs {capability!r}, which this stack cannot do: {lacks[capability]}",
            owner,
            "remove the option, or choose a stack that can: anabranch stack check",
        )
