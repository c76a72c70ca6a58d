"""Measures the rows of the performance table, each as a whole process, beside the floor of the same row.

See `bench/README.md`. Targets are printed for comparison; nothing fails when one is missed, since a busy machine is no
defect. The exit code is 0 unless a program fails.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True, kw_only=True)
class Row:
    """`floor` and `program` are command lines of programs; `unit` says which of the printed figures is the row's."""

    name: str
    program: Sequence[str]
    floor: Sequence[str] = ()
    figure: str = "seconds"
    unit: str = "s"
    target: float
    target_mb: float | None = None
    target_ratio: float | None = None
    runs: int = 5


ROWS = [
    Row(
        name="import anabranch, step and pipeline",
        program=["imports.py"],
        floor=["nothing.py"],
        target=0.1,
    ),
    Row(name="whole process, one step", program=["one_step.py"], floor=["nothing.py"], target=0.25),
    Row(
        name="1,000 sequential durable steps, each",
        program=["sequential.py", "1000"],
        floor=["floor_commits.py", "1000"],
        figure="each_ms",
        unit="ms",
        target=0.15,
        target_ratio=8,
    ),
    Row(
        name="the same with synchronous=FULL, each",
        program=["sequential.py", "1000", "FULL"],
        floor=["floor_commits.py", "1000", "FULL"],
        figure="each_ms",
        unit="ms",
        target=1.0,
        runs=3,
    ),
    Row(
        name="map of 1,000 and reduce, each",
        program=["mapping.py", "1000"],
        floor=["floor_commits.py", "1000"],
        figure="each_ms",
        unit="ms",
        target=0.15,
    ),
    Row(
        name="map of 10,000 and reduce",
        program=["mapping.py", "10000"],
        target=2.0,
        target_mb=150,
        runs=3,
    ),
    Row(
        name="map of 100,000 and reduce",
        program=["mapping.py", "100000"],
        target=20.0,
        target_mb=400,
        runs=1,
    ),
    Row(
        name="5,000 async steps that sleep 1 s",
        program=["naps.py", "5000"],
        floor=["floor_naps.py", "5000"],
        target=3.0,
        runs=3,
    ),
    Row(
        name="200 MB array between two steps",
        program=["arrays.py"],
        floor=["floor_arrays.py"],
        target=1.0,
        target_mb=450,
        runs=3,
    ),
    Row(
        name="resume of 100 steps to the failed one",
        program=["resume.py"],
        floor=["nothing.py"],
        target=0.4,
    ),
]


@dataclass
class Figure:
    """Medians over the runs: `value` in the row's unit, `seconds` and `megabytes` of the whole process."""

    value: float
    seconds: float
    megabytes: float
    details: dict[str, Any] = field(default_factory=dict)


def measure(command: Sequence[str], figure: str, runs: int) -> Figure:
    """Runs a program in an empty folder, once to warm up and then `runs` times."""
    values, seconds, megabytes, details = [], [], [], {}
    for number in range(runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            took, peak, printed = one_run(command, Path(folder))
        if number == 0 and runs > 1:
            continue
        details = printed
        values.append(printed.get(figure, took))
        seconds.append(printed.get("seconds", took))
        megabytes.append(printed.get("megabytes", peak))
    median = statistics.median
    return Figure(median(values), median(seconds), median(megabytes), details)


def one_run(command: Sequence[str], folder: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds, peak megabytes, and what the program printed as JSON on its last line."""
    program, *arguments = command
    environment = {
        **os.environ,
        "ANABRANCH_HOME": str(folder / "home"),
        "ANABRANCH_CONSOLE": "quiet",
        "PYTHONSAFEPATH": "1",  # programs have the names of the packages that they measure
    }
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, str(PROGRAMS / program), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{program} failed with exit code {process.returncode}")
    lines = output.strip().splitlines()
    printed = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return took, _megabytes(usage), printed


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"{'work':<44}{'figure':>12}{'floor':>12}{'ratio':>8}{'target':>12}{'MB':>8}{'target':>8}"
    ]
    for row in rows:
        floor = row["floor"]
        ratio = f"{row['value'] / floor:.1f}" if floor else ""
        lines.append(
            f"{row['name']:<44}{row['value']:>9.3f} {row['unit']:<2}"
            f"{(f'{floor:.3f}' if floor else ''):>12}{ratio:>8}{row['target']:>12}"
            f"{row['megabytes']:>8.0f}{row['target_mb'] or '':>8}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument(
        "--peers", action="store_true", help="also run the peers that are installed"
    )
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results.json")
    options = parser.parse_args()
    results = []
    for row in ROWS:
        if options.only in row.name:
            floor = measure(row.floor, row.figure, row.runs) if row.floor else None
            figure = measure(row.program, row.figure, row.runs)
            results.append(
                {**asdict(row), **asdict(figure), "floor": floor.value if floor else None}
            )
            print(table(results[-1:]).splitlines()[-1], flush=True)
    print("\n" + table(results))
    if options.peers:
        results.extend(peers())
    options.json.write_text(json.dumps(results, indent=2))
    print(f"\nwritten to {options.json}")


def peers() -> list[dict[str, Any]]:
    """The sequential and mapped work on every peer whose package can be imported here."""
    found = []
    for program in sorted((PROGRAMS / "peers").glob("*.py")):
        probe = subprocess.run(
            [sys.executable, "-c", f"import {program.stem}"], check=False, capture_output=True
        )
        if probe.returncode:
            print(f"{program.stem}: not installed here")
            continue
        try:
            figure = measure([f"peers/{program.name}"], "each_ms", 1)
        except SystemExit as failed:
            print(f"{program.stem}: {failed}")
            continue
        print(f"{program.stem:<44}{figure.value:>9.3f} ms   {figure.details}")
        found.append({"name": program.stem, **asdict(figure)})
    return found


if __name__ == "__main__":
    main()
