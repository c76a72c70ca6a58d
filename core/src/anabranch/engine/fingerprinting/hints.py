"""Annotations. They count, because pydantic, `singledispatch` and Anabranch itself act on them.

They are also the only place that names the classes of a function's arguments, whose methods the function
may call. Annotations that are text (`from __future__ import annotations`) are read as code and never run.
"""

from collections.abc import Mapping
from functools import partial
from types import CodeType

from anabranch.engine.fingerprinting.canonical import pack, text
from anabranch.engine.fingerprinting.ledger import Ledger
from anabranch.engine.fingerprinting.names import Names
from anabranch.engine.fingerprinting.objects import ask
from anabranch.engine.fingerprinting.pieces import Pieces
from anabranch.engine.fingerprinting.shapes import shape_of


def hint_pieces(
    ledger: Ledger, hints: Mapping[str, object], variables: Mapping[str, object]
) -> Pieces:
    """`variables` are the globals in which the annotations were written."""
    names = Names(ledger, variables, lenient=True)
    texts: list[bytes] = []
    values: dict[str, object] = {}
    for name, hint in hints.items():
        code = ask(partial(_compiled, hint), None)
        if code is None:
            values[f"annotation {name}"] = hint
        else:
            shape = shape_of(code)
            texts += text(name), pack(b"c", (shape.digest,)), names.resolved(shape, {})
    return Pieces(pack(b"a", texts), values)


def _compiled(hint: object) -> CodeType | None:
    """`None` for what is no text; raises on text that is no expression."""
    return compile(hint, "<annotation>", "eval", dont_inherit=True) if type(hint) is str else None
