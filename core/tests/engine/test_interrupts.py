"""Ctrl-C, a lost lease, a journal that fails, an observer that breaks: the run stops in order and can be resumed."""

import asyncio
import gc
import signal
import threading
import time
from typing import Any

import pytest

from anabranch import pipeline, step
from anabranch.errors import JournalError, LeaseLost, RunNotResumable
from anabranch.journal.events import DriverEnded, Event, OutcomeRecorded, RunEnded
from anabranch.journal.sqlite import SqliteWriter


def interrupted_when(body_is_ready) -> None:
    """Presses Ctrl-C in the main thread as soon as something is the case."""

    def press() -> None:
        while not body_is_ready():
            time.sleep(0.002)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def test_L9_ctrl_c_in_the_body_leaves_a_run_that_a_resume_finishes(lab, notes) -> None:
    switch = type(notes)()

    @step
    def work(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def flow() -> Any:
        done = [work(number) for number in range(5)]
        if len(switch) == 0:
            raise KeyboardInterrupt
        return [*done, work(5)]

    run = lab.start(flow)
    assert run.status == "interrupted"
    assert lab.state(run).status == "interrupted"
    assert lab.stack.journal.summary(run.id).status == "interrupted"
    assert lab.stack.journal.summary(run.id).lease is None
    switch.add(1)

    again = lab.resume(run, flow)

    assert again.load() == list(range(6))
    assert notes.take() == list(range(6))
    assert lab.executed(again) == ["work_6"]


@pytest.mark.parametrize("way", ["call", "submit", "map", "async"])
def test_L9_ctrl_c_while_a_step_runs_leaves_it_without_an_outcome(way, lab, notes) -> None:
    switch, gate = type(notes)(), threading.Event()

    @step
    def long(x: int) -> int:
        notes.add("begun")
        if len(switch) == 0:
            gate.wait(30)
        return x

    @step
    async def along(x: int) -> int:
        notes.add("begun")
        if len(switch) == 0:
            await asyncio.sleep(3600)
        return x

    @pipeline
    def flow() -> Any:
        if way == "call":
            return long(1)
        if way == "submit":
            return long.submit(1).result()
        if way == "map":
            return long.map([1])[0].result()
        return along.submit(1).result()

    interrupted_when(lambda: len(notes) > 0)
    run = lab.start(flow)
    assert run.status == "interrupted"
    assert isinstance(lab.events(run)[-1], DriverEnded)
    assert "completed" not in lab.statuses(run).values()
    assert "failed" not in lab.statuses(run).values()
    switch.add(1)

    again = lab.resume(run, flow)
    gate.set()

    assert again.load() == 1


def test_L9_ctrl_c_leaves_no_async_step_behind_and_says_nothing_of_it(lab, notes, capfd) -> None:
    """They may clean up; none of them gets an outcome."""

    @step
    async def endless(x: int) -> int:
        notes.add("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            notes.add("cleaned")
        return x

    @pipeline
    def flow() -> Any:
        found = endless.map(range(20))
        while len(notes) < 20:
            time.sleep(0.002)
        raise KeyboardInterrupt
        return found

    run = lab.start(flow)
    gc.collect()

    assert run.status == "interrupted"
    assert notes.take().count("cleaned") == 20
    assert [e for e in lab.events(run) if isinstance(e, OutcomeRecorded)] == []
    assert capfd.readouterr().err == ""


def test_L9_async_steps_that_had_not_begun_when_ctrl_c_came_say_nothing(lab, notes, capfd) -> None:
    gate = threading.Event()

    @step
    async def blocks() -> int:
        notes.add("begun")
        gate.wait(0.2)
        return 1

    @step
    async def later(x: int) -> int:
        return x

    @pipeline
    def flow() -> Any:
        blocks.submit()
        while len(notes) < 1:
            time.sleep(0.002)
        later.map(range(20))
        raise KeyboardInterrupt

    run = lab.start(flow)
    gc.collect()

    assert run.status == "interrupted"
    assert capfd.readouterr().err == ""


def test_ctrl_c_in_an_async_body_leaves_a_run_that_a_resume_finishes(lab, notes) -> None:
    switch = type(notes)()

    @step
    async def nap(x: int) -> int:
        await asyncio.sleep(0)
        return x

    @pipeline
    async def flow() -> Any:
        first = await nap.submit(1)
        if len(switch) == 0:
            raise KeyboardInterrupt
        return first, await nap.submit(2)

    run = lab.start(flow)
    assert run.status == "interrupted"
    switch.add(1)

    assert lab.resume(run, flow).load() == (1, 2)


def test_ctrl_c_in_a_child_leaves_a_run_that_a_resume_finishes(lab, notes) -> None:
    switch = type(notes)()

    @step
    def work(x: int) -> int:
        return x

    @pipeline
    def child() -> Any:
        made = work(1)
        if len(switch) == 0:
            raise KeyboardInterrupt
        return made

    @pipeline
    def flow() -> Any:
        return child.submit().result()

    run = lab.start(flow)
    assert run.status == "interrupted"
    switch.add(1)
    again = lab.resume(run, flow)

    assert again.load() == 1
    assert "work" not in lab.executed(again)


# --- what befalls a driver ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit", "map", "async", "as completed"])
def test_L4_a_driver_whose_run_was_taken_over_stops_and_records_nothing_more(
    way, lab, notes
) -> None:
    taken: list[SqliteWriter] = []

    @step
    def work(x: int) -> int:
        if x == 3 and not taken_over():
            take_over()
        return x

    @step
    async def awork(x: int) -> int:
        return work.__wrapped__(x)

    def taken_over() -> bool:
        return len(notes) > 0

    def take_over() -> None:
        notes.add("taken over")
        run = lab.stack.journal.find("latest")
        epoch = lab.stack.journal.summary(run).lease.epoch
        keep(lab.stack.journal.acquire(run, "another driver", 60.0, dead_epoch=epoch))

    def keep(writer: SqliteWriter) -> None:
        taken.append(writer)

    @pipeline
    def flow() -> Any:
        if way == "call":
            return [work(number) for number in range(10)]
        if way == "submit":
            return [work.submit(number).result() for number in range(10)]
        if way == "map":
            return work.map(range(10)).result()
        if way == "async":
            return [awork.submit(number).result() for number in range(10)]
        from anabranch import as_completed

        return [future.load() for future in as_completed(work.map(range(10)))]

    with pytest.raises(LeaseLost):
        lab.start(flow)

    run = lab.stack.journal.find("latest")
    before = lab.events(run)
    assert not any(isinstance(event, RunEnded) for event in before)
    assert lab.stack.journal.summary(run).lease.holder == "another driver"
    (writer,) = taken
    assert writer.append([DriverEnded(at=1.0, reason="seen")]) == len(before) + 1


@pytest.mark.parametrize("failing", [2, 3, 5, 9])
@pytest.mark.parametrize("way", ["call", "submit", "map", "async"])
def test_a_journal_that_fails_stops_the_run_with_its_error_and_a_resume_finishes_it(
    failing, way, lab, notes, monkeypatch
) -> None:
    """At the n-th write the disk is full, and stays so until the driver has gone."""
    real, count = SqliteWriter.append, iter(range(1, 10**6))
    full = threading.Event()

    def append(self: SqliteWriter, added: Any) -> int:
        if next(count) == failing:
            full.set()
        if full.is_set():
            raise JournalError("the journal refuses: disk is full", "a file", "free some space")
        return real(self, added)

    @step
    def work(x: int) -> int:
        notes.add(x)
        return x

    @step
    async def awork(x: int) -> int:
        notes.add(x)
        return x

    @pipeline
    def flow() -> Any:
        if way == "call":
            return [work(number) for number in range(10)]
        if way == "submit":
            return [work.submit(number).result() for number in range(10)]
        if way == "map":
            return [future.result() for future in work.map(range(10), max_concurrency=1)]
        return [awork.submit(number).result() for number in range(10)]

    with monkeypatch.context() as patched:
        patched.setattr(SqliteWriter, "append", append)
        try:
            run = lab.start(flow)
        except JournalError as error:
            assert "disk is full" in str(error)  # noqa: PT017
        else:
            assert run.load() == list(range(10))
            return
    run_id = lab.stack.journal.find("latest")
    epoch = lab.stack.journal.summary(run_id).lease
    dead = None if epoch is None else epoch.epoch
    lab.stack.journal.acquire(run_id, "nobody", 60.0, dead_epoch=dead).release()

    again = lab.resume_latest(flow)

    assert again.load() == list(range(10))
    assert sorted(set(notes.take())) == list(range(10))


@pytest.mark.parametrize("way", ["call", "submit", "async"])
def test_an_observer_that_breaks_takes_nothing_from_the_run(way, lab, capsys) -> None:
    @step
    def work(x: int) -> int:
        return x

    @step
    async def awork(x: int) -> int:
        await asyncio.sleep(0)
        return x

    @pipeline
    def flow() -> Any:
        if way == "call":
            return [work(number) for number in range(10)]
        if way == "submit":
            return [work.submit(number) for number in range(10)]
        return [awork.submit(number) for number in range(10)]

    def broken(number: int, event: Event) -> None:
        raise RuntimeError("the display is gone")

    seen: list[int] = []
    run = lab.start(flow, observers=[broken, lambda number, event: seen.append(number)])

    assert run.load() == list(range(10))
    assert seen == list(range(1, len(lab.events(run)) + 1))
    assert capsys.readouterr().err.count("the display is gone") == 1


def test_observers_are_told_of_every_event_in_order_and_once_it_is_durable(lab) -> None:
    seen: list[tuple[int, Event]] = []
    durable: list[bool] = []

    def watch(number: int, event: Event) -> None:
        seen.append((number, event))
        durable.append(lab.stack.journal.summary(lab.stack.journal.find("latest")).events >= number)

    @step
    def work(x: int) -> int:
        return x

    @pipeline
    def flow() -> Any:
        return work.map(work.map(range(30)))

    run = lab.start(flow, observers=[watch])

    assert seen == list(lab.stack.journal.read(run.id))
    assert all(durable)


def test_a_run_that_was_cancelled_for_good_is_not_resumed(lab) -> None:
    @pipeline
    def flow() -> Any:
        return 1

    run = lab.start(flow)
    writer = lab.stack.journal.acquire(run.id, "me", 60.0)
    writer.append([RunEnded(at=1.0, status="cancelled")])
    writer.release()

    with pytest.raises(RunNotResumable, match="cancelled"):
        lab.resume(run, flow)
    assert lab.stack.journal.summary(run.id).lease is None


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 5])
def test_ctrl_c_in_the_middle_of_a_write_loses_nothing_of_it(
    write, moment, lab, notes, monkeypatch
) -> None:
    """It waits for the end of the write, and then stops the run."""
    real, count = SqliteWriter.append, iter(range(1, 10**6))

    def append(self: SqliteWriter, added: Any) -> int:
        number = next(count)
        if number == write and moment == "before":
            signal.raise_signal(signal.SIGINT)
        first = real(self, added)
        if number == write and moment == "after":
            signal.raise_signal(signal.SIGINT)
        notes.add(len(added))
        return first

    @step
    def work(x: int) -> int:
        return x

    @pipeline
    def flow() -> Any:
        return [work(number) for number in range(1000)]

    with monkeypatch.context() as patched:
        patched.setattr(SqliteWriter, "append", append)
        run = lab.start(flow)

    assert run.status == "interrupted"
    assert len(lab.events(run)) == 1 + sum(notes.take())
    assert len(lab.state(run).invocations) < 1000
    assert lab.resume(run, flow).load() == list(range(1000))


