"""Durations, sizes, times, counts and failures in the words that every display uses."""

from collections.abc import Mapping
from datetime import datetime

from anabranch.model.records import Failure, RunStatus

ORDER = ("completed", "failed", "skipped", "cancelled", "running", "retrying", "pending")
"""The order in which counts are told."""

_WORDS = {"pending": "waiting", "retrying": "to retry"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """`0.12 s`, `12.3 s`, `2 min 05 s`, `3 h 07 min`, `2 d 04 h`."""
    seconds = max(0.0, seconds)
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def size(count: int) -> str:
    """`812 B`, `1.2 KiB`, `34 MiB`."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1023.5 or unit == "TiB":
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
    raise AssertionError


def moment(at: float) -> str:
    """The local time, `2026-11-24 04:18:07`."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float | None) -> str | None:
    """The same for programs, with its distance from UTC; `None` stays `None`, and 0 means not yet."""
    return (
        datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds") if at else None
    )


def counts(tally: Mapping[str, int]) -> str:
    """`45 completed · 3 failed · 6 running`; the statuses that nobody is in are left out."""
    return " · ".join(f"{tally[s]:,} {_WORDS.get(s, s)}" for s in ORDER if tally.get(s))


def error_name(failure: Failure) -> str:
    """The class without its module."""
    return failure.type.rpartition(":")[2]


def brief(failure: Failure) -> str:
    """`ValueError: bad row`: the first line of the message, of a length that fits beside a name."""
    lines = failure.message.strip().splitlines()
    message = lines[0] if lines else ""
    if len(message) > 300:
        message = message[:299] + "…"
    return f"{error_name(failure)}: {message}" if message else error_name(failure)


def from_run(origin: str | None) -> str:
    """`from 20261124-123051-9gpvn4`: the other run that an outcome was taken from; nothing for one of this run."""
    return f"from {origin}" if origin else ""


def plural(count: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def next_command(status: RunStatus, run: str) -> str:
    """What to type next: `see it: anabranch runs show RUN`, or how to go on with it."""
    if status == "paused":
        return f"answer it: anabranch answer {run} NAME VALUE"
    if status in ("failed", "interrupted", "lost", "completed_with_failures"):
        return f"resume it: anabranch resume {run}"
    return f"see it: anabranch runs show {run}"
