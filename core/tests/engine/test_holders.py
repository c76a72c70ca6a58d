"""L9: a driver that is gone from this machine is known to be gone, and one that may live is never thought dead."""

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from anabranch import pipeline, step
from anabranch.errors import RunBusy
from anabranch.journal.events import DriverStarted
from anabranch.journal.holders import is_gone, this_holder

HOST, _, REST = this_holder().rpartition(":")
NAMESPACE = REST.partition("@")[2]


def holder(pid: object, host: str = HOST, namespace: str = NAMESPACE) -> str:
    return f"{host}:{pid}@{namespace}" if namespace else f"{host}:{pid}"


@pytest.fixture
def ended() -> int:
    """The id of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_this_process_is_here() -> None:
    assert not is_gone(this_holder())
    assert not is_gone(holder(os.getppid()))


def test_a_process_that_has_ended_is_gone(ended: int) -> None:
    assert is_gone(holder(ended))


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone_too() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # it has closed its output, which is the last that it does
    try:
        while not is_gone(holder(process.pid)):
            threading.Event().wait(0.005)
    finally:
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize("other", ["host", "namespace", "neither"])
def test_what_cannot_be_judged_from_here_may_live(ended: int, other: str) -> None:
    judged = {
        "host": holder(ended, host="another machine"),
        "namespace": holder(ended, namespace="1"),
        "neither": f"{HOST}:not a number",
    }[other]

    assert not is_gone(judged)


@pytest.mark.parametrize(
    "nonsense", ["", ":", "host", "host:", "host:1@", ":::", "host:-1", "a:1:2"]
)
def test_a_holder_that_says_nothing_may_live(nonsense: str) -> None:
    assert not is_gone(nonsense)


def test_L9_a_run_whose_driver_is_gone_is_resumed_before_its_lease_has_run_out(
    ended: int, lab, notes
) -> None:
    @step
    def work() -> int:
        notes.add(1)
        return 1

    @pipeline
    def flow() -> Any:
        made = work()
        if len(notes) == 1:
            raise OSError
        return made

    run = lab.start(flow)
    lab.stack.journal.acquire(run.id, holder(ended), 3600.0)
    notes.add("go on")

    again = lab.resume(run, flow)

    assert again.load() == 1
    assert [e.life for e in lab.events(again) if isinstance(e, DriverStarted)] == [1, 2]


def test_L4_a_run_whose_driver_may_live_elsewhere_is_left_to_it(lab) -> None:
    @pipeline
    def flow() -> Any:
        raise OSError

    run = lab.start(flow)
    lab.stack.journal.acquire(run.id, holder(1, host="another machine"), 3600.0)

    with pytest.raises(RunBusy, match="another machine"):
        lab.resume(run, flow)
