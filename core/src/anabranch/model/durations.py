"""What a user may give for a duration: a timedelta, or a number of seconds."""

import math
from datetime import timedelta


def seconds_of(value: object) -> float | None:
    """A duration in seconds, from a timedelta or a number of seconds; `None` for what is no finite number."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if -math.inf < seconds < math.inf else None
