"""The sequential and the mapped work on Prefect, with the server that it starts for itself."""

import json
import time

from prefect import flow, task


@task
def add(x: int) -> int:
    return x + 1


@flow
def work() -> dict[str, float]:
    started, value = time.perf_counter(), 0
    for _ in range(100):
        value = add(value)
    sequential = (time.perf_counter() - started) / 100 * 1e3
    started = time.perf_counter()
    assert sum(add.map(range(200)).result()) == 200 * 201 // 2
    return {"each_ms": sequential, "map_each_ms": (time.perf_counter() - started) / 200 * 1e3}


if __name__ == "__main__":
    print(json.dumps(work()))
