"""The floor of the async row: the same sleeps in bare asyncio."""

import asyncio
import sys


async def nap(x: int) -> int:
    await asyncio.sleep(1)
    return x


async def main() -> None:
    await asyncio.gather(*(nap(i) for i in range(int(sys.argv[1]))))


asyncio.run(main())
