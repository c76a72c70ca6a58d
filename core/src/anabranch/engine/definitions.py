"""What the engine knows of a step or a pipeline: the function, how it is called, what it returns.

The authoring room wraps these in the objects that users see. The return annotation decides how many artifacts a call
makes, so that they can be referred to before the call has run: `None` makes none, `tuple[A, B]` two, anything else
one. Without an annotation there is one, and a returned `None` stands for none.
"""

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from anabranch.errors import CallError, DefinitionError, suggestion
from anabranch.model.options import PipelineOptions, StepOptions, merge


@dataclass(frozen=True, slots=True)
class ArtifactConfig:
    """Names an output: `Annotated[int, ArtifactConfig(name="score_{suffix}")]`.

    Placeholders are filled from the step's and the pipeline's `substitutions`, and from `{date}` and `{time}` (UTC, of
    the run's start).
    """

    name: str


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """`name` is the output's place; `template` its artifact name, with placeholders."""

    name: str
    template: str


@dataclass(frozen=True, slots=True)
class Returns:
    """`outputs` is empty for a function that returns nothing; `annotated` tells a promise from a guess."""

    outputs: tuple[OutputSpec, ...]
    annotated: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's parameters, read once, so that binding a call takes a microsecond or two."""

    owner: str
    names: tuple[str, ...]
    required: frozenset[str]
    positional: int
    positional_only: int
    rest: str | None
    keywords: str | None

    @classmethod
    def of(cls, function: Callable[..., object], owner: str) -> "Signature":
        kinds = inspect.Parameter
        rest = keywords = None
        names: list[str] = []
        required: set[str] = set()
        positional = positional_only = 0
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is kinds.VAR_POSITIONAL:
                rest = name
            elif parameter.kind is kinds.VAR_KEYWORD:
                keywords = name
            else:
                names.append(name)
                if parameter.default is kinds.empty:
                    required.add(name)
                positional += parameter.kind is not kinds.KEYWORD_ONLY
                positional_only += parameter.kind is kinds.POSITIONAL_ONLY
        return cls(
            owner, tuple(names), frozenset(required), positional, positional_only, rest, keywords
        )

    def bind(
        self,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        defaults: Mapping[str, object] = {},
    ) -> dict[str, object]:
        """Given arguments by parameter name, in the order of the signature. Raises `CallError`.

        Extra positional ones stand under the name of `*args` as a tuple, extra keywords under that of `**kwargs`.
        A parameter that is left to the function's own default is left out.
        """
        given = dict(zip(self.names[: self.positional], args, strict=False))
        extra = args[self.positional :]
        if extra and self.rest is None:
            raise self._wrong(
                f"takes {self.positional} positional argument(s) but {len(args)} were given",
                "give the rest by name",
            )
        surplus: dict[str, object] = {}
        hidden = self.names[: self.positional_only] if self.keywords is not None else ()
        for name, value in kwargs.items():
            if name in hidden and (name in given or name not in self.required):
                surplus[name] = value  # Python leaves such a name to **kwargs
            elif name in given:
                raise self._wrong(f"got argument {name!r} twice", "give it once")
            elif name in self.names:
                given[name] = value
            elif self.keywords is not None:
                surplus[name] = value
            else:
                raise self._wrong(
                    f"has no parameter {name!r}", f"remove it, or {suggestion(name, self.names)}"
                )
        for name in defaults:
            if name not in given and name in self.names:
                given[name] = defaults[name]
        missing = self.required - given.keys()
        if missing:
            names = ", ".join(repr(name) for name in self.names if name in missing)
            raise self._wrong(
                f"is missing {names}", "pass it, or give it in parameters= or a template"
            )
        bound = {name: given[name] for name in self.names if name in given}
        if extra and self.rest is not None:
            bound[self.rest] = tuple(extra)
        if surplus and self.keywords is not None:
            bound[self.keywords] = surplus
        return bound

    def call(self, function: Callable[..., Any], bound: Mapping[str, Any]) -> Any:
        """The call that `bind` prepared."""
        if not self.positional_only and self.rest is None and self.keywords is None:
            return function(**bound)
        head = self.names[: self.positional if self.rest in bound else self.positional_only]
        while head and head[-1] not in bound:
            head = head[:-1]
        args = [bound[n] if n in bound else _default(function, n) for n in head]
        args += bound.get(self.rest or "", ())
        named = {name: bound[name] for name in self.names if name in bound and name not in head}
        return function(*args, **named, **bound.get(self.keywords or "", {}))

    def _wrong(self, what: str, do: str) -> CallError:
        return CallError(f"{self.owner} {what}", f"the call of {self.owner}", do)


