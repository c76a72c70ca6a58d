"""Whose code is it? The user's project counts by content; what is installed counts by version.

A module belongs to the project if its file lies outside the standard library and outside any
`site-packages` or `dist-packages`, or if it has no file at all (a notebook, `exec`). Anabranch itself and compiled
modules count as installed.

`__main__` goes by the stem of its file, so that `python flow.py` and an import of `flow` name the same things.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import accumulate
from pathlib import Path, PurePath
from typing import Literal, TypeAlias, cast

from anabranch.engine.fingerprinting.objects import ask, variables

Owner: TypeAlias = Literal["project", "package", "python"]

OWN_PACKAGE = __name__.partition(".")[0]
_OWN_DISTRIBUTION = "anabranch-core"
_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_MAIN = frozenset({"__main__", "__mp_main__"})


@dataclass(frozen=True, slots=True)
class Origin:
    """A module as the fingerprint names it, and who answers for it."""

    module: str
    owner: Owner


class Origins:
    """Remembers what it found out about a module's name and file, and the versions of packages."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], Origin] = {}
        self._versions: dict[str, tuple[str, str]] = {}

    def of(self, namespace: Mapping[str, object]) -> Origin:
        """The origin of code whose globals are `namespace`, the `__dict__` of a module."""
        name, file = namespace.get("__name__"), namespace.get("__file__")
        if not isinstance(name, str):
            name = "<exec>"
        if not isinstance(file, str):
            file = None
        return self.classified(main_name(namespace) if name in _MAIN else name, file)

    def classified(self, name: str, file: str | None) -> Origin:
        known = self._known.get((name, file))
        if known is None:
            known = self._known[name, file] = Origin(name, _owner(name, file))
        return known

    def version(self, module: str) -> tuple[str, str]:
        """The package that `module` belongs to, loaded or not, and its version as `==1.2`."""
        known = self._versions.get(module)
        if known is None:
            package = _package(module)
            known = self._versions[module] = package, _version(package)
        return known


def main_name(namespace: Mapping[str, object]) -> str:
    """What `__main__` would be called if it were imported; `__main__` if it has no file."""
    spec_name = getattr(namespace.get("__spec__"), "name", None)
    if isinstance(spec_name, str) and spec_name not in _MAIN:
        return spec_name
    file = namespace.get("__file__")
    return PurePath(file).stem if isinstance(file, str) else "__main__"


def _owner(name: str, file: str | None) -> Owner:
    top = name.partition(".")[0]
    if top == OWN_PACKAGE:
        return "package"
    if file is None:
        return "python" if top in sys.stdlib_module_names else "project"
    if _is_installed(file):
        return "package"
    if file.startswith(_STANDARD_LIBRARY):
        return "python"
    return "package" if _is_compiled(file) else "project"


def _is_installed(file: str) -> bool:
    return not _INSTALLED.isdisjoint(PurePath(file).parts)


def _is_compiled(file: str) -> bool:
    return file.endswith(tuple(EXTENSION_SUFFIXES))


def _package(module: str) -> str:
    """The outermost package with code: `numpy` for `numpy.linalg`, but `google.cloud.storage` itself."""
    for prefix in accumulate(module.split("."), "{}.{}".format):
        if prefix not in sys.modules or _file(prefix) is not None:
            return prefix
    return module


def namespace_of(module: str) -> Mapping[str, object]:
    """The globals of a loaded module; empty if it is not loaded."""
    return variables(sys.modules.get(module))


def _file(module: str) -> str | None:
    file = namespace_of(module).get("__file__")
    return file if isinstance(file, str) else None


def _version(package: str) -> str:
    """Never empty. What is compiled in the project itself has no version: its bytes count."""
    file = _file(package)
    if file is None or package == OWN_PACKAGE or _is_installed(file):
        declared = namespace_of(package).get("__version__")
        if not isinstance(declared, str):
            declared = ask(lambda: _distribution_version(package), None)
        if declared is not None:
            return f"=={declared}"
    if file is None:
        return "==?"
    content = ask(Path(file).read_bytes, b"")
    return f"=={hashlib.blake2b(content, digest_size=8).hexdigest()}"


def _distribution_version(package: str) -> str | None:
    # Costs some 40 ms to import and is rarely needed: most packages say their version themselves.
    metadata = importlib.import_module("importlib.metadata")
    version = cast(Callable[[str], str], metadata.version)
    guess = _OWN_DISTRIBUTION if package == OWN_PACKAGE else package.replace(".", "-")
    found = ask(lambda: version(guess), None)
    if found is not None:
        return found
    top = package.partition(".")[0]
    distributions: list[str] = metadata.packages_distributions().get(top, [])
    return ",".join(sorted({version(each) for each in distributions})) or None
