"""What can be asked of a step or a pipeline, checked when it is asked.

Every option of the decorators and of `with_options` is a field here; an unknown name is refused with a suggestion,
a value of the wrong kind with what is expected. `None` means "not asked for": the level above decides.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar

from anabranch.errors import DefinitionError, TransientFailure, UnknownOption, suggestion
from anabranch.model.caching import Cache
from anabranch.model.durations import seconds_of

Runtime = Literal["inline", "isolated"]
Mode = Literal["STOP_ON_FAILURE", "FAIL_FAST", "CONTINUE_ON_FAILURE"]
MODES: tuple[Mode, ...] = ("STOP_ON_FAILURE", "FAIL_FAST", "CONTINUE_ON_FAILURE")
Hook = Callable[..., object]
HOOKS = (
    "on_init",
    "on_start",
    "on_success",
    "on_failure",
    "on_end",
    "on_pause",
    "on_resume",
    "on_cleanup",
)
"""The options that are functions which are told of something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failing step is tried, and how long it waits in between.

    `max_attempts` counts the first try: `Retry(max_attempts=3)` runs at most three times. The wait before attempt
    *n* + 1 is `delay * backoff ** (n - 1)` seconds, at most `max_delay`, moved by up to ± `jitter` of itself.
    Only exceptions in `on` and not in `never_on` are tried again.

    A `TransientFailure` of the infrastructure (`Preempted`, `JobLost`) spends none of these attempts. It is tried again
    up to `infrastructure_retries` times, after `infrastructure_delay` seconds and twice as long each time.
    """

    max_attempts: int = 1
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float = 3600.0
    jitter: float = 0.0
    on: tuple[type[BaseException], ...] = (Exception,)
    never_on: tuple[type[BaseException], ...] = ()
    infrastructure_retries: int = 3
    infrastructure_delay: float = 1.0

    def __post_init__(self) -> None:
        _count("Retry", "max_attempts", self.max_attempts)
        retries = self.infrastructure_retries
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise _bad("Retry", "infrastructure_retries", retries, "a whole number from 0")
        for name in ("delay", "backoff", "max_delay", "jitter", "infrastructure_delay"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise _bad("Retry", name, value, "a number of at least 0")
        for name in ("on", "never_on"):
            object.__setattr__(self, name, _exceptions(name, getattr(self, name)))

    def allows(self, error: BaseException, attempt: int, spared: int = 0) -> bool:
        """Whether attempt `attempt` (from 1), which ended in `error`, is followed by another.

        `spared` of the attempts before it were ended by the infrastructure, and do not count.
        """
        if isinstance(error, self.never_on):
            return False
        if isinstance(error, TransientFailure):
            return spared < self.infrastructure_retries
        return isinstance(error, self.on) and attempt - spared < self.max_attempts

    def wait_seconds(self, error: BaseException, attempt: int, spared: int, chance: float) -> float:
        """Seconds to wait after attempt `attempt`, which ended in `error`; `chance` in [0, 1) decides the jitter."""
        if isinstance(error, TransientFailure):
            start, factor, before = self.infrastructure_delay, 2.0, spared
        else:
            start, factor, before = self.delay, self.backoff, attempt - spared - 1
        try:
            grown = start * factor**before
        except OverflowError:
            grown = self.max_delay if start else 0.0
        wait = min(grown, self.max_delay)
        return max(0.0, wait * (1 + self.jitter * (2 * chance - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an isolated step needs. `memory` is a Kubernetes-style quantity such as `"8Gi"`."""

    cpu: float | None = None
    memory: str | None = None
    gpu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """All that `@step(...)` and `step.with_options(...)` take."""

    name: str | None = None
    runtime: Runtime | None = None
    retry: Retry | None = None
    timeout: float | None = None
    queue_timeout: float | None = None
    enable_cache: bool | None = None
    cache: Cache | None = None
    resources: Resources | None = None
    image: object | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    executor: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    substitutions: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    model: object | None = None
    enable_step_logs: bool | None = None
    on_start: Hook | None = None
    on_success: Hook | None = None
    on_failure: Hook | None = None
    on_end: Hook | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """All that `@pipeline(...)` and `pipeline.with_options(...)` take."""

    name: str | None = None
    depends_on: tuple[object, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    enable_cache: bool | None = None
    enable_step_logs: bool | None = None
    execution_mode: Mode | None = None
    retry: Retry | None = None
    timeout: float | None = None
    max_concurrency: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    image: object | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    tags: tuple[str, ...] = ()
    substitutions: Mapping[str, str] = field(default_factory=dict)
    model: object | None = None
    on_init: Hook | None = None
    on_start: Hook | None = None
    on_success: Hook | None = None
    on_failure: Hook | None = None
    on_end: Hook | None = None
    on_pause: Hook | None = None
    on_resume: Hook | None = None
    on_cleanup: Hook | None = None


Options = TypeVar("Options", StepOptions, PipelineOptions)
Made = TypeVar("Made", Retry, Resources, Cache)

_ALIASES = {"step_operator": "executor"}


def parse(kind: type[Options], given: Mapping[str, object], owner: str) -> Options:
    """Checked options from keyword arguments. Raises `UnknownOption` or `DefinitionError` in `owner`'s name."""
    return merge(kind(), given, owner)


def merge(base: Options, given: Mapping[str, object], owner: str) -> Options:
    """`base` with the given options laid over it; mappings are merged key by key, tags are added."""
    if not given:
        return base
    known = {f.name for f in fields(base)}
    values: dict[str, object] = {name: getattr(base, name) for name in known}
    for raw, value in given.items():
        name = _ALIASES.get(raw, raw)
        if name not in known:
            raise UnknownOption(
                f"unknown option {raw!r}", owner, f"remove it, or {suggestion(raw, known)}"
            )
        values[name] = _joined(values[name], _checked(owner, name, value), name)
    return type(base)(**values)  # type: ignore[arg-type]


def _joined(old: object, new: object, name: str) -> object:
    if name == "tags" and isinstance(old, tuple) and isinstance(new, tuple):
        return old + tuple(tag for tag in new if tag not in old)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **new}
    return new


