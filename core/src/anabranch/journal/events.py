"""The events of a run, and their form at rest.

An event says what happened, never what to do. Its body is JSON that a person can read; bytes that belong to it
(small artifacts, a pickled exception, log text) stand beside the body as `data`. Events are only ever added: a
recorded outcome that no longer counts is followed by `OutcomeDiscarded`, with the reason.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TypeAlias

from anabranch.errors import JournalCorrupt, JournalVersion
from anabranch.model.caching import CacheUse
from anabranch.model.ids import ROOT_SCOPE, InvocationId, RunId
from anabranch.model.records import Failure, Output, RunStatus, Status

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` is in unix seconds by the clock of the machine that wrote it."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCreated(Event):
    """`entry` tells where the pipeline is found again; `arguments` is what it was called with, one for each.

    A rerun begins with what it takes over from `origin`, another run; else that is empty. `caching` says what the run
    has to do with the outcomes that other runs have kept.
    """

    run: RunId
    pipeline: str
    entry: Mapping[str, Json]
    stack: str
    tags: tuple[str, ...] = ()
    version: str
    arguments: tuple[Output, ...] = ()
    origin: RunId | None = None
    caching: CacheUse = "use"
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStarted(Event):
    """A driver life begins. `life` counts from 1."""

    life: int
    holder: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationCreated(Event):
    """A call has its identity. `after` are the invocations and maps that it waits for."""

    invocation: InvocationId
    step: str
    display: str
    scope: InvocationId = ROOT_SCOPE
    pipeline: bool = False
    map: InvocationId | None = None
    after: tuple[InvocationId, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapExpanded(Event):
    """A map knows how many items it has; each becomes an invocation when it starts."""

    map: InvocationId
    step: str
    display: str
    count: int
    scope: InvocationId = ROOT_SCOPE
    after: tuple[InvocationId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """`attempt` counts from 1."""

    invocation: InvocationId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """An attempt failed and another will follow, not before `retry_at` (unix seconds).

    `is_spared`: the infrastructure failed, and the attempt does not count among those that the user allows.
    """

    invocation: InvocationId
    attempt: int
    failure: Failure
    retry_at: float
    is_spared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecorded(Event):
    """How an invocation ended. `inputs` and `code` are what a reuse must match (law L3).

    `shape` is the structure of a pipeline's result, its artifacts as references; `cause` the invocation whose failure
    made this one be skipped; `failed` what a child's body did not handle. `data` holds small outputs, or the
    pickled exception. `cache` is the key under which other runs may find it; `origin` the run whose outcome this one
    repeats, for it had the same key.
    """

    invocation: InvocationId
    attempt: int
    status: Status
    inputs: str = ""
    code: str = ""
    outputs: tuple[Output, ...] = ()
    shape: Json = None
    failure: Failure | None = None
    cause: InvocationId | None = None
    failed: tuple[InvocationId, ...] = ()
    seconds: float = 0.0
    cache: str = ""
    origin: RunId | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReused(Event):
    """In this driver life the recorded outcome stood in for a run of the step."""

    invocation: InvocationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeDiscarded(Event):
    """The recorded outcome no longer counts, and the invocation may have another."""

    invocation: InvocationId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSeen(Event):
    """The parts of a code fingerprint, once for each digest, so that a change can be explained."""

    code: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionObserved(Event):
    """The body was handed a finished future: the `index`-th of the watch `watch` (law L8)."""

    watch: InvocationId
    index: int
    invocation: InvocationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDrawn(Event):
    """The body asked for a time, an id or a random number, and got `value` (law L8). `index` counts from 0."""

    scope: InvocationId
    kind: str
    index: int
    value: float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOpened(Event):
    """The body needs an answer to go on. `display` is the wait's name for people, `schema` what JSON fits it."""

    wait: InvocationId
    display: str
    scope: InvocationId = ROOT_SCOPE
    question: str = ""
    schema: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitAnswered(Event):
    """The wait has its value, the JSON in `data`, from `sender`; `message` is the number of what brought it."""

    wait: InvocationId
    message: int
    sender: str
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRefused(Event):
    """Message `message` does not fit the wait, for this reason; the wait stays open."""

    wait: InvocationId
    message: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked(Event):
    """`sender` wants the run to end; `message` is the number of what said so."""

    message: int
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataLogged(Event):
    """`invocation` is `None` for the run's own metadata."""

    invocation: InvocationId | None
    values: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWritten(Event):
    """Text that an attempt printed; `blob` names it in the artifact store when it is too long for the journal."""

    invocation: InvocationId
    attempt: int
    blob: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed(Event):
    """A hook raised; it is told, and changes nothing."""

    invocation: InvocationId | None
    hook: str
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run is over. `failed` are the invocations whose failure the body did not handle.

    `shape` and `outputs` are what the body returned; `data` holds small outputs, or the pickled exception.
    """

    status: RunStatus
    shape: Json = None
    outputs: tuple[Output, ...] = ()
    failure: Failure | None = None
    failed: tuple[InvocationId, ...] = ()
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEnded(Event):
    """A driver left in good order before the run was over: `interrupted`, or `paused` while only waits remain."""

    reason: str


_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunCreated,
        DriverStarted,
        InvocationCreated,
        MapExpanded,
        AttemptStarted,
        AttemptEnded,
        OutcomeRecorded,
        OutcomeReused,
        OutcomeDiscarded,
        CodeSeen,
        CompletionObserved,
        ValueDrawn,
        WaitOpened,
        WaitAnswered,
        AnswerRefused,
        CancelAsked,
        MetadataLogged,
        LogWritten,
        HookFailed,
        RunEnded,
        DriverEnded,
    )
}


@dataclass(frozen=True, slots=True)
class Row:
    """An event at rest."""

    kind: str
    at: float
    body: Mapping[str, object]
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class _Form:
    """How one kind is written: its fields in order, and what is left out because it says nothing."""

    kind: type[Event]
    defaults: tuple[tuple[str, object], ...]
    values: Callable[[Event], tuple[object, ...]]

    @classmethod
    def of(cls, kind: type[Event]) -> "_Form":
        rest = [f for f in fields(kind) if f.name not in ("at", "data")]
        names = [f.name for f in rest]
        # attrgetter gives a tuple for two names and more; every kind but DriverEnded has them, so "at" is added
        return cls(kind, tuple((f.name, f.default) for f in rest), attrgetter(*names, "at"))


_FORMS = {name: _Form.of(kind) for name, kind in _KINDS.items()}
_OUTPUT = tuple(f.name for f in fields(Output))
_FAILURE = tuple(f.name for f in fields(Failure))


_output_values = attrgetter(*_OUTPUT)
_failure_values = attrgetter(*_FAILURE)


def _plain(value: object) -> object:
    if isinstance(value, Output):
        return _output_values(value)
    if isinstance(value, Failure):
        return dict(zip(_FAILURE, _failure_values(value), strict=True))
    raise TypeError(f"{type(value).__name__} does not belong in an event")


_encoder = json.JSONEncoder(default=_plain, separators=(",", ":"), check_circular=False)


def encoded(entries: object) -> str:
    """JSON text of event bodies, with records such as `Output` in them."""
    return "".join(_encoder.iterencode(entries, True))


def to_row(event: Event) -> Row:
    """The event's form at rest, its body ready for `encoder`. Fields that hold their default are left out."""
    kind = type(event).__name__
    form = _FORMS[kind]
    body = {
        name: value
        for (name, default), value in zip(form.defaults, form.values(event), strict=False)
        if value is not default and value != default
    }
    return Row(kind, event.at, body, getattr(event, "data", b""))


def from_row(row: Row) -> Event:
    """Raises `JournalVersion` for a kind that this version does not know, `JournalCorrupt` for nonsense."""
    form = _FORMS.get(row.kind)
    if form is None:
        raise JournalVersion(
            f"the journal holds an event of an unknown kind, {row.kind!r}",
            "it was written by a newer version of anabranch",
            "use that version, or a newer one, to read this run",
        )
    try:
        values = {name: _typed(name, value) for name, value in row.body.items()}
        if "data" in form.kind.__slots__:
            values["data"] = bytes(row.data)
        return form.kind(at=row.at, **values)
    except (ValueError, TypeError, KeyError) as error:
        raise JournalCorrupt(
            f"an event of kind {row.kind!r} cannot be read: {error}",
            "the journal of this run",
            "restore the file from a copy; the artifacts themselves are not affected",
        ) from error


def _typed(name: str, value: object) -> object:
    if name in ("outputs", "arguments") and isinstance(value, list):
        return tuple(Output(**dict(zip(_OUTPUT, item, strict=True))) for item in value)
    if name == "failure" and isinstance(value, dict):
        return Failure(**value)
    if name in ("after", "tags", "failed") and isinstance(value, list):
        return tuple(value)
    return value
