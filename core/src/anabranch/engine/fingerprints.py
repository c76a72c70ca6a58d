"""The fingerprint of a step's code, which decides whether a recorded outcome may be used again (law L3).

It is taken from the code objects that run, not from source text, and it covers what that code reaches:
helpers, classes and constants of the user's project by content, installed packages by version. What it
sees and what it cannot see is written down in `docs/decisions/0002-fingerprints-from-bytecode.md`.
"""

import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from anabranch.engine.fingerprinting.canonical import digest, pack, text
from anabranch.engine.fingerprinting.ledger import Edge, Ledger, Surroundings
from anabranch.engine.fingerprinting.parts import Part, part_of, short
from anabranch.model.code_parts import CONSTANT, PYTHON


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`digest` is 32 hex characters and covers `parts`, which say by name what the code consists of."""

    digest: str
    parts: Mapping[str, str] = field(hash=False)


class Fingerprinter:
    """Takes fingerprints in one life of a driver, from one thread.

    What it has seen once it does not look at again: a constant that is bound anew while the driver
    lives counts as it was.
    """

    def __init__(self) -> None:
        self._surroundings = Surroundings()
        self._parts: dict[tuple[str, int], Part] = {}
        self._known: dict[int, tuple[Callable[[], object], Fingerprint]] = {}

    def of(self, function: Callable[..., object], extra: Sequence[object] = ()) -> Fingerprint:
        """The fingerprint of a function or of an object that wraps one.

        `extra` are further values that matter, such as options; they are looked at in every call.
        """
        known = self._known.get(id(function))
        if known is not None and known[0]() is function:
            fingerprint = known[1]
        else:
            fingerprint = _sealed(self._reached(self._root(function)))
            self._remember(function, fingerprint)
        return self._extended(fingerprint, function, extra) if extra else fingerprint

    def _root(self, function: object) -> Edge:
        return Edge(Ledger(self._surroundings).label(function), function)

    def _extended(
        self, fingerprint: Fingerprint, function: object, extra: Sequence[object]
    ) -> Fingerprint:
        options = Edge(f"{self._root(function).label} options", tuple(extra))
        reached = {name: {value} for name, value in fingerprint.parts.items()}
        found = self._reached(options)
        found[options.label] = {each.removeprefix(CONSTANT) for each in found[options.label]}
        for name, values in found.items():
            reached.setdefault(name, set()).update(values)
        return _sealed(reached)

    def _reached(self, root: Edge) -> dict[str, set[str]]:
        """Every part with its value; with several if several things go by one name."""
        found: dict[str, set[str]] = {PYTHON: {f"{sys.version_info[0]}.{sys.version_info[1]}"}}
        seen: set[tuple[str, int]] = set()
        waiting = [part_of(self._surroundings, root)]
        while waiting:
            part = waiting.pop()
            for name, value in part.entries.items():
                found.setdefault(name, set()).add(value)
            for edge in part.edges:
                key = edge.label, id(edge.value)
                if key not in seen:
                    seen.add(key)
                    waiting.append(self._part(key, edge))
        return found

    def _part(self, key: tuple[str, int], edge: Edge) -> Part:
        """Parts hold on to their values, so that an id is not used again."""
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = part_of(self._surroundings, edge)
        return part

    def _remember(self, function: object, fingerprint: Fingerprint) -> None:
        """Steps may be made by the thousand inside a body: remembering them must not keep them alive."""
        key = id(function)
        try:
            reference: Callable[[], object] = weakref.ref(
                function, lambda _: self._known.pop(key, None)
            )
        except TypeError:
            reference = lambda: function  # noqa: E731
        self._known[key] = reference, fingerprint


def _sealed(reached: Mapping[str, set[str]]) -> Fingerprint:
    parts = {}
    for name, values in sorted(reached.items()):
        first, *others = ordered = sorted(values)
        parts[name] = short(pack(b"P", map(text, ordered))) if others else first
    encoded = (text(each) for item in parts.items() for each in item)
    return Fingerprint(digest(pack(b"P", encoded)).hex(), parts)
