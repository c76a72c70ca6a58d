"""The three lines for a value that cannot be carried, with the place inside the value.

`to` starts with the word `value` and grows outwards: the codec that holds the value adds its own
step in front, so that a lock deep inside is reported as `value['a'][3].lock`.
"""

from collections.abc import Callable, Iterator

from anabranch.artifacts.references import name_of
from anabranch.errors import NotSerializable

_ADVICE = (
    "return what is needed to make it again (a path, an address, plain data), "
    "or register a codec for its type"
)
_STEPS_DOWN = 20


def type_name(kind: type) -> str:
    """A type's name for people: `int`, `numpy.ndarray`, `flow.Config`."""
    return name_of(kind).replace(":", ".").removeprefix("builtins.")


def inside(error: NotSerializable, step: str) -> NotSerializable:
    """The same refusal, seen from one level further out: `step` is `[3]`, `['a']` or `.field`."""
    return NotSerializable(error.what, "value" + step + error.to.removeprefix("value"), error.do)


def refusal(value: object, is_carried: Callable[[object], bool]) -> NotSerializable:
    """Why `value` was refused: the innermost part of it for which `is_carried` says no."""
    place = "value"
    for _ in range(_STEPS_DOWN):
        for step, part in _parts(value):
            if not is_carried(part):
                place, value = place + step, part
                break
        else:
            what = f"a value of type {type_name(type(value))} cannot be turned into bytes"
            return NotSerializable(what, place, _ADVICE)
    return NotSerializable(
        "a value is nested too deeply to be turned into bytes",
        place,
        "return it as a flat list or table that refers to its parts by index or name",
    )


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What a value visibly consists of, with the step that leads there."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield "[<key>]", key
            yield f"[{key!r}]", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield f"[{index}]", part
    elif isinstance(value, set | frozenset):
        for part in value:
            yield "{...}", part
    if not isinstance(value, type):
        for name, part in getattr(value, "__dict__", {}).items():
            yield f".{name}", part
