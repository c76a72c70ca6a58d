"""What a code object does and which names it reaches for, read from its bytecode alone.

The code that runs is the code that is read: a file that was edited after its import cannot lend its
text to the older functions in memory, and what was typed into a notebook or made by `exec` needs no
file at all.
"""

import dis
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import CodeType

from anabranch.engine.fingerprinting.canonical import atom, digest, literal, pack, text
from anabranch.engine.fingerprinting.flow import walk
from anabranch.engine.fingerprinting.instructions import NAME_SHIFT
from anabranch.engine.fingerprinting.loads import Import, Load, loads_and_imports

_CONSTANT = frozenset(dis.hasconst)
_MEANINGFUL_FLAGS = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
"""`*args`, `**kwargs`, generator, coroutine, iterable coroutine, async generator (inspect.CO_*)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`digest` covers the code and what is nested in it, not what its names stand for.

    `imports` maps a local name to what import statements in this code bind to it; `own_names` are the
    parameters and locals; `children` are the shapes of nested functions, classes and comprehensions.
    """

    digest: bytes
    loads: tuple[Load, ...]
    imports: Mapping[str, tuple[Import, ...]]
    own_names: frozenset[str]
    children: tuple["Shape", ...]


class Shapes:
    """Remembers the shape of every code object that it has read."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[CodeType, Shape]] = {}

    def of(self, code: CodeType) -> Shape:
        # By identity: code objects compare by value, line numbers included, and hash slowly.
        known = self._known.get(id(code))
        if known is None:
            known = self._known[id(code)] = code, shape_of(code)
        return known[1]


def shape_of(code: CodeType) -> Shape:
    """Reads a code object anew."""
    route = walk(code)
    children: list[Shape] = []
    names: list[str] = []
    constants: list[bytes] = []
    arguments = route.arguments.copy()
    for place, opcode in enumerate(route.opcodes):
        if opcode in NAME_SHIFT:
            names.append(code.co_names[arguments[place] >> NAME_SHIFT[opcode]])
            arguments[place] = 0
        elif opcode in _CONSTANT:
            constant = code.co_consts[arguments[place]]
            if type(constant) is CodeType:
                children.append(shape_of(constant))
                constants.append(atom(b"c", children[-1].digest))
            else:
                constants.append(_constant(constant))
            arguments[place] = 0
    turns = repr((route.opcodes, arguments, route.leads, route.handlers)).encode()
    content = pack(b"f", (_header(code), turns, b"/", _names(names), *constants))
    loads, imports = loads_and_imports(code, route)
    own_names = frozenset(code.co_varnames + code.co_cellvars)
    return Shape(digest(content), loads, imports, own_names, tuple(children))


def _header(code: CodeType) -> bytes:
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    variables = (code.co_varnames, ("",), code.co_cellvars, ("",), code.co_freevars)
    flags = code.co_flags & _MEANINGFUL_FLAGS
    return b"%d,%d,%d,%d," % (*counts, flags) + _names([code.co_name, *chain(*variables)])


def _names(names: Iterable[str]) -> bytes:
    return text("\0".join(names))


def _constant(constant: object) -> bytes:
    """A constant of the compiler's: literals, and tuples and frozensets of these."""
    if type(constant) is tuple:
        return pack(b"t", map(_constant, constant))
    if type(constant) is frozenset:
        return pack(b"z", sorted(map(_constant, constant)))
    encoding = literal(constant)
    return atom(b"?", type(constant).__qualname__.encode()) if encoding is None else encoding
