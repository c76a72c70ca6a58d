"""Reads how old something must be, as it is typed: `30d`, `12h`, `90min`."""

import re
from datetime import timedelta

from anabranch.errors import UserMistake

_AGE = re.compile(r"(?P<number>\d{1,8}(\.\d{1,6})?)(?P<unit>[a-z]+)")
_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def age(text: str) -> timedelta:
    """Raises `UserMistake`. `m` is refused: it may be a minute or a month."""
    found = _AGE.fullmatch(text.strip())
    if found is None or found["unit"] not in _UNITS:
        raise UserMistake(
            f"{text!r} is no age", "--older-than", "write a number and s, min, h, d or w, like 30d"
        )
    return float(found["number"]) * _UNITS[found["unit"]]
