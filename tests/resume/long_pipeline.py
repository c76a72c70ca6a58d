"""Two hundred steps of every kind that a run can have, quick, and with the same calls and result in every run."""

import asyncio

import anabranch
from anabranch import Retry, as_completed, gather, pipeline, step, unmapped


@step
def square(number: int) -> int:
    """Prints, so that there are logs to keep too."""
    print("square of", number)
    return number * number


@step
async def nap(number: int) -> int:
    """Waits beside others; those of a higher number are not later."""
    await asyncio.sleep(0.0005 * ((number * 7) % 5))
    return number + 1


@step
def numbers(count: int) -> list[int]:
    """Something to map over that is known only at run time."""
    return list(range(count))


@step
def total(values: list[int], extra: int = 0) -> int:
    """Reduces."""
    return sum(values) + extra


@step
def large(number: int) -> bytes:
    """Too large for the journal: kept in the artifact store."""
    return bytes([number]) * 50_000


@step
def size(data: bytes) -> int:
    """Reads it."""
    return len(data)


@step
def odd(number: int) -> int:
    """Fails for even numbers."""
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    return number


@step(retry=Retry(max_attempts=3, delay=0.001))
def third_time(number: int) -> int:
    """Succeeds at its third attempt."""
    attempt = anabranch.context().attempt
    if attempt < 3:
        raise OSError(f"attempt {attempt}")
    return number


@pipeline
def family(count: int) -> int:
    """A child with a child."""
    inner = leaf(count)
    return total(square.map(numbers(count)), extra=inner)


@pipeline
def leaf(count: int) -> int:
    """The innermost."""
    return total(nap.map(range(count)))


@pipeline
async def waiting(count: int) -> dict[str, object]:
    """An async child."""
    found = await asyncio.gather(*(nap.submit(n + 50) for n in range(count)))
    await anabranch.sleep(0.003)
    answer = await anabranch.wait_for("more", int)
    return {"sum": total(found), "count": count + answer}


@pipeline
def everything() -> dict[str, object]:
    """All of it."""
    chain = square(1)
    for _ in range(30):
        chain = total([chain], extra=2)
    doubled = nap.map(square.map(numbers(40)))
    anabranch.sleep(0.003)
    first = sorted(f.load() for f in as_completed([nap.submit(n + 20) for n in range(10)]))
    handled = odd.map(range(6), on_error="collect")
    tried = [third_time(1), third_time.submit(2)]
    children = [family.submit(n) for n in (6, 7)]
    inner = waiting(5)
    approved = anabranch.wait_for("approve", bool, "Go on?")
    shifted = total.map([[n] for n in range(10)], extra=unmapped(chain))
    relay = square.submit(3)
    for _ in range(14):
        relay = nap.submit(relay)
    return {
        "chain": chain.load(),
        "doubled": total(doubled).load(),
        "first": first,
        "failures": sorted(handled.failures),
        "tried": [found.load() for found in tried],
        "children": [found.load() for found in gather(*children)],
        "inner": [inner["sum"].load(), inner["count"]],
        "approved": approved,
        "shifted": total(shifted).load(),
        "size": size(large(7)).load(),
        "relay": relay.load(),
    }


@pipeline
def eager() -> dict[str, object]:
    """Its result and calls depend on chance, on the time, and on who is first."""
    drawn = [anabranch.now().isoformat(), str(anabranch.uuid4()), anabranch.random()]
    order = [future.load() for future in as_completed([nap.submit(n) for n in range(6)])]
    lucky = square(int(str(drawn[1])[0], 16))
    return {"drawn": drawn, "order": order, "lucky": lucky.load(), "of": total(order).load()}
