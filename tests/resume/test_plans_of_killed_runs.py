"""A driver is killed anywhere; the plan that is made then is what the resume does, and making it changes nothing."""

from typing import Any

import pytest

from anabranch import resume
from anabranch.authoring.plans import plan_resume
from anabranch.journal.events import OutcomeRecorded
from anabranch.stacks import open_stack

FLOW = """
import asyncio
from anabranch import Retry, as_completed, context, gather, now, pipeline, random, step, uuid4

@step
def square(x: int) -> int:
    return x * x

@step
async def nap(x: int) -> int:
    await asyncio.sleep(0.0005 * (x % 3))
    return x + 1

@step
def numbers(n: int) -> list[int]:
    return list(range(n))

@step
def total(values: list[int], extra: int = 0) -> int:
    return sum(values) + extra

@step
def large(x: int) -> bytes:
    return bytes([x]) * 50_000

@step
def size(data: bytes) -> int:
    return len(data)

@step
def bad(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"no {x}")
    return x

@step(retry=Retry(max_attempts=3, delay=0.001))
def flaky(x: int) -> int:
    if context().attempt < 3:
        raise OSError("again")
    return x

@pipeline
def child(n: int):
    uuid4()
    return total(square.map(range(n)))

@pipeline
async def achild(n: int):
    found = await asyncio.gather(*(nap.submit(x) for x in range(n)))
    return {"sum": total(found), "plain": n}

@pipeline
def flow():
    now(), random()
    value = total([square(2), 1])
    doubled = nap.map(square.map(numbers(4)))
    order = [found.load() for found in as_completed([nap.submit(x + 20) for x in range(4)])]
    try:
        bad(4)
    except ValueError as error:
        handled = str(error)
    collected = bad.map(range(4), on_error="collect")
    children = [child.submit(n) for n in (2, 3)]
    inner = achild(3)
    again = [flaky(1), flaky.submit(2)]
    return [
        *(value.load(), total(doubled).load(), sorted(order), handled, sorted(collected.failures)),
        *([found.load() for found in gather(*children)], inner["sum"].load(), inner["plain"]),
        *(size(large(7)).load(), [found.load() for found in again]),
    ]
"""

EXPECTED = [5, 18, [21, 22, 23, 24], "no 4", [0, 2], [1, 5], 6, 3, 50_000, [1, 2]]

KILLED = """
import os, signal, sys
import flow
from anabranch.journal.sqlite import SqliteWriter

writes, append = iter(range(1, 10**6)), SqliteWriter.append

def counted(self, added):
    made = append(self, added)
    if next(writes) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return made

SqliteWriter.append = counted
flow.flow()
"""


@pytest.mark.parametrize("write", [1, 3, 5, 8, 11, 14, 18, 22, 27, 33])
def test_the_plan_of_a_killed_run_is_what_its_resume_does(write: int, project: Any) -> None:
    project.write(FLOW)
    project.write(KILLED, "killed.py")
    died = project.python("killed.py", str(write))
    assert died.returncode in (-9, 0), died.stderr
    with open_stack() as stack:
        run = stack.journal.find("latest")
        before = list(stack.journal.read(run))
        lease = stack.journal.summary(run).lease
    project.load(FLOW)

    plan = plan_resume(run)

    with open_stack() as stack:
        assert list(stack.journal.read(run)) == before
        assert stack.journal.summary(run).lease == lease
    if plan.is_over:
        return
    again = resume(run, observers=())
    assert again.load() == EXPECTED
    with open_stack() as stack:
        events = [event for _, event in stack.journal.read(run, after=len(before))]
    executed = {event.invocation for event in events if isinstance(event, OutcomeRecorded)}
    sure = [call for call in plan.calls if "its inputs come out" not in call.reason]
    reused = {call.invocation for call in sure if call.decision == "reuse"}
    runs = {call.invocation for call in sure if call.decision == "run"}
    assert executed & reused == set()
    assert runs - executed == set()
    assert not any(call.decision == "orphan" for call in plan.calls)
