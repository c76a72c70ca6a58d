"""`@step`: a function becomes something that a run can call, submit and map, and stays the function elsewhere."""

import functools
import inspect
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, Literal, Never, NoReturn, ParamSpec, TypeVar, overload

from anabranch.authoring.bodies import body, body_for
from anabranch.authoring.callnames import After, split
from anabranch.engine.artifacts import Artifact
from anabranch.engine.calling import MapOptions, Unmapped
from anabranch.engine.definitions import Signature, StepDefinition, returns_of
from anabranch.engine.futures import MapFuture, StepFuture
from anabranch.engine.scopes import Scope
from anabranch.errors import AnabranchWarning, CallError, DefinitionError
from anabranch.model.options import StepOptions, parse

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Step(Generic[P, R]):
    """A step. In a body, calling it runs it; in another step, or outside a run, it calls the plain function.

    `__wrapped__` is that function.
    """

    __wrapped__: Callable[P, Any]

    def __init__(self, definition: StepDefinition) -> None:
        self._definition = definition
        functools.update_wrapper(self, definition.function)

    @property
    def name(self) -> str:
        return self._definition.name

    @overload
    def __call__(self: "Step[P, Never]", *args: P.args, **kwargs: P.kwargs) -> Any: ...
    @overload
    def __call__(self: "Step[P, None]", *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self: "Step[P, tuple[A, B]]", *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Artifact[A], Artifact[B]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self: "Step[P, tuple[A, B, C]]", *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Artifact[A], Artifact[B], Artifact[C]]: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Artifact[R]: ...
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
        """Runs the step now and gives its artifact, a tuple of them, or `None`.

        Also takes `id=` (a name for this call, which then is its identity) and `after=` (futures to wait for).
        Raises the step's own exception, or a `CallError` before anything has run.
        """
        found = body()
        if found is None:
            return self._definition.function(*args, **kwargs)
        driver, scope = found
        options, given = split(self.name, self._definition.signature.names, kwargs)
        return driver.call(scope, self._definition, self._bound(scope, args, given), options)

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
        """Starts the step once its inputs are there; returns at once. Takes `id=` and `after=`, like a call."""
        driver, scope = body_for(f"{self.name}.submit()")
        options, given = split(self.name, self._definition.signature.names, kwargs)
        bound = self._bound(scope, args, given)
        return driver.submit(scope, self._definition, bound, options)

    def map(
        self,
        *args: Any,
        max_concurrency: int | None = None,
        chunk_size: int = 1,
        on_error: Literal["raise", "collect"] = "raise",
        **kwargs: Any,
    ) -> MapFuture[R]:
        """One call for each item of the given collections, which must have the same length.

        A collection is an artifact with items, a list of values, artifacts or futures, another map's result, or any
        plain iterable. `unmapped(x)` gives `x` whole to every call. `max_concurrency` limits how many run at once;
        `on_error="collect"` lets the others go on when one fails, and keeps its exception in the result. Also takes
        `id=` and `after=`. Raises `NotMappable` or `LengthMismatch`.
        """
        options = self._map_options(False, max_concurrency, chunk_size, on_error)
        return self._map(args, kwargs, options)

    def product(
        self,
        *args: Any,
        max_concurrency: int | None = None,
        chunk_size: int = 1,
        on_error: Literal["raise", "collect"] = "raise",
        **kwargs: Any,
    ) -> MapFuture[R]:
        """One call for each combination of items, the last collection varying fastest. Otherwise like `map`."""
        options = self._map_options(True, max_concurrency, chunk_size, on_error)
        return self._map(args, kwargs, options)

    def with_options(self, **options: Any) -> "Step[P, R]":
        """The step with further options; `parameters=` gives arguments that calls may leave out.

        Raises `UnknownOption` or `DefinitionError`.
        """
        for name in dict(options.get("parameters") or {}):
            self._check_parameter(name)
        made: Step[P, R] = Step(self._definition.with_options(options))
        if "timeout" in options:
            _warn_if_unstoppable(made._definition)
        return made

    def __get__(self, instance: object, owner: type | None = None) -> "Step[P, R]":
        if instance is not None:
            raise DefinitionError(
                "a method cannot be a step: its object would be a hidden input",
                f"step {self.name!r}",
                "use a function that takes what it needs as arguments",
            )
        return self

    def __repr__(self) -> str:
        return f"<Step {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name, like a function."""
        return self.__wrapped__.__qualname__

    def __bool__(self) -> bool:
        return True

    # --- parts of a call ---------------------------------------------------------------------------------------

    def _map(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: MapOptions
    ) -> MapFuture[R]:
        verb = "product" if options.product else "map"
        driver, scope = body_for(f"{self.name}.{verb}()")
        call, given = split(self.name, self._definition.signature.names, kwargs)
        defaults = {name: Unmapped(value) for name, value in self._defaults(scope).items()}
        signature = self._definition.signature
        bound = signature.bind(args, given, defaults)
        for name, stars in ((signature.rest, "*"), (signature.keywords, "**")):
            if name in bound:
                self._refuse(f"{verb}() gives no items to {stars}{name}")
        return driver.map(scope, self._definition, bound, call, options)

    def _bound(
        self, scope: Scope, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, object]:
        bound = self._definition.signature.bind(args, kwargs, self._defaults(scope))
        for name, value in bound.items():
            if type(value) is Unmapped:
                raise CallError(
                    "unmapped() means something in map() and product() only",
                    f"argument {name!r} of {self.name}",
                    "pass the value as it is",
                )
        return bound

    def _defaults(self, scope: Scope) -> Mapping[str, object]:
        return self._definition.under(scope.template(self.name)).options.parameters

    def _map_options(
        self, product: bool, max_concurrency: object, chunk_size: object, on_error: object
    ) -> MapOptions:
        for name, value in (("max_concurrency", max_concurrency), ("chunk_size", chunk_size)):
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if not whole and not (name == "max_concurrency" and value is None):
                self._refuse(f"{name}={value!r} is not a whole number from 1")
        if on_error not in ("raise", "collect"):
            self._refuse(f"on_error={on_error!r} is neither 'raise' nor 'collect'")
        return MapOptions(
            product=product,
            max_concurrency=max_concurrency,  # type: ignore[arg-type]
            chunk_size=chunk_size,  # type: ignore[arg-type]
            on_error=on_error,
        )

    def _refuse(self, what: str) -> NoReturn:
        do = "correct it or leave it out; items go to parameters that have a name"
        raise CallError(what, f"the map of {self.name}", do)

    def _check_parameter(self, name: str) -> None:
        signature = self._definition.signature
        if name not in signature.names and signature.keywords is None:
            signature.bind((), {name: None})


