"""The identity of a call: computed from what the call is, never from when it was made (law L2).

A call is named by its scope, its step's name, the references of its inputs (or the user's `id`), and an ordinal among
calls that are equal in all that. A reference to an artifact is its producer's identity, so a call has its identity
when it is submitted, before any value exists. Reordering, inserting or removing other calls leaves it as it is.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from anabranch.engine.nodes import Collection, Input
from anabranch.model.ids import InvocationId

SIZE = 16


def call_key(
    kind: str, scope: InvocationId, name: str, inputs: Iterable[tuple[str, Input | Collection]]
) -> bytes:
    """What equal calls have in common."""
    key = blake2b(f"{kind}\0{scope}\0{name}".encode(), digest_size=SIZE)
    for parameter, value in inputs:
        key.update(b"\0" + parameter.encode() + b"\1")
        key.update(value.reference())
    return key.digest()


def named_key(kind: str, scope: InvocationId, name: str, user_id: str) -> bytes:
    """The key of a call that the user has named with `id=`."""
    return blake2b(f"{kind}\0{scope}\0{name}\0id\0{user_id}".encode(), digest_size=SIZE).digest()


def numbered(key: bytes, ordinal: int) -> InvocationId:
    """The identity of the `ordinal`-th call (from 0) with this key."""
    return InvocationId(blake2b(key + ordinal.to_bytes(8, "big"), digest_size=SIZE).hexdigest())


def item_key(map_id: InvocationId, inputs: Mapping[str, Input], index: int | None) -> bytes:
    """The key of an item that belongs to its map: by its inputs, or its place where the user named the map."""
    key = blake2b(b"item\0" + map_id.encode(), digest_size=SIZE)
    if index is not None:
        key.update(index.to_bytes(8, "big"))
        return key.digest()
    for parameter, value in inputs.items():
        key.update(b"\0" + parameter.encode() + b"\1" + value.reference())
    return key.digest()


def content(inputs: Mapping[str, Input]) -> str:
    """The digest of what the inputs hold, which a reuse must match (law L3)."""
    total = blake2b(digest_size=SIZE)
    for parameter, value in inputs.items():
        total.update(parameter.encode() + b"\0" + value.digest())
    return total.digest().hex()


def watch_key(scope: InvocationId, members: Iterable[InvocationId]) -> bytes:
    """The key of an `as_completed` or `wait_any`: the set that it watches."""
    key = blake2b(f"watch\0{scope}".encode(), digest_size=SIZE)
    for member in sorted(members):
        key.update(member.encode())
    return key.digest()
