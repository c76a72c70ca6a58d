"""Kills a pipeline's driver at every moment that could matter, resumes the run, and sees that no harm was done.

A *point* is the number of a moment (see `moments`) at which a run is killed. How many there are differs a little from
run to run, because threads share writes; so points are tried in order until a few runs in a row end before theirs.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from anabranch.authoring.entries import entry_of, reload_pipeline
from anabranch.authoring.pipelines import Pipeline
from anabranch.engine.definitions import PipelineDefinition
from anabranch.errors import CallError, CapabilityMissing, EntryError
from anabranch.testing import forking
from anabranch.testing.campaigns import Campaign
from anabranch.testing.nurseries import Nursery
from anabranch.testing.reports import CrashReport, CrashViolation

_ENOUGH_MISSES = 3
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of our own is made in it)


def crash_everywhere(
    pipeline: Pipeline[..., Any],
    arguments: Mapping[str, object] | None = None,
    *,
    points: Collection[int] | None = None,
    same: Callable[[Any, Any], bool] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> CrashReport:
    """Proves that a pipeline survives the death of its driver at any moment, or raises `CrashViolation`.

    The pipeline runs once undisturbed. Then it runs again for every moment before and after a write to its journal: it
    is killed there with SIGKILL, and resumed to its end by another process; every fourth resume is killed as well.
    Nothing that was recorded may be lost or executed again, every call must have one outcome, and calls and results
    must be those of the undisturbed run. `points` are the numbers of the moments to try, from 1; `None` tries all.

    A pipeline whose result or calls differ between two runs, by the time or by chance, needs `same(one, other)`: it is
    given what two runs returned, loaded, and says whether they are equal enough. Then the calls of a run are compared
    with those before its crash only.

    Runs are kept in a temporary folder, in memory where there is a place for that, or in `folder`, and removed. That of
    a violation stays. Raises a `UserMistake` for what cannot be tried, and `RunFailed` if the pipeline fails by itself.
    """
    definition = pipeline._definition
    _refuse(definition, points)
    bound = definition.signature.bind((), arguments or {}, definition.options.parameters)
    entry = entry_of(definition)
    with (
        _workshop(folder) as root,
        Nursery(entry, bound, root / "first.txt") as first,
        Nursery(entry, bound, root / "second.txt") as second,
        Campaign(root, first, second, same) as campaign,
    ):
        reached, missed = _tried(campaign, points)
    if not reached:
        raise CallError(
            f"no run came to point {max(points or (0,))}",
            f"crash_everywhere() of pipeline {definition.name!r}",
            f"choose points from 1 to {campaign.moments}",
        )
    return CrashReport(
        moments=campaign.moments,
        writes=campaign.moments // 2,
        invocations=campaign.invocations,
        points=reached,
        unreached=missed,
        kills=campaign.kills,
        resumes=campaign.resumes,
        repeated=campaign.repeated,
    )


def _tried(campaign: Campaign, points: Collection[int] | None) -> tuple[int, int]:
    """How many points were reached, and how many were not."""
    reached = missed = in_a_row = 0
    for point in count(1) if points is None else sorted(points):
        if campaign.crash(point):
            reached, in_a_row = reached + 1, 0
        else:
            missed, in_a_row = missed + 1, in_a_row + 1
        if points is None and in_a_row == _ENOUGH_MISSES:
            break
    return reached, missed


@contextmanager
def _workshop(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """A new folder for the runs, which is removed unless it holds the run of a violation."""
    place = Path(folder) if folder is not None else _IN_MEMORY
    if folder is not None:
        place.mkdir(parents=True, exist_ok=True)
    usable = place.is_dir() and os.access(place, os.W_OK)
    root = Path(tempfile.mkdtemp(prefix="anabranch-", dir=place if usable else None))
    try:
        yield root
    except CrashViolation:
        raise
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    shutil.rmtree(root)


def _refuse(definition: PipelineDefinition, points: Collection[int] | None) -> None:
    """What cannot be tried, before anything is. Raises a `UserMistake`."""
    of = f"pipeline {definition.name!r}"
    if not hasattr(os, "fork"):
        raise CapabilityMissing(
            "crash_everywhere() needs fork(), which this system does not have",
            of,
            "run this test on Linux or macOS",
        )
    if _is_nursery():
        raise EntryError(
            "crash_everywhere() was called while the pipeline's file was imported to be tried",
            of,
            'put the call into a test, or under if __name__ == "__main__":',
        )
    if "<locals>" in definition.function.__qualname__:
        raise EntryError(
            "a pipeline that is made in a function cannot be found by another process",
            of,
            "define it at the top of a module",
        )
    if reload_pipeline(entry_of(definition))._definition is not definition:
        raise EntryError(
            "its module has another pipeline of this name, which a resume would take",
            of,
            "write the options into @pipeline(...), and name it as its function",
        )
    if points is not None and (not points or min(points) < 1):
        raise CallError("points are numbers from 1", "crash_everywhere()", "pass points=[1]")


def _is_nursery() -> bool:
    main = getattr(sys.modules["__main__"], "__spec__", None)
    return main is not None and main.name == forking.__name__
