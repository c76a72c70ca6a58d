"""What became of all the crashes: a count of them, or the first that broke a promise."""

from dataclasses import dataclass

from anabranch.errors import AnabranchError


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashReport:
    """No crash did harm. As a text it is one line.

    `moments`, `writes` and `invocations` are those of the undisturbed run. `points` were crashed at, and `unreached`
    ones were not, since their run ended before. `kills` and `resumes` are of processes: a resume may be killed too.
    `repeated` counts the steps that a kill cut short, or that were not recorded yet, and that ran again.
    """

    moments: int
    writes: int
    invocations: int
    points: int
    unreached: int
    kills: int
    resumes: int
    repeated: int

    def __str__(self) -> str:
        more = self.kills - self.points
        again = f" ({more} more while resuming)" if more else ""
        crashes, repeated = _many(self.points, "crash", "es"), _many(self.repeated, "attempt")
        writes, calls = _many(self.writes, "write"), _many(self.invocations, "call")
        return (
            f"crash_everywhere: {crashes}{again} at {writes} of {calls};"
            f" 0 lost, 0 twice, equal results; {repeated} made again that had no outcome"
        )


def _many(count: int, noun: str, ending: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else ending}"


class CrashViolation(AnabranchError, AssertionError):
    """A crash lost something, repeated something, or changed the result.

    Its three lines say what, at which moment, and how to see it again.
    """
