"""N async steps that each sleep a second, all at once."""

import asyncio
import sys

from anabranch import pipeline, step

count = int(sys.argv[1])


@step
async def nap(x: int) -> int:
    await asyncio.sleep(1)
    return x


@pipeline
def naps() -> int:
    return sum(future.load() for future in [nap.submit(i) for i in range(count)])


if __name__ == "__main__":
    assert naps().load() == count * (count - 1) // 2
