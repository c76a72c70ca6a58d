"""Small values of the standard library, as text rather than pickle.

Each is declined, and pickled instead, where its text does not give back the very same value: a time
zone that is more than an offset, a UUID or an enum member with a state of its own.
"""

import datetime
import decimal
import enum
import fractions
import uuid
from typing import Any, cast

from anabranch.artifacts.bare import Text
from anabranch.artifacts.envelopes import enveloped, opened
from anabranch.artifacts.interface import Buffers, Codec, Declined, Encoded, Source
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.references import is_findable, name_of, resolve
from anabranch.artifacts.refusals import type_name
from anabranch.errors import NotSerializable


class Members:
    """Members of an `Enum`, by the name of the class and their own; flags by their value."""

    name = "enum"

    def handles(self, value: object) -> bool:
        return isinstance(value, enum.Enum) and is_findable(type(value))

    def encode(self, value: object) -> Encoded:
        kind, member = type(value), cast(enum.Enum, value)
        header: dict[str, object] = {"class": name_of(kind)}
        if cast(type[enum.Enum], kind).__members__.get(member.name) is member:
            header["member"] = member.name
        elif isinstance(value, enum.Flag) and type(member.value) is int:
            header["value"] = member.value
        else:
            raise Declined
        return Encoded(self.name, type_name(kind), enveloped(header, Buffers(())))

    def decode(self, source: Source) -> object:
        header, _ = opened(source)
        kind = cast(type[enum.Enum], resolve(cast(str, header["class"])))
        if "value" in header:
            return kind(header["value"])
        try:
            return kind[cast(str, header["member"])]
        except KeyError:
            raise NotSerializable(
                f"a recorded value needs member {header['member']!r} of an enum without it",
                cast(str, header["class"]),
                "give the enum back its member, or make the value again",
            ) from None


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (
        Members(),
        Text("decimal", decimal.Decimal, str, decimal.Decimal),
        Text("fraction", fractions.Fraction, str, fractions.Fraction),
        Text("uuid", uuid.UUID, _uuid_text, uuid.UUID),
        _moment("datetime", datetime.datetime),
        _moment("date", datetime.date),
        _moment("time", datetime.time),
        Text("timedelta", datetime.timedelta, _delta_parts, lambda v: datetime.timedelta(*v)),
    )


def _moment(name: str, kind: Any) -> Text:
    return Text(name, kind, kind.isoformat, kind.fromisoformat)


def _uuid_text(value: uuid.UUID) -> str:
    if value.is_safe is not uuid.SafeUUID.unknown:
        raise Declined
    return str(value)


def _delta_parts(value: datetime.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]
