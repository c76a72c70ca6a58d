"""The sequential and the mapped work on DBOS with SQLite: every step is recorded."""

import json
import time

from dbos import DBOS, DBOSConfig

DBOS(
    config=DBOSConfig(name="bench", system_database_url="sqlite:///dbos.sqlite", log_level="ERROR")
)


@DBOS.step()
def add(x: int) -> int:
    return x + 1


@DBOS.workflow()
def chain(count: int) -> float:
    started, value = time.perf_counter(), 0
    for _ in range(count):
        value = add(value)
    return (time.perf_counter() - started) / count * 1e3


@DBOS.workflow()
def one(x: int) -> int:
    return add(x)


def main() -> None:
    DBOS.launch()
    sequential = chain(300)
    started = time.perf_counter()
    handles = [DBOS.start_workflow(one, i) for i in range(300)]
    assert sum(handle.get_result() for handle in handles) == 300 * 301 // 2
    mapped = (time.perf_counter() - started) / 300 * 1e3
    print(json.dumps({"each_ms": sequential, "map_each_ms": mapped}))
    DBOS.destroy()


if __name__ == "__main__":
    main()