def _default(function: Callable[..., Any], name: str) -> object:
    """Of a parameter that can only be passed by its place, and comes before one that is given."""
    return inspect.signature(function).parameters[name].default


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepDefinition:
    """A step. `options` are those that apply: the decorator's, overlaid with those of `with_options`."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    signature: Signature
    returns: Returns
    declared: StepOptions = field(default_factory=StepOptions)
    overlay: Mapping[str, object] = field(default_factory=dict)
    options: StepOptions = field(default_factory=StepOptions)

    def with_options(self, given: Mapping[str, object]) -> "StepDefinition":
        """The step with further options. Raises `UnknownOption` or `DefinitionError`."""
        options = merge(self.options, given, f"step {self.name!r}")
        overlay = {**self.overlay, **given}
        return replace(self, options=options, overlay=overlay, name=options.name or self.name)

    def under(self, template: Mapping[str, object]) -> "StepDefinition":
        """The step with a run's template laid between the decorator's options and those of the code."""
        if not template:
            return self
        owner = f"step {self.name!r}"
        options = merge(merge(self.declared, template, owner), self.overlay, owner)
        return replace(self, options=options)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PipelineDefinition:
    """A pipeline. `overrides` are the templates' words on its steps, by step name."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    signature: Signature
    options: PipelineOptions = field(default_factory=PipelineOptions)
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    returns: Returns = Returns((OutputSpec("output", "output"),), annotated=False)


Definition: TypeAlias = StepDefinition | PipelineDefinition


def returns_of(function: Callable[..., object], owner: str) -> Returns:
    """What the return annotation says. Raises `DefinitionError` for two outputs with one name."""
    annotation = getattr(function, "__annotations__", {}).get("return", inspect.Signature.empty)
    if annotation is inspect.Signature.empty:
        return Returns((OutputSpec("output", "output"),), annotated=False)
    if isinstance(annotation, str):
        annotation = _evaluated(function, annotation)
    if annotation in (None, NoneType):
        return Returns((), annotated=True)
    items = _items(annotation)
    if items is None:
        return Returns((_spec("output", annotation),), annotated=True)
    specs = tuple(_spec(f"output_{i}", item) for i, item in enumerate(items))
    templates = [spec.template for spec in specs]
    if len(set(templates)) < len(templates):
        raise DefinitionError(
            "two outputs have the same name", owner, "give each ArtifactConfig its own name"
        )
    return Returns(specs, annotated=True)


def _items(annotation: object) -> tuple[object, ...] | None:
    """The outputs of `tuple[A, B]`; `None` for anything that is one output."""
    if isinstance(annotation, _TupleOf):
        return (object,) * annotation.count
    arguments = get_args(annotation)
    if get_origin(annotation) is not tuple or not arguments or arguments[-1] is Ellipsis:
        return None
    return arguments


def _spec(name: str, annotation: object) -> OutputSpec:
    for extra in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
        if isinstance(extra, ArtifactConfig):
            return OutputSpec(name, extra.name)
        if isinstance(extra, str):
            return OutputSpec(name, extra)
    return OutputSpec(name, name)


@dataclass(frozen=True, slots=True)
class _TupleOf:
    """A tuple annotation whose item types cannot be evaluated here; how many there are is enough."""

    count: int


def _evaluated(function: Callable[..., object], text: str) -> object:
    """A string annotation's value; types local to a function cannot be found, and only their number matters."""
    try:
        return get_type_hints(function, include_extras=True)["return"]
    except (NameError, AttributeError, TypeError):
        node = ast.parse(text, mode="eval").body
        if isinstance(node, ast.Constant) and node.value is None:
            return None
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in ("tuple", "Tuple"):
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if not (isinstance(inner[-1], ast.Constant) and inner[-1].value is Ellipsis):
                return _TupleOf(len(inner))
        return object
