"""What two runs have in common and what not: a pure function of their states.

A call of one run is that of the other if it has the same identity. An identity covers what the call was given, so a run
with other arguments makes other calls; of these, two that people know by the same name are compared as one.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from anabranch.journal.events import Json
from anabranch.journal.fold import InvocationState, RunState
from anabranch.journal.names import paths_of
from anabranch.model.code_parts import difference
from anabranch.model.ids import InvocationId
from anabranch.model.records import Failure, Output

_SCALARS = frozenset(("bool", "int", "float", "str", "NoneType"))
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a run. `value` is its JSON where that is a short scalar, and `is_shown` says whether it is."""

    digest: str
    value: Json = None
    is_shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of one run. `path` is its name for people, with the child runs that it is in: `tune/train_2`."""

    path: str
    known: InvocationState
    map_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCall:
    """A call of both runs, and in what it differs. `outputs` are names, `code` a line for each part that changed.

    What a run has no outcome of is compared by its status alone; outputs are compared where the status agrees.
    """

    old: Call
    new: Call
    has_same_identity: bool
    status: bool = False
    failure: bool = False
    inputs: bool = False
    outputs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.status or self.failure or self.inputs or self.outputs or self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`same` counts the calls that agree in everything. An argument that was not given is `None`.

    `failures` are what ended the older and the newer run, `None` where nothing did.
    """

    failures: tuple[Failure | None, Failure | None]
    arguments: Mapping[str, tuple[Argument | None, Argument | None]]
    same: int
    changed: tuple[ChangedCall, ...]
    only_old: tuple[Call, ...]
    only_new: tuple[Call, ...]


def compare(old: RunState, new: RunState) -> Comparison:
    """In the order of the newer run; what only the older has, in its own."""
    before, after = _calls(old), _calls(new)
    pairs = list(_pairs(before, after))
    compared = [_compared(*pair, old, new) for pair in pairs]
    paired_old = {a.known.invocation for a, _ in pairs}
    paired_new = {b.known.invocation for _, b in pairs}
    return Comparison(
        failures=(old.failure, new.failure),
        arguments=_arguments(old, new),
        same=sum(not each.differs for each in compared),
        changed=tuple(each for each in compared if each.differs),
        only_old=tuple(call for id, call in before.items() if id not in paired_old),
        only_new=tuple(call for id, call in after.items() if id not in paired_new),
    )


def _calls(state: RunState) -> dict[InvocationId, Call]:
    paths = paths_of(state)
    return {
        id: Call(
            path=paths[id], known=known, map_path=paths.get(known.map, "") if known.map else ""
        )
        for id, known in state.invocations.items()
        if state.is_current(known)
    }


def _pairs(
    before: Mapping[InvocationId, Call], after: Mapping[InvocationId, Call]
) -> Iterator[tuple[Call, Call]]:
    by_path = {call.path: call for id, call in before.items() if id not in after}
    for id, call in after.items():
        partner = before.get(id) or by_path.pop(call.path, None)
        if partner is not None:
            yield partner, call


def _compared(a: Call, b: Call, old: RunState, new: RunState) -> ChangedCall:
    before, after = a.known, b.known
    differing = ChangedCall(
        old=a,
        new=b,
        has_same_identity=before.invocation == after.invocation,
        status=before.status != after.status,
    )
    if not (before.has_outcome and after.has_outcome):
        return differing
    return replace(
        differing,
        failure=_error(before) != _error(after),
        inputs=_both_differ(before.inputs, after.inputs),
        outputs=() if differing.status else _outputs(before.outputs, after.outputs),
        code=_code(before.code, after.code, old, new),
    )


def _error(known: InvocationState) -> tuple[str, str] | None:
    failure = known.failure
    return None if failure is None else (failure.type, failure.message)


def _both_differ(before: str, after: str) -> bool:
    """A call that never started has no digest of its inputs, and no code."""
    return before != after and bool(before) and bool(after)


def _outputs(before: tuple[Output, ...], after: tuple[Output, ...]) -> tuple[str, ...]:
    old = {output.name: (output.digest, output.codec) for output in before}
    new = {output.name: (output.digest, output.codec) for output in after}
    return tuple(name for name in old | new if old.get(name) != new.get(name))


def _code(before: str, after: str, old: RunState, new: RunState) -> tuple[str, ...]:
    if not _both_differ(before, after):
        return ()
    return difference(old.codes.get(before, {}), new.codes.get(after, {})) or ("it differs",)


def _arguments(old: RunState, new: RunState) -> dict[str, tuple[Argument | None, Argument | None]]:
    before, after = _given(old), _given(new)
    return {name: (before.get(name), after.get(name)) for name in before | after}


def _given(state: RunState) -> dict[str, Argument]:
    created = state.created
    if created is None:
        return {}
    return {output.name: _argument(output, created.data) for output in created.arguments}


def _argument(output: Output, data: bytes) -> Argument:
    is_scalar = output.codec == "json" and output.type in _SCALARS
    if not is_scalar or output.offset < 0 or output.size > _LONGEST_VALUE:
        return Argument(digest=output.digest)
    value = json.loads(data[output.offset : output.offset + output.size])
    if isinstance(value, float) and not math.isfinite(value):
        return Argument(digest=output.digest)
    return Argument(digest=output.digest, value=value, is_shown=True)
