"""A 200 MB array made by one step and read by the next."""

import numpy as np

from anabranch import pipeline, step


@step
def make() -> np.ndarray:
    return np.ones(25_000_000)


@step
def total(values: np.ndarray) -> float:
    return float(values.sum())


@pipeline
def pass_on() -> object:
    return total(make())


if __name__ == "__main__":
    assert pass_on().load() == 25_000_000