def test_ctrl_c_is_handled_by_python_again_after_a_run(lab) -> None:
    @pipeline
    def flow() -> Any:
        return 1

    lab.start(flow)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_is_left_alone(lab, notes) -> None:
    @step
    def work() -> int:
        signal.raise_signal(signal.SIGINT)
        return 1

    @pipeline
    def flow() -> Any:
        return work()

    before = signal.signal(signal.SIGINT, lambda number, frame: notes.add(number))
    try:
        assert lab.start(flow).load() == 1
        assert notes.take() == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_run_in_another_thread_leaves_ctrl_c_to_the_main_thread(lab, notes) -> None:
    gate = threading.Event()

    @step
    def work() -> int:
        assert gate.wait(30)
        return 1

    @pipeline
    def flow() -> Any:
        return work()

    thread = threading.Thread(target=lambda: notes.add(lab.start(flow).load()))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    gate.set()
    thread.join()

    assert notes.take() == [1]


def test_an_event_that_cannot_be_written_ends_the_run_and_hangs_nobody(lab, monkeypatch) -> None:
    """A fault of ours, such as a value in an event that is no JSON."""
    real = SqliteWriter.append

    def append(self: SqliteWriter, added: Any) -> int:
        if any(isinstance(event, OutcomeRecorded) for event in added):
            raise TypeError("int64 does not belong in an event")
        return real(self, added)

    @step
    def work(x: int) -> int:
        return x

    @pipeline
    def flow() -> Any:
        return work.map(range(10)).result()

    monkeypatch.setattr(SqliteWriter, "append", append)
    with pytest.raises(JournalError, match="int64"):
        lab.start(flow)
