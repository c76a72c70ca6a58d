"""What a stack's table asks for, checked as far as that goes without knowing the plugins.

| key | meaning |
|---|---|
| `orchestrator` | the name of the one that runs drivers |
| `executors` | names of those that run isolated steps |
| `artifact_store`, `journal` | a name, a path or a URI; or a table with `location` and the component's settings |
| `[NAME]` | settings of the orchestrator or executor of that name |

`[journal]` also takes `lease_seconds`: how long a driver that is silent keeps its run.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from anabranch.errors import StackError, suggestion
from anabranch.stacks.sources import Source

KEYS = ("orchestrator", "executors", "artifact_store", "journal")
DEFAULTS = {"orchestrator": "local", "artifact_store": "local", "journal": "sqlite"}
"""What a stack uses where it says nothing: the components of the plugin `local`."""

LEASE_SECONDS = 15.0
_SHORTEST_LEASE = 1.0

Table = Mapping[str, object]


class Choice(NamedTuple):
    """A component: `location` as it is written, settings as they stand in `table`."""

    location: str
    table: Table


class Choices(NamedTuple):
    """`tables` are the settings of the orchestrator and the executors, by name."""

    orchestrator: str
    executors: tuple[str, ...]
    artifact_store: Choice
    journal: Choice
    lease_seconds: float
    tables: Mapping[str, Table]


def choices(table: Table, source: Source) -> Choices:
    """Raises `StackError`, with the line of the key that is wrong."""
    orchestrator = _text(
        table.get("orchestrator", DEFAULTS["orchestrator"]), source, "orchestrator"
    )
    executors = _names(table.get("executors", []), source)
    backends = (orchestrator, *executors)
    for key, value in table.items():
        if key not in KEYS:
            _check_settings(key, value, backends, source)
    journal = _choice(table, source, "journal")
    settings = dict(journal.table)
    lease = _seconds(settings.pop("lease_seconds", LEASE_SECONDS), source)
    return Choices(
        orchestrator=orchestrator,
        executors=executors,
        artifact_store=_choice(table, source, "artifact_store"),
        journal=Choice(journal.location, settings),
        lease_seconds=lease,
        tables={key: value for key in backends if isinstance(value := table.get(key), Mapping)},
    )


def _check_settings(key: str, value: object, backends: tuple[str, ...], source: Source) -> None:
    if key not in backends:
        if isinstance(value, Mapping):
            what = f"[{key}] configures nothing: this stack uses {', '.join(backends)}"
        else:
            what = f"a stack has no key {key!r}"
        raise StackError(what, source.at(key), suggestion(key, (*KEYS, *backends)))
    if not isinstance(value, Mapping):
        raise StackError(f"{key!r} is not a table", source.at(key), f"write [{key}]")


def _choice(table: Table, source: Source, key: str) -> Choice:
    value = table.get(key, {})
    if isinstance(value, Mapping):
        location = _text(value.get("location", DEFAULTS[key]), source, key, "location")
        return Choice(location, {name: value[name] for name in value if name != "location"})
    return Choice(_text(value, source, key), {})


def _names(value: object, source: Source) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_is_printable(item) for item in value):
        raise StackError(
            "executors is not a list of names", source.at("executors"), 'write executors = ["NAME"]'
        )
    return tuple(dict.fromkeys(value))


def _text(value: object, source: Source, *keys: str) -> str:
    if not isinstance(value, str) or not _is_printable(value):
        name = ".".join(keys)
        raise StackError(
            f"{name} is not a printable text", source.at(*keys), f'write {name} = "..."'
        )
    return value


def _is_printable(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and not value.isspace() and value != ""


def _seconds(value: object, source: Source) -> float:
    """A number, or a text that is one: a placeholder always gives a text."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if isinstance(value, bool) or not _SHORTEST_LEASE <= seconds < math.inf:
        raise StackError(
            f"lease_seconds is not a number of at least {_SHORTEST_LEASE:g}",
            source.at("journal", "lease_seconds"),
            f"write a number of seconds, such as {LEASE_SECONDS:g}",
        )
    return seconds
