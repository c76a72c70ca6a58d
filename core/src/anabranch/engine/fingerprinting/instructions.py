"""The instructions of a code object, freed from what the layout of its source left in them.

`NOP`s keep a line traceable, 3.13 fuses two loads only if they stand on one line, a docstring shifts the
numbering of constants, a class body stores its own first line. `flow` goes on from here, with the order.
"""

import dis
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType


def opcodes(*names: str) -> frozenset[int]:
    """The numbers of those of the names that this Python has."""
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


JUMP = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
LOAD_CONSTANT = opcodes("LOAD_CONST", "LOAD_SMALL_INT")
NAME_SHIFT = dict.fromkeys(dis.hasname, 0) | {
    dis.opmap[name]: shift
    for name, shift in {
        "LOAD_GLOBAL": 1,
        "LOAD_ATTR": 1 if sys.version_info >= (3, 12) else 0,
        "LOAD_SUPER_ATTR": 2,
    }.items()
    if name in dis.opmap
}
"""Opcodes with a name, and how far their argument is shifted to index `co_names` (the low bits are flags)."""

_BACKWARD = frozenset(opcode for opcode in JUMP if "BACKWARD" in dis.opname[opcode])
_SKIPPED = opcodes("CACHE", "NOP")
_EXTENDED = dis.opmap["EXTENDED_ARG"]
_STORE_NAME = dis.opmap["STORE_NAME"]
_LAYOUT_NAMES = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
_FUSED = {
    dis.opmap[fused]: (dis.opmap[first], dis.opmap[second])
    for fused, first, second in (
        ("LOAD_FAST_LOAD_FAST", "LOAD_FAST", "LOAD_FAST"),
        ("STORE_FAST_LOAD_FAST", "STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST_STORE_FAST", "STORE_FAST", "STORE_FAST"),
    )
    if fused in dis.opmap
}
_SPECIAL = _SKIPPED | JUMP | _FUSED.keys() | {_EXTENDED, _STORE_NAME}


@dataclass(frozen=True, slots=True)
class Listing:
    """Instructions in the order of memory, as columns.

    The argument of a jump is the index of the instruction that it goes to. `handlers` says for an
    instruction in a `try` or `with` where an exception goes, with the stack depth (and lasti) it finds.
    """

    opcodes: list[int]
    arguments: list[int]
    handlers: dict[int, tuple[int, int]]


def instructions(code: CodeType) -> Listing:
    """What `code` does. `co_code` is what the compiler made, also while it is specialised or traced."""
    raw = code.co_code
    found, arguments = bytearray(), list[int]()
    starts: list[int] = []  # for each code unit, the index of the instruction there or next
    units: list[int] = []
    extended = 0
    for unit, (opcode, argument) in enumerate(zip(raw[::2], raw[1::2], strict=True)):
        starts.append(len(found))
        if opcode in _SKIPPED:
            continue
        argument |= extended
        extended = 0
        if opcode in _SPECIAL:
            if opcode == _EXTENDED:
                extended = argument << 8
                continue
            if opcode in JUMP:
                argument = _target(raw, unit, opcode, argument)
            elif opcode in _FUSED:
                first, opcode = _FUSED[opcode]
                found.append(first)
                arguments.append(argument >> 4)
                units.append(unit)
                argument &= 15
            elif code.co_names[argument] in _LAYOUT_NAMES and found[-1] in LOAD_CONSTANT:
                del found[-1], arguments[-1], units[-1]
                continue
        found.append(opcode)
        arguments.append(argument)
        units.append(unit)
    for index, opcode in enumerate(found):
        if opcode in JUMP:
            arguments[index] = starts[arguments[index]]
    return Listing(list(found), arguments, _handlers(code, starts, units))


def _target(raw: bytes, unit: int, opcode: int, argument: int) -> int:
    """The code unit that a jump goes to: it is counted from behind the jump's own caches."""
    behind = unit + 1
    while raw[2 * behind : 2 * behind + 1] == b"\0":
        behind += 1
    return behind - argument if opcode in _BACKWARD else behind + argument


def _handlers(code: CodeType, starts: list[int], units: list[int]) -> dict[int, tuple[int, int]]:
    """From the exception table: moving a line out of a `try` may change nothing else than this."""
    if not code.co_exceptiontable:
        return {}
    by_unit: dict[int, tuple[int, int]] = {}
    numbers = _varints(code.co_exceptiontable)
    for start, length, handler, depth in zip(numbers, numbers, numbers, numbers, strict=True):
        by_unit.update(dict.fromkeys(range(start, start + length), (starts[handler], depth)))
    return {index: by_unit[unit] for index, unit in enumerate(units) if unit in by_unit}


def _varints(table: bytes) -> Iterator[int]:
    """Six bits a byte, highest first; bit 6 says that more follow (CPython: exception_handling_notes)."""
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0
