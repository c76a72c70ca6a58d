"""Tells which stacks there are and what is in one, without making any of its components.

What is shown is what is written: placeholders stay placeholders, and a password in a URI is struck out (law L13).
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from anabranch.errors import StackError
from anabranch.plugins.registry import Registry
from anabranch.stacks.abilities import abilities
from anabranch.stacks.assembly import assembled
from anabranch.stacks.choices import DEFAULTS, LEASE_SECONDS
from anabranch.stacks.definitions import DEFAULT, Definition, Definitions
from anabranch.stacks.places import Places, places
from anabranch.stacks.sources import BUILT_IN

_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackListing:
    """A line of `anabranch stack ls`. `problem` is empty, or the three lines of what is wrong with the file."""

    name: str
    source: str
    is_active: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the stack, dotted, with its value as it is written; or what it is by default."""

    key: str
    value: str
    is_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDescription:
    """What `anabranch stack show` shows. Where there are `problems`, the capabilities may be empty."""

    name: str
    source: str
    project: Path
    home: Path
    is_active: bool
    rows: tuple[Row, ...]
    capabilities: Mapping[str, str]
    lacks: Mapping[str, str]
    problems: tuple[str, ...]


def list_stacks(start: Path | None = None) -> tuple[StackListing, ...]:
    """All stacks that can be chosen here, by name. Raises `StackError` if pyproject.toml is malformed."""
    definitions = Definitions(places(start))
    active = definitions.chosen()
    names = {place.name for place in definitions.written()} | {DEFAULT}
    return tuple(_listed(name, definitions, name == active) for name in sorted(names))


def describe_stack(
    name: str | None = None, start: Path | None = None, plugins: Iterable[str] = ()
) -> StackDescription:
    """The stack `name`, or the active one. Raises `StackError` if it is nowhere or malformed."""
    here = places(start)
    definitions = Definitions(here)
    definition = definitions.find(definitions.chosen(name))
    present, lacks, problems = _able(definition, here, plugins)
    return StackDescription(
        name=definition.name,
        source=definition.source.label,
        project=here.project,
        home=here.home,
        is_active=definition.name == definitions.chosen(),
        rows=(*_rows(definition.table), *_defaults(definition.table)),
        capabilities=present,
        lacks=lacks,
        problems=problems,
    )


def _listed(name: str, definitions: Definitions, is_active: bool) -> StackListing:
    place = next((place for place in definitions.written() if place.name == name), None)
    source, problem = (definitions.label(place) if place else BUILT_IN.label), ""
    try:
        definitions.find(definitions.chosen(name))
    except StackError as error:
        problem = str(error)
    return StackListing(name=name, source=source, is_active=is_active, problem=problem)


def _able(
    definition: Definition, here: Places, plugins: Iterable[str]
) -> tuple[Mapping[str, str], Mapping[str, str], tuple[str, ...]]:
    """What it can do and what it lacks, as far as its plugins are there; and what stands in the way."""
    registry = Registry.installed(plugins)
    problems = tuple(map(str, registry.problems))
    try:
        assembly = assembled(definition, here, registry, os.environ)
        able = abilities(assembly.orchestrator(), assembly.executors())
    except StackError as error:
        return {}, {}, (str(error), *problems)
    return able.present, able.lacks, problems


def _rows(table: Mapping[str, object], prefix: str = "") -> Iterator[Row]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield Row(f"{prefix}{key}", _PASSWORD.sub(r"\1:***@", text), is_default=False)


def _defaults(table: Mapping[str, object]) -> Iterator[Row]:
    for key, value in DEFAULTS.items():
        if key not in table:
            yield Row(key, value, is_default=True)
    journal = table.get("journal")
    if not isinstance(journal, Mapping) or "lease_seconds" not in journal:
        yield Row("journal.lease_seconds", f"{LEASE_SECONDS:g}", is_default=True)
