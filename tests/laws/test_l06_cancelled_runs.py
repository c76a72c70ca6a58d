"""L6: a run that somebody cancels is over soon, whatever it does just then, and nothing of it goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import anabranch
from anabranch.errors import InfrastructureError, RunNotResumable
from anabranch.journal.events import CancelAsked
from anabranch.journal.fold import RunState, read_state
from anabranch.stacks import open_stack

FLOW = """
import asyncio, time
from pathlib import Path
from anabranch import checkpoint, context, pipeline, step, wait_for

def begun():
    Path("begun").touch()

@step
async def waits(x):
    begun()
    await asyncio.sleep(3600)

@step
def checks():
    begun()
    while True:
        checkpoint()
        time.sleep(0.01)

@step
def polite():
    begun()
    while not context().cancelled:
        time.sleep(0.01)

@pipeline
def in_async_steps():
    waits.map(list(range(1))).result()

@pipeline
def in_a_sync_step():
    checks.submit().result()

@pipeline
def in_a_direct_call():
    polite()

@pipeline
def in_its_body():
    begun()
    time.sleep(3600)

@pipeline
async def in_its_loop():
    begun()
    await asyncio.sleep(3600)

@pipeline
def child():
    begun()
    while True:
        time.sleep(0.01)
        polite.submit().result()

@pipeline
def in_a_child():
    child()

@pipeline
def paused():
    begun()
    wait_for("approve")
"""

WAYS = [
    "in_async_steps",
    "in_a_sync_step",
    "in_a_direct_call",
    "in_its_body",
    "in_its_loop",
    "in_a_child",
]


@pytest.fixture
def flow(project: Any) -> Iterator[Any]:
    project.write(FLOW)
    drivers: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        """A driver in a process of its own, once something of the run has begun."""
        driver = subprocess.Popen(
            [sys.executable, "-m", "anabranch", "run", f"flow.py:{name}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ANABRANCH_CONSOLE": "plain"},
        )
        drivers.append(driver)
        while not Path("begun").exists():
            assert driver.poll() is None or name == "paused"
            time.sleep(0.01)
        return driver

    yield start
    for driver in drivers:
        driver.kill()
        driver.communicate()


def recorded() -> RunState:
    with open_stack() as stack:
        return read_state(stack.journal, stack.journal.find("latest"))


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_run_ends_wherever_it_is(way: str, flow: Any) -> None:
    driver = flow(way)

    anabranch.cancel("latest")

    assert driver.wait(30) == 1
    state = recorded()
    assert state.status == "cancelled"
    assert state.failure is not None
    assert "was cancelled by" in state.failure.message
    assert {known.status for known in state.invocations.values()} <= {"cancelled", "completed"}


def test_a_cancelled_run_is_not_resumed(flow: Any, project: Any) -> None:
    flow("in_its_body")
    run = anabranch.cancel("latest")

    done = project.python("-m", "anabranch", "resume", run)

    assert done.returncode == 2
    assert "is cancelled" in done.stderr
    with pytest.raises(RunNotResumable, match="nothing to cancel"):
        anabranch.cancel(run)


def test_a_run_that_nobody_drives_is_cancelled_at_once(flow: Any) -> None:
    """Its driver has been killed, and left it as it was."""
    driver = flow("in_its_body")
    driver.send_signal(signal.SIGKILL)
    driver.wait(30)

    anabranch.cancel("latest")

    assert recorded().status == "cancelled"


def test_a_paused_run_can_be_cancelled_and_takes_no_answer_any_more(flow: Any) -> None:
    assert flow("paused").wait(30) == 4

    anabranch.cancel("latest")

    state = recorded()
    assert (state.status, state.open_waits()) == ("cancelled", [])


def test_a_driver_that_does_not_listen_is_named(flow: Any) -> None:
    """It has been stopped, as a debugger or an overloaded machine would."""
    driver = flow("in_its_body")
    driver.send_signal(signal.SIGSTOP)

    with pytest.raises(InfrastructureError) as told:
        anabranch.cancel("latest", patience_seconds=0.2)

    assert f":{driver.pid}" in str(told.value)
    driver.send_signal(signal.SIGCONT)
    assert driver.wait(30) == 1
    assert recorded().status == "cancelled"


def test_who_cancelled_it_is_in_the_record(flow: Any) -> None:
    driver = flow("in_its_body")
    anabranch.cancel("latest")
    driver.wait(30)

    with open_stack() as stack:
        events = [event for _, event in stack.journal.read(stack.journal.find("latest"))]
    (asked,) = [event for event in events if isinstance(event, CancelAsked)]
    assert "@" in asked.sender


def test_cancel_on_the_command_line_says_what_it_did(flow: Any, project: Any) -> None:
    flow("in_its_body")

    done = project.python("-m", "anabranch", "runs", "cancel", "latest", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_run_that_can_be_resumed(number: signal.Signals, flow: Any) -> None:
    driver = flow("in_its_body")

    driver.send_signal(number)
    _, told = driver.communicate(timeout=30)

    assert driver.returncode == 130
    assert recorded().status == "interrupted"
    assert f"anabranch resume {recorded().run}" in told


def test_a_second_ctrl_c_ends_a_driver_that_does_not_leave(flow: Any, project: Any) -> None:
    """Its hook would take an hour; the run is as after a crash, and its command is told."""
    project.write(
        """
import time
from pathlib import Path
from anabranch import pipeline

def slowly(error):
    Path("leaving").touch()
    time.sleep(3600)

@pipeline
def flow():
    Path("begun").touch()
    try:
        time.sleep(3600)
    finally:
        slowly(None)
"""
    )
    driver = flow("flow")

    driver.send_signal(signal.SIGINT)
    while not os.path.exists("leaving"):
        time.sleep(0.01)
    driver.send_signal(signal.SIGINT)
    _, told = driver.communicate(timeout=30)

    assert driver.returncode == 130
    assert f"anabranch resume {recorded().run}" in told
    with open_stack() as stack:
        assert stack.journal.summary(recorded().run).status == "lost"
