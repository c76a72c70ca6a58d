"""For tests of pipelines. Nothing of the product imports this package, and it loads what it needs when it is asked.

`crash_everywhere` kills a pipeline's driver at every moment that could matter, and sees what a resume makes of it.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.testing.crashing import crash_everywhere as crash_everywhere
    from anabranch.testing.reports import CrashReport as CrashReport
    from anabranch.testing.reports import CrashViolation as CrashViolation

_NAMES = {
    "crash_everywhere": "anabranch.testing.crashing",
    "CrashReport": "anabranch.testing.reports",
    "CrashViolation": "anabranch.testing.reports",
}

__all__ = [*_NAMES]  # noqa: PLE0604  (the names are strings, read from the table above)
__getattr__ = lazy(__name__, _NAMES)
