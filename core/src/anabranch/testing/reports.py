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
        again = f" ({self.kills - self.points} more while resuming)"
        return (
            f"crash_everywhere: {self.points} crashes{again if self.kills > self.points else ''}"
            f" at {self.writes} writes of {self.invocations} calls;"
            f" 0 lost, 0 twice, equal results; {self.repeated} unfinished attempts made again"
        )


class CrashViolation(AnabranchError, AssertionError):
    """A crash lost something, repeated something, or changed the result.

    Its three lines say what, at which moment, and how to see it again.
    """
