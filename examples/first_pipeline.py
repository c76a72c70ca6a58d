"""A first dynamic pipeline: what it does next depends on what it has just computed.

A garden reports its plots, and how many there are is known only at run time. Every plot is measured (a map), the dry
ones are watered, each as often as it needs (a loop), and a report is made of all (a reduce).

Run it with `anabranch run examples/first_pipeline.py`, or with `python examples/first_pipeline.py`. Press Ctrl-C in the
middle, and `anabranch resume latest` goes on from there.
"""

import time
from collections.abc import Sequence

from anabranch import Artifact, log_metadata, pipeline, step

ENOUGH = 0.6


@step
def find_plots(season: str) -> list[str]:
    """The plots of this season."""
    time.sleep(0.2)
    names = ["beans", "carrots", "kale", "leeks", "peas", "squash"]
    return names if season == "summer" else names[:3]


@step
def measure(plot: str) -> float:
    """How moist the soil of a plot is, from 0 to 1."""
    time.sleep(0.3)
    return (sum(map(ord, plot)) % 10) / 10


@step
def water(plot: str, moisture: float) -> float:
    """Waters a plot once."""
    time.sleep(0.2)
    print(f"watering {plot}: {moisture:.2f} -> {moisture + 0.25:.2f}")
    return moisture + 0.25


@step
def report(plots: Sequence[str], moistures: Sequence[float]) -> str:
    """One line for each plot."""
    log_metadata(plots=len(plots), driest=min(moistures))
    rows = (f"{p:<8} {'#' * round(m * 20)}" for p, m in zip(plots, moistures, strict=True))
    text = "\n".join(rows)
    print(text)
    return text


@pipeline
def garden(season: str = "summer") -> Artifact[str]:
    """Waters every plot until it has enough."""
    plots = find_plots(season)
    measured = measure.map(plots)  # as many calls as there are plots
    moistures = []
    for plot, moisture in zip(plots.load(), measured, strict=True):
        while moisture.load() < ENOUGH:  # as often as this plot needs
            moisture = water(plot, moisture)
        moistures.append(moisture)
    return report(plots, moistures)


if __name__ == "__main__":
    garden()
