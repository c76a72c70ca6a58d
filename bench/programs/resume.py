"""A run of 100 steps that failed at the last is resumed: the time of the resuming process, whole."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from anabranch import pipeline, step


@step
def add(x: int) -> int:
    return x + 1


@step
def last(x: int) -> int:
    if not Path("mended").exists():
        raise RuntimeError("not yet")
    return x


@pipeline
def hundred() -> object:
    value = add(0)
    for _ in range(98):
        value = add(value)
    return last(value)


def main() -> None:
    """Runs this file again as the process that fails, and as the one that resumes, which is timed."""
    me = [sys.executable, __file__]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*me, "fail"], check=False, **quiet)
    Path("mended").touch()
    started = time.perf_counter()
    resume = "from anabranch.authoring.runs import resume as resume_run as r; assert r('latest').load() == 99"
    subprocess.run([sys.executable, "-c", resume], check=True, env=os.environ, **quiet)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    hundred() if sys.argv[1:] == ["fail"] else main()
