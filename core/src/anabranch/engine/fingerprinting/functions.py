"""What a function consists of: its code with what the names in it stand for, and the values it carries."""

from types import FunctionType

from anabranch.engine.fingerprinting.canonical import pack
from anabranch.engine.fingerprinting.hints import hint_pieces
from anabranch.engine.fingerprinting.ledger import Edge, Ledger
from anabranch.engine.fingerprinting.names import Names
from anabranch.engine.fingerprinting.objects import ask, is_module, wrapped
from anabranch.engine.fingerprinting.pieces import Pieces


def function_pieces(ledger: Ledger, function: FunctionType) -> Pieces:
    """A function of an installed package counts by version, with its defaults and closure.

    It may be the wrapper that `tenacity.retry(stop=...)` put around one of the user's.
    """
    cells = _cells(function)
    values: dict[str, object] = {}
    inner = wrapped(function)
    if inner is not None:
        values["wraps"] = inner
    if "__class__" in cells:  # what `super()` looks at
        values["class"] = cells["__class__"]
    known = {id(each) for each in values.values()}
    slots = _defaults(function) | {
        f"closure {name}": content
        for name, content in cells.items()
        if id(content) not in known and not is_module(content)
    }
    origin = ledger.surroundings.origins.of(function.__globals__)
    if origin.owner != "project":
        return Pieces(ledger.foreign(origin, function.__code__.co_qualname), values, slots)
    shape = ledger.surroundings.shapes.of(function.__code__)
    scope = {name: (Edge(name, each),) for name, each in cells.items() if is_module(each)}
    bindings = Names(ledger, function.__globals__).resolved(shape, scope)
    hints: dict[str, object] = ask(lambda: function.__annotations__, {})
    hinted = hint_pieces(ledger, hints, function.__globals__)
    code = pack(b"f", (pack(b"c", (shape.digest,)), bindings, hinted.code))
    return Pieces(code, values | hinted.values, slots)


def _cells(function: FunctionType) -> dict[str, object]:
    """The contents of the closure. A cell that is still empty is left out."""
    found: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _defaults(function: FunctionType) -> dict[str, object]:
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = dict(zip(reversed(positional), reversed(function.__defaults__ or ()), strict=False))
    defaults |= function.__kwdefaults__ or {}
    return {f"default {name}": value for name, value in defaults.items()}
