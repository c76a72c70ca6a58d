"""What a fingerprint says of the parts of some code, by name, and how two of them differ.

The value of a part is a version (`numpy`: `==2.4.6`, `python`: `3.11`), `unbound` for a name that stands for nothing
yet, `absent` for a module that cannot be found, or a digest; that of a constant begins with `=`. No value of the user's
can be read from it. So it may be recorded, and compared wherever the record can be read.
"""

from collections.abc import Mapping

PYTHON = "python"
"""The part that is the version of Python."""

CONSTANT = "="
"""What the digest of a value begins with; that of code begins with a hex digit, a version with `==`."""

UNBOUND = "unbound"
"""The value of a part whose name stands for nothing yet."""

ABSENT = "absent"
"""The value of a part that is a module which cannot be found."""

_VERSION = "=="
_NOTHING = frozenset({UNBOUND, ABSENT})


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """What changed from one fingerprint's parts to another's, a line for each part, sorted by name.

    Another Python has another bytecode, so that all code differs; then only the rest is named.
    """
    is_other_python = old.get(PYTHON) != new.get(PYTHON)
    names = sorted(old.keys() | new.keys())
    lines = (_change(name, old.get(name), new.get(name), is_other_python) for name in names)
    return tuple(line for line in lines if line is not None)


def _change(name: str, before: str | None, after: str | None, is_other_python: bool) -> str | None:
    if before == after:
        return None
    is_constant = all(each is None or _is_constant(each) for each in (before, after))
    label = f"constant {name}" if is_constant else name
    if before is None:
        return f"{label} is new"
    if after is None:
        return f"{label} is gone"
    if name == PYTHON or (before.startswith(_VERSION) and after.startswith(_VERSION)):
        return f"{name} {before.removeprefix(_VERSION)} -> {after.removeprefix(_VERSION)}"
    if before in _NOTHING or after in _NOTHING:
        return f"{name} was {before}" if before in _NOTHING else f"{name} is {after}"
    return None if is_other_python and not is_constant else f"{label} changed"


def _is_constant(value: str) -> bool:
    return value.startswith(CONSTANT) and not value.startswith(_VERSION)
