"""What a user says of the reuse of a step's outcome by other runs.

Reuse across runs is opted into, for a step may read the world, and no fingerprint sees that. What stands here is what
the two runs must have in common, and how old the outcome may be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from anabranch.errors import DefinitionError
from anabranch.model.durations import seconds_of

CacheUse: TypeAlias = Literal["use", "force", "off"]
"""Of a whole run: as its steps say; compute all anew, and keep it for later runs; neither read nor write."""

Key: TypeAlias = str | Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """When a step may take an outcome that another run has recorded. `cache=Cache()` of a step turns that on.

    By default the content of the inputs and the code must be the same. `key` replaces the inputs: a text, or a function
    that gets the step's arguments by name and returns a text. `inputs=False` and `code=False` leave one of the two
    out; then you vouch that it does not matter. `source_version=True` adds the project's git commit and its uncommitted
    changes. `ttl` (a timedelta or seconds) is how old an outcome may be, counted from when it was computed; `None`
    means any age. `force=True` computes anew, and keeps the outcome for others.
    """

    key: Key | None = None
    inputs: bool = True
    code: bool = True
    source_version: bool = False
    ttl: timedelta | float | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.key is not None and not callable(self.key) and not _is_text(self.key):
            raise _bad("key", self.key, "a text that is not empty, or a function that returns one")
        for name in ("inputs", "code", "source_version", "force"):
            if not isinstance(getattr(self, name), bool):
                raise _bad(name, getattr(self, name), "True or False")
        seconds = seconds_of(self.ttl)
        if self.ttl is not None and (seconds is None or seconds <= 0):
            raise _bad("ttl", self.ttl, "a timedelta or a number of seconds above 0")

    def is_fresh(self, age_seconds: float) -> bool:
        """Whether an outcome that was computed so long ago still counts."""
        seconds = seconds_of(self.ttl)
        return seconds is None or age_seconds <= seconds


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _bad(name: str, value: object, expected: str) -> DefinitionError:
    return DefinitionError(
        f"{name}={value!r} is not {expected}", "Cache", f"give {name} {expected}"
    )
