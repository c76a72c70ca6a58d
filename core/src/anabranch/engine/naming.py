"""What the artifacts of a call are called, for people: the names in its annotations, with their placeholders filled."""

from anabranch.engine.nodes import Invocation, options_of
from anabranch.errors import OutputMismatch


def artifact_names(node: Invocation) -> list[tuple[str, str]]:
    """Each output's place and its artifact's name. Raises `OutputMismatch` for a placeholder without a value."""
    specs = node.definition.returns.outputs
    words = _words(node) if any("{" in spec.template for spec in specs) else {}
    return [(spec.name, _filled(spec.template, words, node)) for spec in specs]


def _words(node: Invocation) -> dict[str, str]:
    return {**node.scope.substitutions(), **options_of(node).substitutions}


def _filled(template: str, words: dict[str, str], node: Invocation) -> str:
    if "{" not in template:
        return template
    try:
        return template.format(**words)
    except (KeyError, IndexError, ValueError) as error:
        raise OutputMismatch(
            f"the artifact name {template!r} has a placeholder without a value: {error}",
            node.name,
            "give it in substitutions={...} of the step or the pipeline",
        ) from None
