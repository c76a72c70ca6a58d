"""The parts of a fingerprint: what one name stands for, its digest, and where it leads.

A part's digest covers its own content and the names of the parts that it leads to, not their content. So
mutual recursion needs no care, and a change shows at exactly the name that was changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from anabranch.engine.fingerprinting.canonical import digest, pack, text
from anabranch.engine.fingerprinting.contents import Contents, pieces_of
from anabranch.engine.fingerprinting.functions import function_pieces
from anabranch.engine.fingerprinting.ledger import Edge, Ledger, Surroundings
from anabranch.engine.fingerprinting.names import Names
from anabranch.engine.fingerprinting.objects import is_class, is_function, is_module, variables
from anabranch.engine.fingerprinting.pieces import Pieces
from anabranch.engine.fingerprinting.shapes import shape_of
from anabranch.engine.fingerprinting.unloaded import Unloaded
from anabranch.model.code_parts import CONSTANT


@dataclass(frozen=True, slots=True)
class Part:
    """`entries` are the part itself, its slots and the leaves that it reached; `edges` are further parts."""

    edge: Edge
    entries: Mapping[str, str]
    edges: tuple[Edge, ...]


def part_of(surroundings: Surroundings, edge: Edge) -> Part:
    ledger = Ledger(surroundings)
    entries = _entries(ledger, edge)
    return Part(edge, entries | ledger.leaves, tuple(ledger.edges.values()))


def _entries(ledger: Ledger, edge: Edge) -> dict[str, str]:
    label, value = edge
    if type(value) is Unloaded:
        return {label: short(_unloaded(ledger, value))}
    if is_module(value):
        return {label: short(_module(ledger, label, value))}
    contents = Contents(ledger)
    whole = contents.values.whole
    pieces = _pieces(ledger, value)
    if pieces is None:
        return {label: CONSTANT + short(whole(value))}
    entries = {label: short(contents.joined(pieces.code, pieces.values, whole))}
    return entries | {f"{label} {slot}": short(whole(each)) for slot, each in pieces.slots.items()}


def _pieces(ledger: Ledger, value: object) -> Pieces | None:
    """A wrapper and its function are one, so that the function's slots have names of their own."""
    pieces = pieces_of(ledger, value)
    if pieces is None or is_function(value) or is_class(value):
        return pieces
    inner = pieces.values["wraps"]
    if not is_function(inner) or ledger.named(inner) is not None:
        return pieces
    function = function_pieces(ledger, inner)
    state = {name: each for name, each in pieces.values.items() if each is not inner}
    return Pieces(
        pieces.code + function.code, state | function.values, {**pieces.slots, **function.slots}
    )


def _module(ledger: Ledger, label: str, module: ModuleType) -> bytes:
    """A module that is used as a value, so that anything in it may be used."""
    bound = (
        each
        for name, value in sorted(variables(module).items())
        if not (name.startswith("__") and name.endswith("__")) or name == "__getattr__"
        for each in (text(name), ledger.bind(f"{label}.{name}", value))
    )
    return pack(b"M", bound)


def _unloaded(ledger: Ledger, module: Unloaded) -> bytes:
    """The code that an import would run, and what it imports in turn."""
    if module.code is None:
        return b""
    shape = shape_of(module.code)
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    variables = {"__name__": module.name, "__file__": module.file, "__package__": package}
    bindings = Names(ledger, variables, lenient=True).resolved(shape, {})
    return pack(b"u", (shape.digest, bindings))


def short(encoding: bytes) -> str:
    """16 hex characters."""
    return digest(encoding).hex()[:16]
