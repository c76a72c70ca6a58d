"""What an object that wraps a function consists of: the function, its own state, and its options.

`functools.lru_cache`, class-based decorators and Anabranch's own steps and pipelines are such objects.
"""

from collections.abc import Mapping
from functools import WRAPPER_ASSIGNMENTS

from anabranch.engine.fingerprinting.ledger import Ledger
from anabranch.engine.fingerprinting.objects import ask, full_name, wrapped
from anabranch.engine.fingerprinting.origins import OWN_PACKAGE
from anabranch.engine.fingerprinting.pieces import Pieces

_COPIED = frozenset(WRAPPER_ASSIGNMENTS) | {"__wrapped__"}


def wrapper_pieces(ledger: Ledger, wrapper: object) -> Pieces:
    """A class of the user's counts with its state; another one by name and version, its state unseen.

    `__anabranch_fingerprint__()` may return a sequence of further objects that matter. The classes of
    Anabranch itself count by these alone, so that an upgrade does not run every step again.
    """
    kind = type(wrapper)
    values: dict[str, object] = {"wraps": wrapped(wrapper)}
    if full_name(kind)[0].partition(".")[0] != OWN_PACKAGE:
        values["type"] = kind
    if ledger.origin_of(kind).owner == "project":
        values["state"] = ask(lambda: _state(wrapper), None)
    options: tuple[object, ...] = ask(lambda: _options(wrapper), ())
    return Pieces(b"", values, {"options": options} if options else {})


def _options(wrapper: object) -> tuple[object, ...]:
    method = getattr(type(wrapper), "__anabranch_fingerprint__", None)
    return () if method is None else tuple(method(wrapper))


def _state(wrapper: object) -> list[tuple[str, object]]:
    """What the object holds beside the function and what was copied from it."""
    state = wrapper.__getstate__()
    held = state if isinstance(state, tuple) else (state,)
    return [
        (name, value)
        for each in held
        if isinstance(each, Mapping)
        for name, value in each.items()
        if name not in _COPIED
    ]
