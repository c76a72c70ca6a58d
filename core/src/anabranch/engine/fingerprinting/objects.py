"""Looking at strangers' objects without trusting them.

Here is the one place where their code may fail: an object is asked for its `__qualname__` or its
`__reduce_ex__`, an import hook for a module, and any of these can be written by anyone and raise anything.
What does not answer counts by its type. `isinstance` is avoided, since it believes an object's `__class__`.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import TypeGuard, TypeVar

T = TypeVar("T")


def ask(question: Callable[[], T], otherwise: T) -> T:
    """The answer, or `otherwise` if the code that was to give it raised."""
    try:
        return question()
    except Exception:  # noqa: BLE001  # whatever a user's object, import hook or C extension may raise
        return otherwise


def attribute(value: object, name: str) -> object:
    """An attribute, or `None`. May run the object's own code."""
    return ask(lambda: getattr(value, name, None), None)


def is_function(value: object) -> TypeGuard[FunctionType]:
    return type(value) is FunctionType


def is_class(value: object) -> TypeGuard[type]:
    return issubclass(type(value), type)


def is_module(value: object) -> TypeGuard[ModuleType]:
    return issubclass(type(value), ModuleType)


def variables(value: object) -> Mapping[str, object]:
    """The globals of a module; empty for anything else. A lazy module may have to load itself first."""
    return ask(lambda: vars(value), {}) if is_module(value) else {}


def full_name(kind: type) -> tuple[str, str]:
    """Module and name as the class tells them; a metaclass may tell nonsense."""
    module, name = attribute(kind, "__module__"), attribute(kind, "__qualname__")
    return (
        module if type(module) is str else "",
        name if type(name) is str else type.__repr__(kind),
    )


def wrapped(value: object) -> object:
    """What an object says that it wraps (`functools.update_wrapper`), or `None`.

    The attribute must be there, in the object or its class: some objects answer to every name. Static and
    class methods have it as well, but are descriptors.
    """
    if type(value) is staticmethod or type(value) is classmethod:
        return None
    own = ask(lambda: object.__getattribute__(value, "__dict__"), None)
    if type(own) is dict and "__wrapped__" in own:
        return own["__wrapped__"]
    kind = type(value)
    declared = ask(lambda: any("__wrapped__" in vars(base) for base in kind.__mro__), False)
    return attribute(value, "__wrapped__") if declared else None
