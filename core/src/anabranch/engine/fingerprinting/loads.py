"""Which names a code object loads, with the attributes it takes from them, and what it imports itself.

`helpers.clean.table(x)` is one load of the name `helpers` with the attributes `clean` and `table`. Locals count only
where they may hold a module, that is where an import statement or an enclosing function binds them.
"""

import dis
from collections.abc import Mapping
from types import CodeType
from typing import Literal, NamedTuple, TypeAlias

from anabranch.engine.fingerprinting.flow import Walk
from anabranch.engine.fingerprinting.instructions import LOAD_CONSTANT, NAME_SHIFT, opcodes

Scope: TypeAlias = Literal["global", "class", "free", "local"]


class Load(NamedTuple):
    """`free` names belong to an enclosing function; `class` names are a class body's own or else global.

    `attributes` may run on past what is a module.
    """

    scope: Scope
    name: str
    attributes: tuple[str, ...]


class Import(NamedTuple):
    """`import a.b` binds `a` (`from_ = False`); `from a import b` takes attribute `b` of module `a`.

    `level` is the number of leading dots.
    """

    module: str
    level: int
    from_: bool
    attributes: tuple[str, ...]


_GLOBAL = opcodes("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_ATTRIBUTE = opcodes("LOAD_ATTR", "LOAD_METHOD")
_LOAD_FAST = opcodes("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW")
_VARIABLE = (
    _LOAD_FAST | opcodes("LOAD_DEREF", "LOAD_CLASSDEREF") | opcodes("LOAD_FROM_DICT_OR_DEREF")
)
_STORE_VARIABLE = opcodes("STORE_FAST", "STORE_DEREF")
_STORE_LOCAL_NAME = dis.opmap["STORE_NAME"]
_STORE_NAME = opcodes("STORE_NAME", "STORE_GLOBAL")
_SHUFFLE = opcodes("SWAP", "POP_TOP")
_IMPORT_NAME, _IMPORT_FROM = dis.opmap["IMPORT_NAME"], dis.opmap["IMPORT_FROM"]


def loads_and_imports(
    code: CodeType, route: Walk
) -> tuple[tuple[Load, ...], Mapping[str, tuple[Import, ...]]]:
    imports = _imports(code, route) if _IMPORT_NAME in route.opcodes else {}
    stored = {
        _name(code, route, place)
        for place, opcode in enumerate(route.opcodes)
        if opcode == _STORE_LOCAL_NAME
    }
    found: dict[Load, None] = {}
    for place, opcode in enumerate(route.opcodes):
        if opcode in _GLOBAL:
            name = _name(code, route, place)
            scope: Scope = "class" if name in stored else "global"
        elif opcode in _VARIABLE and (imports or code.co_freevars):
            name = _variable(code, route.arguments[place])
            scope = "free" if name in code.co_freevars else "local"
            if (scope == "local" and name not in imports) or _is_cell(code, opcode, name):
                continue
        else:
            continue
        found[Load(scope, name, _attributes(code, route, place))] = None
    return tuple(found), imports


def _attributes(code: CodeType, route: Walk, place: int) -> tuple[str, ...]:
    attributes: list[str] = []
    while place not in route.leads and route.opcodes[place + 1] in _ATTRIBUTE:
        place += 1
        attributes.append(_name(code, route, place))
    return tuple(attributes)


def _name(code: CodeType, route: Walk, place: int) -> str:
    return code.co_names[route.arguments[place] >> NAME_SHIFT[route.opcodes[place]]]


def _variable(code: CodeType, index: int) -> str:
    """Locals, then cells that are not also parameters, then free variables: one numbering since 3.11."""
    if index < len(code.co_varnames):
        return code.co_varnames[index]
    cells = [name for name in code.co_cellvars if name not in code.co_varnames]
    return (*cells, *code.co_freevars)[index - len(code.co_varnames)]


def _is_cell(code: CodeType, opcode: int, name: str) -> bool:
    """Whether the cell itself is loaded, to be handed to an inner function (3.13 has no other opcode)."""
    return opcode in _LOAD_FAST and (name in code.co_cellvars or name in code.co_freevars)


def _imports(code: CodeType, route: Walk) -> dict[str, tuple[Import, ...]]:
    found: dict[str, tuple[Import, ...]] = {}
    pending: Import | None = None
    for place, opcode in enumerate(route.opcodes):
        if opcode == _IMPORT_NAME:
            level, names = _constant(code, route, place - 2), _constant(code, route, place - 1)
            number = level if isinstance(level, int) else 0
            pending = Import(_name(code, route, place), number, bool(names), ())
        elif pending is None or opcode in _SHUFFLE:
            continue
        elif opcode == _IMPORT_FROM:
            before = () if pending.from_ else pending.attributes
            pending = pending._replace(attributes=(*before, _name(code, route, place)))
        elif opcode in _STORE_VARIABLE or opcode in _STORE_NAME:
            variable = opcode in _STORE_VARIABLE
            index = route.arguments[place]
            name = _variable(code, index) if variable else code.co_names[index]
            found[name] = (*found.get(name, ()), pending)
        else:
            if pending.from_ and not pending.attributes:  # from module import *
                found["*"] = (*found.get("*", ()), pending)
            pending = None
    return found


def _constant(code: CodeType, route: Walk, place: int) -> object:
    opcode, argument = route.opcodes[place], route.arguments[place]
    if opcode not in LOAD_CONSTANT:
        return None
    return argument if dis.opname[opcode] == "LOAD_SMALL_INT" else code.co_consts[argument]
