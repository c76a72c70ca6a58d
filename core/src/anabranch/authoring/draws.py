"""Time, ids and chance for a body, the same after a resume (law L8). In a step they are simply drawn."""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from anabranch.authoring.bodies import body


def now() -> datetime:
    """The present, in UTC."""
    return datetime.fromtimestamp(float(_drawn("now", time.time)), UTC)


def uuid4() -> uuid.UUID:
    """A random UUID."""
    return uuid.UUID(str(_drawn("uuid4", lambda: str(uuid.uuid4()))))


def random() -> float:
    """A random number, 0 ≤ x < 1."""
    return float(_drawn("random", lambda: int.from_bytes(os.urandom(7), "big") / (1 << 56)))


def _drawn(kind: str, make: Callable[[], float | str]) -> float | str:
    found = body()
    if found is None:
        return make()
    driver, scope = found
    return driver.draw(scope, kind, make)
