"""Kills a pipeline's driver at every moment that could matter, resumes the run, and sees that no harm was done."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anabranch.authoring.entries import entry_of, reload_pipeline
from anabranch.authoring.pipelines import Pipeline
from anabranch.engine.definitions import PipelineDefinition
from anabranch.errors import CallError, CapabilityMissing, EntryError
from anabranch.testing import forking
from anabranch.testing.campaigns import MOST_LANES, Campaign, Tried
from anabranch.testing.nurseries import Nursery
from anabranch.testing.reports import CrashReport, CrashViolation
from anabranch.testing.sweeps import Sweep

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of our own is made in it)


def crash_everywhere(
    pipeline: Pipeline[..., Any],
    arguments: Mapping[str, object] | None = None,
    *,
    answers: Mapping[str, object] | None = None,
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

    `answers` are for the waits of the pipeline, by name: a run that is paused for one is given it, and goes on.

    Runs are kept in a temporary folder, in memory where there is a place for that, or in `folder`, and removed. That of
    a violation stays. Raises a `UserMistake` for what cannot be tried, and `RunFailed` if the pipeline fails by itself.
    """
    definition = pipeline._definition
    _refuse(definition, points)
    bound = definition.signature.bind((), arguments or {}, definition.options.parameters)
    entry = entry_of(definition)
    with (
        _workshop(folder) as root,
        Nursery(entry, bound, root / "first.txt", MOST_LANES) as first,
        Nursery(entry, bound, root / "second.txt", MOST_LANES) as second,
        Campaign(root, first, second, same, answers or {}) as campaign,
    ):
        tried = Sweep(campaign, points).go(campaign.lanes)
        report = _report(campaign, tried)
    if not report.points:
        raise CallError(
            f"no run came to point {max(points or (0,))}",
            f"crash_everywhere() of pipeline {definition.name!r}",
            f"choose points from 1 to {report.moments}",
        )
    return report


def _report(campaign: Campaign, tried: Sequence[Tried]) -> CrashReport:
    reached = [each for each in tried if each.kills]
    return CrashReport(
        moments=campaign.moments,
        writes=len({(each.point + 1) // 2 for each in reached}),
        invocations=campaign.invocations,
        points=len(reached),
        unreached=len(tried) - len(reached),
        kills=sum(each.kills for each in reached),
        resumes=sum(each.resumes for each in reached),
        repeated=sum(each.repeated for each in reached),
    )


@contextmanager
def _workshop(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """A new folder for the runs, which is removed unless it holds the run of a violation."""
    place = Path(folder).absolute() if folder is not None else _IN_MEMORY
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
