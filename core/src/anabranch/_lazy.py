"""Package attributes that load their module when they are first asked for (PEP 562).

`import anabranch` and a plain local run must not pay for what they do not use: asyncio alone costs as much as all of
the engine. What is loaded late is decided by where it lives, in one table at the head of a package, and never by an
import inside a function.
"""

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A module `__getattr__` for `package`: attribute name to the module that defines it."""

    def load(name: str) -> object:
        module = names.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
