"""A map of N items and a reducer over all of them."""

import json
import sys
import time

from anabranch import pipeline, step

count = int(sys.argv[1])


@step
def add(x: int) -> int:
    return x + 1


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def fan_out() -> object:
    started = time.perf_counter()
    result = total(add.map(range(count)))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "each_ms": seconds / count * 1e3}))
    return result


if __name__ == "__main__":
    assert fan_out().load() == count * (count + 1) // 2
