"""Bytes that say a value and nothing else: no address, no hash order, no repr that a user could have written.

Every encoding is self-delimiting, so that a sequence of encodings cannot be read in two ways, and it
is replaced by its digest once it is long, so that a table of a million rows costs no memory on its way up.
"""

import hashlib
from collections.abc import Iterable

SHORT = 64
"""Payloads longer than this many bytes are carried as their digest."""


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def atom(tag: bytes, data: bytes) -> bytes:
    """One value. `tag` is a single letter that says what `data` is."""
    if len(data) > SHORT:
        return tag + b"#" + digest(data)
    return b"%b%d:%b" % (tag, len(data), data)


def pack(tag: bytes, encodings: Iterable[bytes]) -> bytes:
    """A sequence of encodings as one encoding; its order counts."""
    return atom(tag, b"".join(encodings))


def text(value: str, tag: bytes = b"s") -> bytes:
    return atom(tag, value.encode("utf-8", "surrogatepass"))


def literal(value: object) -> bytes | None:
    """The encoding of a value of an atomic builtin type; `None` for anything else, subclasses included."""
    if type(value) is str:
        return text(value)
    if type(value) is int:
        return atom(b"i", b"%x" % value)  # repr() refuses more than 4,300 digits
    if value is None or value is Ellipsis or value is NotImplemented:
        return text(repr(value), b"n")
    if type(value) is bool or type(value) is float or type(value) is complex:
        return text(repr(value), type(value).__name__[:1].encode())
    if type(value) is bytes:
        return atom(b"y", value)
    return None
