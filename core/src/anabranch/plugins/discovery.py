"""Finds installed plugins by entry point and imports their modules, each on its own.

What goes wrong with one plugin is a `Problem`: one line that names the distribution to mend. The others are not
concerned. Nothing is remembered between two discoveries, so that what was installed or blocked since is seen.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import NamedTuple

from anabranch.errors import StackError, suggestion
from anabranch.plugins.hookspecs import PROJECT

API_VERSION = 1
"""Grows when a plugin that was written for the one before can no longer work. A plugin says `ANABRANCH_API = 1`."""

VARIABLE = "ANABRANCH_PLUGINS"
"""Environment variable: what `-p` takes, separated by commas or spaces, such as `no:kubernetes`."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A module that an installed distribution declares in the entry point group `anabranch`."""

    name: str
    entry_point: EntryPoint = field(repr=False)
    module: ModuleType = field(repr=False)

    @property
    def distribution(self) -> str:
        """The distribution and its version: `"anabranch-local 0.1.0"`."""
        return distribution_of(self.entry_point)

    def problem(self, what: str) -> "Problem":
        return Problem(self.name, self.distribution, what)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a plugin, or a part of it, is left out. Its text is one line."""

    plugin: str
    distribution: str
    what: str

    def __str__(self) -> str:
        owner = f" of {self.distribution}" if self.distribution else ""
        return " ".join(f"plugin {self.plugin!r}{owner}: {self.what}".split())


class Found(NamedTuple):
    """`plugins` are in the order of their names; `blocked` are the names that were found and left out by wish."""

    plugins: tuple[Plugin, ...]
    problems: tuple[Problem, ...]
    blocked: tuple[str, ...]


def discover(options: Iterable[str] = (), environ: Mapping[str, str] = os.environ) -> Found:
    """All plugins but those that `options` or `ANABRANCH_PLUGINS` block. Raises `StackError` for another option."""
    given = [*options, *environ.get(VARIABLE, "").replace(",", " ").split()]
    return load(sorted(entry_points(group=PROJECT), key=_order), blocked_by(given))


def blocked_by(options: Iterable[str]) -> frozenset[str]:
    """The names in options of the form `no:NAME`: of plugins, or of whole distributions."""
    names = set()
    for option in options:
        word, colon, name = option.partition(":")
        if word != "no" or not colon or not name:
            raise StackError(
                f"{option!r} does not say what to do with a plugin",
                f"-p, or the environment variable {VARIABLE}",
                "write no:NAME to leave the plugin NAME out",
            )
        names.add(name)
    return frozenset(names)


def load(points: Iterable[EntryPoint], blocked: frozenset[str] = frozenset()) -> Found:
    """Imports the modules of these entry points, one by one."""
    points = tuple(points)
    wanted = [point for point in points if not _names(point, blocked) & blocked]
    loaded = [_rival(point, wanted) or _loaded(point) for point in wanted]
    known = {name for point in points for name in _names(point, blocked)}
    absent = [_unknown(name, known) for name in sorted(blocked - known)]
    problems = [*(item for item in loaded if isinstance(item, Problem)), *absent]
    plugins = tuple(item for item in loaded if isinstance(item, Plugin))
    left_out = tuple(point.name for point in points if point not in wanted)
    return Found(plugins, tuple(problems), left_out)


def distribution_of(point: EntryPoint) -> str:
    """The distribution that declares it, with its version; empty if that is not known."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else ""


def explained(error: BaseException) -> str:
    """An exception as part of a line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _order(point: EntryPoint) -> tuple[str, str]:
    return point.name, point.value


def _names(point: EntryPoint, blocked: frozenset[str]) -> set[str]:
    """What it can be blocked by. A distribution's name costs reading its metadata: only where something is blocked."""
    return {point.name, point.dist.name} if blocked and point.dist else {point.name}


def _rival(point: EntryPoint, points: Iterable[EntryPoint]) -> Problem | None:
    """Two plugins with one name: neither is taken, for which one was meant is anyone's guess."""
    others = [distribution_of(p) for p in points if p.name == point.name and p is not point]
    if not others:
        return None
    what = f"left out, because {' and '.join(others)} has a plugin of that name too"
    mine = distribution_of(point)
    return Problem(point.name, mine, f"{what}; block one of the two: -p no:{mine.split()[0]}")


def _loaded(point: EntryPoint) -> Plugin | Problem:
    """The module, or why it cannot be used. Whatever a stranger's module raises concerns that plugin alone."""
    try:
        module = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return Problem(point.name, distribution_of(point), f"left out; {explained(error)}")
    misfit = _misfit(getattr(module, "ANABRANCH_API", None))
    if misfit:
        return Problem(point.name, distribution_of(point), f"left out; {misfit}")
    return Plugin(point.name, point, module)


def _misfit(version: object) -> str:
    """Why a plugin for this version of the interface does not fit; empty if it does."""
    if version == API_VERSION:
        return ""
    if not isinstance(version, int):
        return f"it does not say its interface version: add ANABRANCH_API = {API_VERSION}"
    newer = version > API_VERSION
    mend = "pip install -U anabranch-core" if newer else "install a newer version of the plugin"
    return f"it is for interface version {version}, and this is version {API_VERSION}: {mend}"


def _unknown(name: str, known: Iterable[str]) -> Problem:
    return Problem(name, "", f"it is blocked but not installed; {suggestion(name, known)}")
