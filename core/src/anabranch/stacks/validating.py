"""Checks a plugin's settings against its model. Loaded only when a stack sets something, for pydantic is not light."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from anabranch.errors import StackError, suggestion
from anabranch.plugins.settings import Settings

S = TypeVar("S")


def validated(model: type[S], table: Mapping[str, object], at: Callable[..., str]) -> S:
    """An instance of the model. Raises `StackError`; `at` tells the place of the keys that it is called with."""
    if not issubclass(model, Settings):
        raise StackError(
            f"{model.__qualname__} is not a subclass of anabranch.plugins.Settings",
            f"module {model.__module__}",
            "tell the plugin's author: unknown keys would go unnoticed",
        )
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _explained(model, first["type"], first["loc"], first["msg"], at) from None


def _explained(
    model: type[BaseModel],
    kind: str,
    loc: Sequence[int | str],
    message: str,
    at: Callable[..., str],
) -> StackError:
    keys = [part for part in loc if isinstance(part, str)]
    name = ".".join(map(str, loc)) or "the table"
    fields = _fields(model, keys[:-1])
    if kind == "extra_forbidden":
        return StackError(
            f"there is no setting {keys[-1]!r}", at(*keys), suggestion(keys[-1], fields)
        )
    if kind == "missing":
        return StackError(f"setting {name!r} is missing", at(*keys[:-1]), f"add {keys[-1]} = ...")
    what = " ".join(message.split())
    about = getattr(fields.get(keys[-1] if keys else ""), "description", None)
    return StackError(f"{name}: {what}", at(*keys), about or "change it to what is asked for")


def _fields(model: type[BaseModel], keys: Sequence[str]) -> Mapping[str, Any]:
    """The fields of the model that is nested at `keys`; empty where it cannot be told."""
    for key in keys:
        inner = getattr(model.model_fields.get(key), "annotation", None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return {}
        model = inner
    return model.model_fields
