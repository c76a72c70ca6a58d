"""On which line of a TOML text a key stands. `tomllib` does not say, so it is asked with shorter and shorter texts.

A statement ends where the text up to there can be parsed; the statement that brings the key in is the one. Slow, and
only used to explain an error.
"""

import tomllib
from collections.abc import Mapping, Sequence


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line, from 1, of the statement that defines the value at `keys`; `None` if that cannot be told."""
    lines = text.replace("\r\n", "\n").split("\n")
    for start, line in enumerate(lines):
        if keys[-1] not in line:
            continue
        before = _parsed(lines[:start])
        if before is None or _has(before, keys):
            continue  # inside a longer statement, or too late
        statement = (_parsed(lines[: end + 1]) for end in range(start, len(lines)))
        after = next((table for table in statement if table is not None), None)
        if after is not None and _has(after, keys):
            return start + 1
    return None


def _parsed(lines: Sequence[str]) -> Mapping[str, object] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return None


def _has(table: Mapping[str, object], keys: Sequence[str]) -> bool:
    found: object = table
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            return False
        found = found[key]
    return True
