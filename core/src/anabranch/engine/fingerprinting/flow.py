"""Instructions in the order of control, not of memory.

Where a compiler puts a block, whether it jumps over a jump, and whether it tests for true or for false,
depends on where lines break. Walking from the entry along every branch, the true side first, gives one
order for all of these.
"""

import dis
from dataclasses import dataclass
from types import CodeType

from anabranch.engine.fingerprinting.instructions import JUMP, Listing, instructions, opcodes

_UNCONDITIONAL = opcodes("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")
_END = opcodes("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE")
_TURNING = JUMP | _END


def _forward(opcode: int) -> tuple[int, bool]:
    """The forward test of the same thing for false or `None`, and whether it is the opposite one."""
    name = dis.opname[opcode].replace("BACKWARD", "FORWARD")
    positive = name.replace("IF_TRUE", "IF_FALSE").replace("IF_NOT_NONE", "IF_NONE")
    return dis.opmap[positive], positive != name


_TEST = {opcode: _forward(opcode) for opcode in JUMP if dis.opname[opcode].startswith("POP_JUMP_")}


@dataclass(frozen=True, slots=True)
class Walk:
    """What control can reach, once each. A place is an index into `opcodes` and `arguments`.

    `leads` has the next places of those after which control does not simply go on to the next one;
    a jump's argument is 0. `handlers` has places, as in `Listing`.
    """

    opcodes: list[int]
    arguments: list[int]
    leads: dict[int, tuple[int, ...]]
    handlers: dict[int, tuple[int, int]]


def walk(code: CodeType) -> Walk:
    listing = instructions(code)
    codes, handlers = listing.opcodes, listing.handlers
    places: dict[int, int] = {}
    leads: dict[int, tuple[int, ...]] = {}
    waiting = [_landing(listing, 0)]
    while waiting:
        at = waiting.pop()
        while at not in places:
            places[at] = place = len(places)
            if at in handlers:
                waiting.append(_landing(listing, handlers[at][0]))
            if codes[at] not in _TURNING:
                at += 1
                if codes[at] in _UNCONDITIONAL:
                    at = _landing(listing, at)
                if at in places:
                    leads[place] = (at,)
            else:
                leads[place] = _turns(listing, at)
                waiting += reversed(leads[place])
                break
    return _numbered(listing, places, leads)


def _turns(listing: Listing, at: int) -> tuple[int, ...]:
    """Where control goes from a jump or an end: first if a test holds, then if it does not."""
    opcode = listing.opcodes[at]
    if opcode in _END:
        return ()
    target = _landing(listing, listing.arguments[at])
    if opcode in _UNCONDITIONAL:
        return (target,)
    after = _landing(listing, at + 1)
    return (target, after) if opcode in _TEST and _TEST[opcode][1] else (after, target)


def _landing(listing: Listing, at: int) -> int:
    """The first instruction that does something, past jumps. A loop of jumps alone ends at one of them."""
    passed: set[int] = set()
    while listing.opcodes[at] in _UNCONDITIONAL and at not in passed:
        passed.add(at)
        at = listing.arguments[at]
    return at


def _numbered(listing: Listing, places: dict[int, int], leads: dict[int, tuple[int, ...]]) -> Walk:
    codes = [listing.opcodes[at] for at in places]
    arguments = [listing.arguments[at] for at in places]
    for place in leads:
        if codes[place] in JUMP:
            arguments[place] = 0
            codes[place] = _TEST.get(codes[place], (codes[place],))[0]
    handlers = {
        places[at]: (places[_landing(listing, handler)], depth)
        for at, (handler, depth) in listing.handlers.items()
        if at in places
    }
    return Walk(
        codes,
        arguments,
        {place: tuple(places[at] for at in ways) for place, ways in leads.items()},
        dict(sorted(handlers.items())),
    )
