"""The sequential and the mapped work on Dask's distributed scheduler, in threads. It keeps no durable record."""

import json
import time

from distributed import Client


def add(x: int) -> int:
    return x + 1


def main() -> None:
    with Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        started, value = time.perf_counter(), 0
        for _ in range(300):
            value = client.submit(add, value, pure=False).result()
        sequential = (time.perf_counter() - started) / 300 * 1e3
        started = time.perf_counter()
        assert sum(client.gather(client.map(add, range(1000), pure=False))) == 500_500
        mapped = time.perf_counter() - started
    print(json.dumps({"each_ms": sequential, "map_each_ms": mapped}))


if __name__ == "__main__":
    main()
