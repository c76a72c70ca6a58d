"""Modules that the code imports but nobody has imported yet, such as `import helpers` inside a step.

No object of theirs exists, and importing them here would run the user's code before its time. What will run is the
code that the import system would load now, so that is read, whole, without being executed.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import CodeType

from anabranch.engine.fingerprinting.objects import ask, attribute


@dataclass(frozen=True, slots=True)
class Unloaded:
    """A module that could be imported. `file` and `code` are `None` for namespace packages and C code."""

    name: str
    file: str | None
    code: CodeType | None
    is_package: bool


class Unimported:
    """Finds modules without importing them or their parents, and remembers what it found."""

    def __init__(self) -> None:
        self._known: dict[str, Unloaded | None] = {}

    def find(self, name: str) -> Unloaded | None:
        """`None` if no finder knows the module."""
        if name not in self._known:
            self._known[name] = ask(lambda: _unloaded(name), None)
        return self._known[name]


def _unloaded(name: str) -> Unloaded | None:
    spec = _spec(name)
    if spec is None:
        return None
    read = attribute(spec.loader, "get_code")
    code = ask(lambda: read(name), None) if callable(read) else None
    return Unloaded(
        name,
        file=spec.origin if spec.has_location else None,
        code=code if isinstance(code, CodeType) else None,
        is_package=spec.submodule_search_locations is not None,
    )


def _spec(name: str) -> ModuleSpec | None:
    """Unlike `importlib.util.find_spec`, does not import the parents."""
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        prefix = ".".join(parts[:end])
        loaded = sys.modules.get(prefix)
        spec = getattr(loaded, "__spec__", None) if loaded else _first_spec(prefix, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _first_spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    found = (finder.find_spec(name, path) for finder in sys.meta_path)
    return next((spec for spec in found if spec is not None), None)
