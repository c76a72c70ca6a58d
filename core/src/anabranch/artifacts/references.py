"""Names for classes and functions that still mean the same thing in another process.

The file that a user runs is called `__main__` in that process and `flow` in every other. A value
that was recorded by `python flow.py` must be readable by a tool that imports `flow`, and the other
way round, so `__main__` is recorded under the name by which others import it, and that name leads
back to `__main__` where it is the running one. What nobody else can import (a notebook cell,
`python -c`, a class inside a function) has no such name; `is_findable` says so, and it travels by
value instead.
"""

import importlib
import os
import sys

from anabranch.errors import NotSerializable

# multiprocessing's spawn and forkserver run the main file again under the second name.
_MAIN_NAMES = ("__main__", "__mp_main__")


def main_name() -> str | None:
    """The name by which another process imports what is `__main__` here; `None` if it cannot."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name not in _MAIN_NAMES:
        return str(spec.name)  # python -m package.flow
    file: str | None = getattr(main, "__file__", None)
    if not file or (spec is not None and spec.name in _MAIN_NAMES):
        return None  # a prompt, a notebook, `python -c`, a folder or a zip that was run
    return os.path.splitext(os.path.basename(file))[0]


def name_of(thing: object) -> str:
    """`"module:qualname"` of a class or function, `__main__` under its importable name."""
    module = getattr(thing, "__module__", None) or "builtins"
    if module in _MAIN_NAMES:
        module = main_name() or module
    return f"{module}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def is_findable(thing: object) -> bool:
    """Whether another process that imports the same code finds this very object by its name."""
    module, _, path = name_of(thing).partition(":")
    if module in _MAIN_NAMES:
        return False
    found: object = sys.modules.get("__main__" if module == main_name() else module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found is thing


def resolve(name: str) -> object:
    """What `name_of` named. Imports its module; raises `NotSerializable` if it is gone."""
    module, _, path = name.partition(":")
    try:
        found: object = importlib.import_module(module_here(module))
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise NotSerializable(
            f"a recorded value needs {path!r} from module {module!r}, which is not there: {error}",
            name,
            "make the module importable, or give the class back its recorded name",
        ) from error
    return found


def module_here(module: str) -> str:
    """The name in this process of a recorded module: `__main__` if that is the file being run."""
    return "__main__" if module in _MAIN_NAMES or module == main_name() else module
