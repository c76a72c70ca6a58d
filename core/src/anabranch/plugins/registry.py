"""All that the installed plugins provide, by role and name.

Each plugin's hooks are called on their own, so that one that fails is left out with a line that names it. A name that
two plugins provide belongs to neither: it is refused when it is looked up, because which code runs a pipeline must not
depend on the order of `sys.path`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import NamedTuple, TypeVar

import pluggy

from anabranch.backends.capabilities import CAPABILITIES, Capabilities
from anabranch.errors import StackError, suggestion
from anabranch.journal.events import Event
from anabranch.model.ids import RunId
from anabranch.plugins import hookspecs
from anabranch.plugins.discovery import Found, Plugin, Problem, discover, explained
from anabranch.plugins.observing import Observation
from anabranch.plugins.records import (
    ArtifactStoreRecord,
    ExecutorRecord,
    JournalRecord,
    MaterializerRecord,
    OrchestratorRecord,
    Record,
)

R = TypeVar("R", bound=Record)

HOOKS: Mapping[str, type[Record]] = {
    "anabranch_orchestrators": OrchestratorRecord,
    "anabranch_executors": ExecutorRecord,
    "anabranch_artifact_stores": ArtifactStoreRecord,
    "anabranch_journals": JournalRecord,
    "anabranch_materializers": MaterializerRecord,
}
_EVENTS = "anabranch_event_recorded"

_AT_HOME = {"local": "anabranch-local", "sqlite": "anabranch-local", "file": "anabranch-local"}
"""The core has no backend of its own; this much it knows about where the default one is to be had."""


class Provided(NamedTuple):
    """A record, and the plugin that it comes from."""

    record: Record
    plugin: Plugin


class Registry:
    """What a discovery found. `problems` are lines for the user; whatever is in them is not in the rest."""

    def __init__(self, found: Found) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._problems = list(found.problems)
        self.blocked = found.blocked
        self.plugins = tuple(plugin for plugin in found.plugins if self._registered(plugin))
        self.provided = tuple(item for p in self.plugins for item in self._provided_by(p))
        self._problems += self._clashes()

    @classmethod
    def installed(cls, options: Iterable[str] = ()) -> "Registry":
        """Of all installed plugins. `options` as for `-p`: `"no:NAME"` leaves one out."""
        return cls(discover(options))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    def every(self, kind: type[R]) -> Sequence[R]:
        """The records of a role, those that clash included."""
        return [item.record for item in self.provided if isinstance(item.record, kind)]

    def find(self, kind: type[R], name: str) -> R:
        """The record of a role by its name. Raises `StackError`."""
        return self._one(kind, name, f"called {name!r}", lambda record: {record.name})

    def at(self, kind: type[R], scheme: str) -> R:
        """The record of a role that URIs of this scheme choose. Raises `StackError`."""
        what = "for plain paths" if scheme == "file" else f"for {scheme}:// URIs"
        return self._one(kind, scheme, what, lambda record: set(getattr(record, "schemes", ())))

    def observers(self, run: RunId) -> Sequence[Callable[[int, Event], None]]:
        """For a run's recorder: one for each plugin that watches events."""
        hooks = [(plugin, self._hook(plugin, _EVENTS)) for plugin in self.plugins]
        return [Observation(plugin, hook, run) for plugin, hook in hooks if hook.get_hookimpls()]

    # --- taking in -------------------------------------------------------------------------------------------

    def _registered(self, plugin: Plugin) -> bool:
        """Whether its hooks are hooks of ours, with arguments of ours."""
        try:
            self._manager.register(plugin.module, plugin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            self._left_out(plugin, str(error))
            return False
        unknown = [name for name in self._implemented(plugin) if name not in (*HOOKS, _EVENTS)]
        if unknown:
            near = suggestion(unknown[0], (*HOOKS, _EVENTS))
            self._left_out(plugin, f"there is no hook {unknown[0]!r}; {near}")
        return not unknown

    def _left_out(self, plugin: Plugin, what: str) -> None:
        if self._manager.is_registered(plugin.module):
            self._manager.unregister(plugin.module)
        self._problems.append(plugin.problem(f"left out; {what}"))

    def _implemented(self, plugin: Plugin) -> list[str]:
        """Its hooks by name, but those that it marks as optional: a newer version may have them."""
        return [
            caller.name
            for caller in self._manager.get_hookcallers(plugin.module) or ()
            for hook in caller.get_hookimpls()
            if hook.plugin is plugin.module and not hook.optionalhook
        ]

    def _hook(self, plugin: Plugin, name: str) -> pluggy.HookCaller:
        """A hook as this plugin alone implements it."""
        others: list[ModuleType] = [
            p for p in self._manager.get_plugins() if p is not plugin.module
        ]
        return self._manager.subset_hook_caller(name, others)

    def _provided_by(self, plugin: Plugin) -> Iterator[Provided]:
        for hook, kind in HOOKS.items():
            try:
                records = [record for given in self._hook(plugin, hook)() for record in given]
            except (Exception, SystemExit) as error:  # noqa: BLE001  (a stranger's code)
                self._problems.append(plugin.problem(f"{hook} failed: {explained(error)}"))
                continue
            for record in records:
                if not isinstance(record, kind):
                    what = f"{hook} gave {type(record).__name__} instead of {kind.__name__}"
                    self._problems.append(plugin.problem(what))
                    continue
                self._problems += [plugin.problem(what) for what in _oddities(record)]
                yield Provided(record, plugin)

    def _clashes(self) -> Iterator[Problem]:
        groups: dict[tuple[type[Record], str], list[Plugin]] = {}
        for item in self.provided:
            groups.setdefault((type(item.record), item.record.name), []).append(item.plugin)
        for (kind, name), (*others, last) in groups.items():
            if others:
                rivals = ", ".join(plugin.distribution for plugin in others)
                what = f"its {kind.role} {name!r} clashes with that of {rivals}, so neither is used"
                yield last.problem(f"{what}; block one of the plugins: -p no:{last.name}")

    # --- looking up ------------------------------------------------------------------------------------------

    def _one(self, kind: type[R], word: str, what: str, words: Callable[[R], set[str]]) -> R:
        matching = [record for record in self.every(kind) if word in words(record)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise self._ambiguous(kind, matching, what)
        known = [name for record in self.every(kind) for name in words(record)]
        raise StackError(
            f"no installed plugin has {_article(kind.role)} {what}",
            self._looked_at(),
            self._remedy(word, known),
        )

    def _ambiguous(self, kind: type[R], matching: Sequence[R], what: str) -> StackError:
        plugins = [item.plugin for item in self.provided if item.record in matching]
        named = " and ".join(f"{plugin.name!r} of {plugin.distribution}" for plugin in plugins)
        return StackError(
            f"more than one plugin has {_article(kind.role)} {what}",
            f"plugins {named}",
            f"leave one out: -p no:{plugins[-1].name}",
        )

    def _looked_at(self) -> str:
        names = ", ".join(plugin.name for plugin in self.plugins) or "none"
        blocked = f"; blocked: {', '.join(self.blocked)}" if self.blocked else ""
        broken = f"; not usable: {self._problems[0]}" if self._problems else ""
        return f"plugins: {names}{blocked}{broken}"

    def _remedy(self, word: str, known: Sequence[str]) -> str:
        if self.blocked:
            near = f"; {suggestion(word, known)}" if known else ""
            return f"do not block {', '.join(self.blocked)}{near}"
        if word in _AT_HOME:
            return f"pip install {_AT_HOME[word]}"
        return f"{suggestion(word, known)} Or install the plugin that has it"


def _oddities(record: Record) -> Iterator[str]:
    """What is wrong with a record that can be used all the same."""
    declared = getattr(record, "capabilities", Capabilities())
    owner = f"its {record.role} {record.name!r}"
    for name in (*declared.present, *declared.absent):
        if name not in CAPABILITIES:
            yield f"{owner} declares an unknown capability {name!r}; {suggestion(name, CAPABILITIES)}"
    for name in sorted(set(declared.present) & set(declared.absent)):
        yield f"{owner} declares {name!r} as both present and absent; it counts as absent"


def _article(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"
