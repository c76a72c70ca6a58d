"""`id=`, `after=` and `start_after=`: what a call says of itself, apart from the function's own arguments."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from anabranch.engine.artifacts import Handle
from anabranch.engine.calling import CallOptions, nodes_of, producers_of
from anabranch.errors import CallError

After: TypeAlias = Handle[Any] | Sequence[Handle[Any]] | None
"""What a call comes after: futures, or artifacts, which are done."""

CALL_NAMES = ("id", "after", "start_after")
_NONE = CallOptions()


def split(
    owner: str, names: Collection[str], kwargs: Mapping[str, Any]
) -> tuple[CallOptions, Mapping[str, Any]]:
    """The call's own options, and the arguments that are left. A parameter of the function keeps its name.

    Raises `CallError`.
    """
    if not any(name in kwargs for name in CALL_NAMES):
        return _NONE, kwargs
    given = dict(kwargs)
    own = {name: given.pop(name) for name in CALL_NAMES if name in given and name not in names}
    user_id = own.get("id")
    if user_id is not None and (not isinstance(user_id, str) or not user_id):
        raise CallError(f"id={user_id!r} is not a text", f"the call of {owner}", "give a text")
    both = (own.get("after"), own.get("start_after"))
    after = [node for each in both for node in nodes_of(each, owner)]
    done = [id for each in both for id in producers_of(each)]
    return CallOptions(id=user_id, after=after, done=done), given
