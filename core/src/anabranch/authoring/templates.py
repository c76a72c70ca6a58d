"""YAML configuration templates: defaults for a pipeline and its steps that change without a change of code.

```yaml
parameters: {rows: 100}
enable_step_logs: false
steps:
  train:
    retry: 3
    parameters: {learning_rate: 0.1}
```

What a call gives explicitly comes first, then `with_options` in the code, then the template, then the decorator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from anabranch.engine.definitions import Signature
from anabranch.errors import AnabranchError, TemplateError, suggestion
from anabranch.model.options import PipelineOptions, StepOptions, parse


@dataclass(frozen=True, slots=True)
class Template:
    """`pipeline` are options of the pipeline; `steps` those of steps, by step name."""

    pipeline: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]


_PIPELINE = {f.name for f in fields(PipelineOptions)} - {"depends_on"}
_STEP = {f.name for f in fields(StepOptions)} | {"step_operator"}


def read_template(place: str, pipeline: str, known: Mapping[str, Signature]) -> Template:
    """A template, checked against the steps that the pipeline can reach, by name. Raises `TemplateError`."""
    path = Path(place)
    where = f"{path}, for pipeline {pipeline!r}"
    content = _parsed(path, where)
    steps = content.pop("steps", None) or {}
    if not isinstance(steps, dict):
        raise TemplateError("steps: is not a mapping", where, "write one entry for each step")
    _check_names(content, _PIPELINE, "option", where)
    for name, options in steps.items():
        if name not in known:
            raise TemplateError(
                f"the template configures a step {name!r} that the pipeline does not have",
                where,
                f"{suggestion(str(name), known)}; or name the step in depends_on=[...]",
            )
        _check_step(name, options, known[name], where)
    return Template(content, {name: options or {} for name, options in steps.items()})


def _parsed(path: Path, where: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateError(
            f"the template cannot be read: {error.strerror}", str(path), "check the path"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise TemplateError(
            f"the template is not YAML: {told}", where, "correct it there"
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TemplateError(
            f"the template is a {type(content).__name__}, not a mapping",
            where,
            "write it as `steps:` with an entry for each step",
        )
    return content


def _check_step(name: str, options: object, signature: Signature, where: str) -> None:
    if options is None:
        return
    if not isinstance(options, dict):
        raise TemplateError(
            f"what is said of step {name!r} is not a mapping", where, "write `parameters:` under it"
        )
    _check_names(options, _STEP, f"option of step {name!r}", where)
    try:
        parsed = parse(StepOptions, options, f"step {name!r}")
    except AnabranchError as error:
        raise TemplateError(error.what, where, error.do) from None
    if signature.keywords is None:
        _check_names(parsed.parameters, {*signature.names}, f"argument of step {name!r}", where)


def _check_names(given: Mapping[str, Any], known: set[str], kind: str, where: str) -> None:
    for name in given:
        if name not in known:
            raise TemplateError(f"{name!r} is not an {kind}", where, suggestion(str(name), known))