@overload
def step(function: Callable[P, Coroutine[Any, Any, R]], /) -> Step[P, R]: ...
@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(**options: Any) -> "StepDecorator": ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Marks a function as a step: `@step`, or `@step(retry=3, ...)`.

    Options: `name, runtime, retry, timeout, queue_timeout, enable_cache, cache, resources, image, environment, secrets,
    executor (or step_operator), settings, substitutions, tags, model, enable_step_logs, on_start, on_success,
    on_failure, on_end, parameters`. Durations are timedeltas or seconds. Raises `DefinitionError` or `UnknownOption`.
    """
    decorator = StepDecorator(options)
    return decorator if function is None else decorator(function)


class StepDecorator:
    """What `@step(...)` returns."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        parse(StepOptions, options, "@step")

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Step[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        name = _checked_function(function, "step")
        owner = f"step {name!r}"
        options = parse(StepOptions, self._options, owner)
        definition = StepDefinition(
            name=options.name or name,
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            signature=Signature.of(function, options.name or name),
            returns=returns_of(function, owner),
            declared=options,
            options=options,
        )
        made: Step[Any, Any] = Step(definition)
        for parameter in options.parameters:
            made._check_parameter(parameter)
        _warn_if_unstoppable(definition)
        return made


def unmapped(value: Any) -> Any:
    """Marks an argument of `map` or `product` that every call gets whole."""
    return Unmapped(value)


def _warn_if_unstoppable(definition: StepDefinition) -> None:
    """Python cannot end a thread. It is told where the step is defined, since it cannot be changed when it happens."""
    options = definition.options
    is_apart = options.runtime == "isolated" or options.executor is not None
    if options.timeout is not None and not definition.is_async and not is_apart:
        warnings.warn(
            f"step {definition.name!r} has a timeout and is a sync function: it cannot be stopped, and fails when it"
            " returns too late; make it `async def`, or runtime='isolated' where the stack can do that",
            AnabranchWarning,
            stacklevel=3,
        )


def _checked_function(function: object, kind: str) -> str:
    """The function's name. Raises `DefinitionError` for what is no plain function."""
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        found = type(function).__name__
        raise DefinitionError(
            f"@{kind} is for functions, not for a {found}",
            repr(function),
            f"put @{kind} on a def or an async def",
        )
    if isinstance(function, type) or hasattr(function, "_definition"):
        raise DefinitionError(
            f"@{kind} is for functions, and this is a {type(function).__name__}",
            repr(function),
            f"put @{kind} on a def or an async def, once",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"a generator cannot be a {kind}",
            getattr(function, "__qualname__", repr(function)),
            "return a list, or yield in a function that the step calls",
        )
    return getattr(function, "__name__", kind)
