"""Annotations. They count, because pydantic, `singledispatch` and Anabranch itself act on them.

They are also the only place that names the classes of a function's arguments, whose methods the function
may call. Annotations that are text (`from __future__ import annotations`) are read as code and never run.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import CodeType
from typing import ForwardRef

from anabranch.engine.fingerprinting.canonical import pack, text
from anabranch.engine.fingerprinting.ledger import Ledger
from anabranch.engine.fingerprinting.names import Names
from anabranch.engine.fingerprinting.objects import ask, attribute, full_name
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
        if type(hint) is not str:
            values[f"annotation {name}"] = hint
        for each in _texts(hint):
            code = ask(partial(_compiled, each), None)
            if code is None:  # no expression
                texts += text(name), text(each)
            else:
                shape = shape_of(code)
                texts += text(name), pack(b"c", (shape.digest,)), names.resolved(shape, {})
    return Pieces(pack(b"a", texts), values)


def _texts(hint: object) -> Iterator[str]:
    """The text in an annotation: `"Model"`, and the one in `list["Model"]`."""
    if type(hint) is ForwardRef:
        hint = hint.__forward_arg__
    if type(hint) is str:
        yield hint
    if full_name(type(hint))[0] in ("typing", "types"):
        arguments = attribute(hint, "__args__")
        for each in arguments if type(arguments) is tuple else ():
            yield from _texts(each)


def _compiled(annotation: str) -> CodeType:
    return compile(annotation, "<annotation>", "eval", dont_inherit=True)
