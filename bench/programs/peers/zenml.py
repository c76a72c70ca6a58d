"""The sequential work on ZenML's local stack, as a dynamic pipeline."""

import json
import time

from zenml import pipeline, step

COUNT = 20


@step(enable_cache=False)
def add(x: int) -> int:
    return x + 1


@pipeline(dynamic=True, enable_cache=False)
def chain() -> None:
    started = time.perf_counter()
    value = add(0)
    for _ in range(COUNT - 1):
        value = add(value)
    print(json.dumps({"each_ms": (time.perf_counter() - started) / COUNT * 1e3}))


if __name__ == "__main__":
    chain()
