"""N durable inline steps, one after another; each is recorded before the next begins."""

import json
import sys
import time
from pathlib import Path

from anabranch import pipeline, step

count = int(sys.argv[1])
if len(sys.argv) > 2:
    Path("stacks").mkdir()
    Path("stacks/full.toml").write_text(
        f'orchestrator = "local"\n[journal]\nsynchronous = "{sys.argv[2]}"\n'
    )


@step
def add(x: int) -> int:
    return x + 1


@pipeline
def chain() -> object:
    value = add(0)
    started = time.perf_counter()
    for _ in range(count):
        value = add(value)
    print(json.dumps({"each_ms": (time.perf_counter() - started) / count * 1e3}))
    return value


if __name__ == "__main__":
    run = chain.start(stack="full" if len(sys.argv) > 2 else None)
    assert run.load() == count + 1
