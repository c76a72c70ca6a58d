"""`@pipeline`: a function whose body is executed, never compiled, and journaled while it is."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import Any, Generic, ParamSpec, TypeVar, overload

from anabranch import authoring
from anabranch.authoring.bodies import body, body_for
from anabranch.authoring.callnames import After, split
from anabranch.authoring.steps import Step, _checked_function
from anabranch.engine.artifacts import Handle
from anabranch.engine.calling import CallOptions
from anabranch.engine.current import BodyRun, StepRun, current
from anabranch.engine.definitions import PipelineDefinition, Signature
from anabranch.engine.futures import StepFuture
from anabranch.errors import CallError, DefinitionError, NestingError
from anabranch.model.caching import CacheUse
from anabranch.model.options import PipelineOptions, merge, parse

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A pipeline. Outside a run, calling it runs it on the active stack; in a body, it is a child run.

    `__wrapped__` is the function.
    """

    __wrapped__: Callable[P, Any]

    def __init__(self, definition: PipelineDefinition) -> None:
        self._definition = definition
        functools.update_wrapper(self, definition.function)

    @property
    def name(self) -> str:
        return self._definition.name

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    @overload
    def __call__(
        self, *args: Any, id: str, after: After = ..., start_after: After = ..., **kwargs: Any
    ) -> Any: ...
    @overload
    def __call__(
        self, *args: Any, after: After, start_after: After = ..., **kwargs: Any
    ) -> Any: ...
    @overload
    def __call__(self, *args: Any, start_after: After, **kwargs: Any) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Outside a run: runs it, and returns a `Run`; a failure is raised as the exception that caused it.

        In a body: runs it as a child, and returns what its body returned, artifacts as references. In a step it is
        refused with a `NestingError`.
        """
        found = body()
        if found is not None:
            driver, scope = found
            bound, options = self._bound(args, kwargs)
            return driver.call(scope, self._definition, bound, options)
        self._refuse_in_step("called")
        authoring.quiet_tracebacks()
        bound = self._definition.signature.bind(args, kwargs, self._parameters)
        run = authoring.start_run(self._definition, bound, None, None)
        if run.error is not None and run.status == "failed":
            raise run.error
        if run.status == "interrupted":
            raise KeyboardInterrupt
        return run

    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> StepFuture[R]: ...
    @overload
    def submit(
        self, *args: Any, id: str, after: After = ..., start_after: After = ..., **kwargs: Any
    ) -> StepFuture[R]: ...
    @overload
    def submit(
        self, *args: Any, after: After, start_after: After = ..., **kwargs: Any
    ) -> StepFuture[R]: ...
    @overload
    def submit(self, *args: Any, start_after: After, **kwargs: Any) -> StepFuture[R]: ...
    def submit(self, *args: Any, **kwargs: Any) -> StepFuture[R]:
        """In a body: a child run beside it. Takes `id=` and `after=`, like a call."""
        self._refuse_in_step("submitted")
        driver, scope = body_for(f"{self.name}.submit()")
        bound, options = self._bound(args, kwargs)
        return driver.submit(scope, self._definition, bound, options)

    def embed(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """In a body: this body as part of that one. The configuration of this pipeline does not apply.

        Returns what the body returned; of an `async def` body a coroutine, to be awaited.
        """
        self._refuse_in_step("embedded")
        home, scope = body_for(f"{self.name}.embed()")
        definition = self._definition
        bound = definition.signature.bind(args, kwargs)
        if definition.is_async:
            return definition.signature.call(definition.function, bound)
        token = current.set(BodyRun(home, scope))
        try:
            return definition.signature.call(definition.function, bound)
        finally:
            current.reset(token)

    def start(
        self,
        arguments: Mapping[str, object] | None = None,
        *,
        stack: str | None = None,
        observers: "Sequence[authoring.Observer] | None" = (),
        config: str | PathLike[str] | None = None,
        caching: CacheUse = "use",
    ) -> "authoring.Run":
        """Runs it and returns the `Run`, however it ended; the user's own exception is `run.error`.

        `stack` is a name, else the active one. `observers` are called with every event; `None` shows the run on the
        terminal. `caching="force"` computes anew what steps would take from other runs, and keeps it for later ones;
        `caching="off"` neither takes nor keeps anything. Raises a `UserMistake` before any work starts.
        """
        self._refuse_in_step("started")
        if config is not None:
            return self.with_options(config_path=config).start(
                arguments, stack=stack, observers=observers, caching=caching
            )
        definition = self._definition
        bound = definition.signature.bind((), arguments or {}, self._parameters)
        return authoring.start_run(definition, bound, stack, observers, caching)

    def with_options(
        self, *, config_path: str | PathLike[str] | None = None, **options: Any
    ) -> "Pipeline[P, R]":
        """The pipeline with further options, and with what a YAML template says of it and of its steps.

        Raises `UnknownOption`, `DefinitionError` or `TemplateError`.
        """
        definition = self._definition
        if config_path is not None:
            template = authoring.read_template(
                fspath(config_path), self.name, authoring.signatures_within(definition)
            )
            definition = replace(
                definition,
                options=merge(definition.options, template.pipeline, f"{config_path}"),
                overrides={**definition.overrides, **template.steps},
            )
        owner = f"pipeline {self.name!r}"
        merged = merge(definition.options, options, owner)
        _check_parameters(definition.signature, merged)
        return Pipeline(replace(definition, options=merged, name=merged.name or definition.name))

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name, like a function."""
        return self.__wrapped__.__qualname__

    @property
    def _parameters(self) -> Mapping[str, object]:
        return self._definition.options.parameters

    def _bound(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[dict[str, object], CallOptions]:
        signature = self._definition.signature
        options, given = split(self.name, signature.names, kwargs)
        return signature.bind(args, given, self._parameters), options

    def _refuse_in_step(self, verb: str) -> None:
        here = current.get()
        if isinstance(here, StepRun):
            raise NestingError(
                f"a pipeline cannot be {verb} in a step: a step is one unit of work, with one outcome",
                f"pipeline {self.name!r} in step {here.invocation.name!r}",
                "call it in the body of a pipeline, and pass its result to the step",
            )


@overload
def pipeline(function: Callable[P, Handle[R]], /) -> Pipeline[P, R]: ...
@overload
def pipeline(function: Callable[P, Coroutine[Any, Any, Handle[R]]], /) -> Pipeline[P, R]: ...
@overload
def pipeline(function: Callable[P, Coroutine[Any, Any, R]], /) -> Pipeline[P, R]: ...
@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(*, dynamic: bool = True, **options: Any) -> "PipelineDecorator": ...
def pipeline(
    function: Callable[..., Any] | None = None, /, *, dynamic: bool = True, **options: Any
) -> Any:
    """Marks a function as a pipeline: `@pipeline`, or `@pipeline(execution_mode="FAIL_FAST", ...)`.

    Options: `name, depends_on, parameters, enable_cache, enable_step_logs, execution_mode, retry, timeout,
    max_concurrency, settings, image, environment, secrets, tags, substitutions, model, on_init, on_start, on_success,
    on_failure, on_end, on_pause, on_resume, on_cleanup`. `dynamic=True` is accepted and says what is so anyway. Raises
    `DefinitionError` or `UnknownOption`.
    """
    if dynamic is not True:
        raise DefinitionError(
            f"dynamic={dynamic!r}: every pipeline is dynamic here",
            "@pipeline",
            "leave it out, or write dynamic=True",
        )
    decorator = PipelineDecorator(options)
    return decorator if function is None else decorator(function)


class PipelineDecorator:
    """What `@pipeline(...)` returns."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        parse(PipelineOptions, options, "@pipeline")

    @overload
    def __call__(self, function: Callable[P, Handle[R]], /) -> Pipeline[P, R]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, Handle[R]]], /
    ) -> Pipeline[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Pipeline[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Pipeline[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        name = _checked_function(function, "pipeline")
        owner = f"pipeline {name!r}"
        options = parse(PipelineOptions, self._options, owner)
        for item in options.depends_on:
            if not isinstance(item, Step | Pipeline):
                raise DefinitionError(
                    f"depends_on has {item!r}, which is neither a step nor a pipeline",
                    owner,
                    "list the @step functions that a template may configure",
                )
        signature = Signature.of(function, options.name or name)
        _check_parameters(signature, options)
        return Pipeline[Any, Any](
            PipelineDefinition(
                name=options.name or name,
                function=function,
                is_async=inspect.iscoroutinefunction(function),
                signature=signature,
                options=options,
            )
        )


def _check_parameters(signature: Signature, options: PipelineOptions) -> None:
    for name in options.parameters:
        if name not in signature.names and signature.keywords is None:
            raise CallError(
                f"{signature.owner} has no parameter {name!r}",
                "parameters=",
                "name one of: " + (", ".join(signature.names) or "none; it takes no parameters"),
            )
