"""Which stacks of a project keep their artifacts in one place: what one of them no longer needs, another may.

Told by what is written. Two ways to write one place, and stacks of another project, are not found out.
"""

from pathlib import Path

from anabranch.errors import StackError
from anabranch.stacks.choices import DEFAULTS
from anabranch.stacks.listing import StackDescription, describe_stack, list_stacks

_KEY = "artifact_store"


def sharing_stacks(name: str | None = None, start: Path | None = None) -> list[str]:
    """The names of the others that share the artifact store of the stack `name`, or of the active one.

    Raises `StackError` also if another stack cannot be read: it might be one of them.
    """
    own = describe_stack(name, start)
    return [
        other.name
        for listed in list_stacks(start)
        if listed.name != own.name
        and _location(other := _described(listed.name, start)) == _location(own)
    ]


def _described(name: str, start: Path | None) -> StackDescription:
    try:
        return describe_stack(name, start)
    except StackError as error:
        raise StackError(
            f"stack {name!r} cannot be read, so nobody knows whether it has these artifacts too",
            error.to,
            f"mend it ({error.what}), or move it away",
        ) from error


def _location(stack: StackDescription) -> str:
    written = {row.key: row.value for row in stack.rows}
    return written.get(f"{_KEY}.location", written.get(_KEY, DEFAULTS[_KEY]))
