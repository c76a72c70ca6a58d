"""Pydantic models as JSON: the class by name, the fields in one line that people can read.

JSON is kept only if the model comes back from it the same: equal, of the same types all the way
down, and free of sets, whose order in JSON depends on the process. Otherwise the model's own state
goes through the codecs, field by field, and comes back without validation. Which fields were set is
kept.
"""

from typing import Any, cast

import pydantic
import pydantic_core

from anabranch.artifacts.envelopes import enveloped, opened
from anabranch.artifacts.interface import Buffers, Codec, Declined, Encoded, Source
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.plain import to_bytes
from anabranch.artifacts.records import Enveloped
from anabranch.artifacts.references import is_findable, name_of, resolve
from anabranch.artifacts.refusals import inside, type_name
from anabranch.errors import NotSerializable


class Models(Enveloped):
    name = "pydantic"

    def handles(self, value: object) -> bool:
        return isinstance(value, pydantic.BaseModel) and is_findable(type(value))

    def encode_at(self, value: object, depth: int) -> Encoded:
        model, kind = cast(pydantic.BaseModel, value), type(value)
        text = _faithful_json(model)
        if text is None:
            return self._by_state(model, depth)
        header: dict[str, object] = {"class": name_of(kind)}
        unset = sorted(set(model.__dict__) - model.model_fields_set)
        if unset:
            header["unset"] = unset
        payload = enveloped(header, Buffers((to_bytes(text),)))
        return Encoded(self.name, type_name(kind), payload)

    def decode(self, source: Source) -> object:
        header, rest = opened(source)
        if "codec" in header:
            kind, state = self.disclose(source)
            model = kind.__new__(kind)
            model.__setstate__(state)
            return model
        kind = cast("type[pydantic.BaseModel]", resolve(cast(str, header["class"])))
        try:
            model = kind.model_validate_json(rest.read())
        except pydantic.ValidationError as error:
            raise NotSerializable(
                f"class {type_name(kind)} does not accept a value of it that was recorded: {error}",
                name_of(kind),
                "keep the class compatible with what it was, or make the value again",
            ) from error
        model.model_fields_set.difference_update(cast("list[str]", header.get("unset", ())))
        return model

    def _by_state(self, model: pydantic.BaseModel, depth: int) -> Encoded:
        kind = type(model)
        if kind.__getstate__ is not pydantic.BaseModel.__getstate__:
            raise Declined
        try:
            return self.enclose(self.name, kind, model.__getstate__(), depth)
        except NotSerializable as error:
            raise _by_attribute(error) from None


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Models(registry),)


def _faithful_json(model: pydantic.BaseModel) -> str | None:
    """The model's JSON, if the model comes back from it as it is."""
    kind = type(model)
    try:
        text = model.model_dump_json(by_alias=True, round_trip=True, warnings="error")
        back = kind.model_validate_json(text)
        same = back == model and repr(back) == repr(model)
    except (
        ValueError,  # validation errors, surrogates, comparison of arrays
        TypeError,
        pydantic_core.PydanticSerializationError,
    ):
        return None
    if not same or _holds_set(model.model_dump(warnings=False)):
        return None
    return text


def _holds_set(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_set, value.values())) or any(map(_holds_set, value))
    if isinstance(value, list | tuple):
        return any(map(_holds_set, value))
    return isinstance(value, set | frozenset)


def _by_attribute(error: NotSerializable) -> NotSerializable:
    """A field is reached as `.name`, not through the model's state."""
    prefix = "value['__dict__']["
    if not error.to.startswith(prefix):
        return error
    name, _, rest = error.to.removeprefix(prefix).partition("]")
    return inside(NotSerializable(error.what, "value" + rest, error.do), "." + name.strip("'"))