def _checked(owner: str, name: str, value: object) -> object:
    check = _CHECKS.get(name)
    if value is None:
        return () if check in (_names, _anything_in_a_row) else {} if check is _mapping else None
    return check(owner, name, value) if check else value


def _bad(owner: str, name: str, value: object, expected: str) -> DefinitionError:
    return DefinitionError(f"{name}={value!r} is not {expected}", owner, f"give {name} {expected}")


def _text(owner: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _bad(owner, name, value, "a text that is not empty")
    return value


def _boolean(owner: str, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(owner, name, value, "True or False")
    return value


def _count(owner: str, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _bad(owner, name, value, "a whole number from 1")
    return value


def _seconds(owner: str, name: str, value: object) -> float:
    seconds = seconds_of(value)
    if seconds is None or seconds <= 0:
        raise _bad(owner, name, value, "a timedelta or a number of seconds above 0")
    return seconds


def _exceptions(name: str, value: object) -> tuple[type[BaseException], ...]:
    """One class, or several."""
    kinds = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise _bad("Retry", name, value, "an exception class, or several")
    return kinds


def _mapping(owner: str, name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _bad(owner, name, value, "a mapping with text keys")
    return dict(value)


def _names(owner: str, name: str, value: object) -> tuple[str, ...]:
    row = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    if not all(isinstance(item, str) for item in row):
        raise _bad(owner, name, value, "a list of texts")
    return tuple(str(item) for item in row)


def _anything_in_a_row(owner: str, name: str, value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise _bad(owner, name, value, "a list of steps or pipelines")
    return tuple(value)


def _hook(owner: str, name: str, value: object) -> object:
    if not callable(value):
        raise _bad(owner, name, value, "a function")
    return value


def _retry(owner: str, name: str, value: object) -> Retry:
    """`retry=3` means three attempts in all."""
    if isinstance(value, Retry):
        return value
    if isinstance(value, Mapping):
        return _made(Retry, value, owner, "option {!r} of retry")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return Retry(max_attempts=value)
    raise _bad(owner, name, value, "a number of attempts from 1, or Retry(...)")


def _runtime(owner: str, name: str, value: object) -> str:
    if value not in ("inline", "isolated"):
        raise DefinitionError(
            f"{name}={value!r} is not a runtime", owner, "use 'inline' or 'isolated'"
        )
    return str(value)


def _mode(owner: str, name: str, value: object) -> str:
    text = str(getattr(value, "value", value)).upper()
    if text not in MODES:
        raise DefinitionError(
            f"{name}={value!r} is not an execution mode", owner, suggestion(text, MODES)
        )
    return text


def _resources(owner: str, name: str, value: object) -> Resources:
    if isinstance(value, Resources):
        return value
    if isinstance(value, Mapping):
        return _made(Resources, value, owner, "resource {!r}")
    raise _bad(owner, name, value, "Resources(cpu=, memory=, gpu=)")


def _cache(owner: str, name: str, value: object) -> Cache:
    if isinstance(value, Cache):
        return value
    if isinstance(value, Mapping):
        return _made(Cache, value, owner, "option {!r} of cache")
    raise _bad(owner, name, value, "Cache(key=, ttl=, ...)")


def _made(kind: type[Made], given: Mapping[str, object], owner: str, what: str) -> Made:
    """A record from a mapping, as templates give it. Raises `UnknownOption`."""
    known = {f.name for f in fields(kind)}
    for name in given:
        if name not in known:
            raise UnknownOption(f"unknown {what.format(name)}", owner, suggestion(str(name), known))
    return kind(**given)  # type: ignore[arg-type]


_CHECKS: dict[str, Callable[[str, str, object], object]] = {
    "name": _text,
    "runtime": _runtime,
    "retry": _retry,
    "timeout": _seconds,
    "queue_timeout": _seconds,
    "enable_cache": _boolean,
    "enable_step_logs": _boolean,
    "resources": _resources,
    "cache": _cache,
    "environment": _mapping,
    "settings": _mapping,
    "substitutions": _mapping,
    "parameters": _mapping,
    "secrets": _names,
    "tags": _names,
    "executor": _text,
    "execution_mode": _mode,
    "max_concurrency": _count,
    "depends_on": _anything_in_a_row,
    **dict.fromkeys(
        HOOKS,
        _hook,
    ),
}
