"""Many threads record into one journal: nothing is told before it is durable, nothing is lost, order is kept."""

import threading
import time
from collections.abc import Sequence

import pytest

from anabranch.engine.recording import Recorder
from anabranch.errors import JournalError, LeaseLost
from anabranch.journal.events import DriverEnded, Event


class Paper:
    """A writer that keeps events in a list, and fails when it is told to."""

    epoch = 1

    def __init__(self, slow: bool = False) -> None:
        self.events: list[Event] = []
        self.writes = 0
        self.fail_at = 0
        self.slow = slow
        self.released = self.renewed = 0
        self.lost = False

    def append(self, added: Sequence[Event]) -> int:
        self.writes += 1
        if self.slow:
            time.sleep(0.001)
        if self.writes == self.fail_at:
            raise JournalError("disk is full", "paper", "buy more")
        first = len(self.events) + 1
        self.events.extend(added)
        return first

    def renew(self) -> None:
        self.renewed += 1
        if self.lost:
            raise LeaseLost("gone", "paper", "follow it")

    def release(self) -> None:
        self.released += 1


def event(number: int) -> DriverEnded:
    return DriverEnded(at=float(number), reason=str(number))


def test_a_commit_is_written_when_it_returns_and_gives_the_number_of_its_last_event() -> None:
    paper = Paper()
    recorder = Recorder(paper)

    assert recorder.commit(event(1)) == 1
    assert recorder.commit(event(2), event(3)) == 3
    assert paper.events == [event(1), event(2), event(3)]


def test_what_is_noted_is_written_with_the_next_commit_before_it() -> None:
    paper = Paper()
    recorder = Recorder(paper)
    recorder.note(event(1), event(2))
    assert paper.events == []

    assert recorder.commit(event(3)) == 3
    assert paper.events == [event(1), event(2), event(3)]
    assert paper.writes == 1


def test_what_is_noted_last_is_written_when_the_recorder_closes_and_the_lease_is_given_back() -> (
    None
):
    paper = Paper()
    recorder = Recorder(paper)
    recorder.note(event(1))
    recorder.close()

    assert paper.events == [event(1)]
    assert paper.released == 1


def test_nobody_is_told_before_his_events_are_durable() -> None:
    paper = Paper(slow=True)
    recorder = Recorder(paper)
    seen: list[bool] = []
    done = threading.Semaphore(0)

    def record(number: int) -> None:
        mine = event(number)

        def told(at: int) -> None:
            seen.append(paper.events[at - 1] is mine)
            done.release()

        recorder.record([mine], told)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert done.acquire(timeout=30)
    for thread in threads:
        thread.join()

    assert seen == [True] * 200
    assert sorted(paper.events, key=lambda e: e.at) == [event(number) for number in range(200)]


@pytest.mark.parametrize("slow", [False, True])
def test_32_threads_that_commit_and_note_lose_nothing_and_each_keeps_its_order(slow) -> None:
    paper = Paper(slow)
    recorder = Recorder(paper)
    wrong: list[object] = []

    def work(thread: int) -> None:
        for number in range(30):
            mine = event(thread * 1000 + number)
            if number % 3 == 0:
                recorder.note(mine)
            elif paper.events[recorder.commit(mine) - 1] is not mine:
                wrong.append(mine)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()

    assert wrong == []
    assert len(paper.events) == 32 * 30
    for thread_number in range(32):
        mine = [e.at for e in paper.events if e.at // 1000 == thread_number]
        assert mine == sorted(mine)
    if slow:
        assert paper.writes < 32 * 20  # those that came at the same time shared a write


def test_after_a_write_that_failed_nothing_is_written_and_everybody_who_waits_is_told() -> None:
    paper = Paper(slow=True)
    paper.fail_at = 5
    recorder = Recorder(paper)
    failures: list[str] = []

    def work(thread: int) -> None:
        try:
            for number in range(10):
                recorder.commit(event(thread * 100 + number))
        except JournalError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not any(thread.is_alive() for thread in threads)
    assert len(failures) == 8
    assert paper.writes == 5
    with pytest.raises(JournalError, match="full"):
        recorder.check()
    with pytest.raises(JournalError, match="full"):
        recorder.commit(event(1))
    recorder.close()
    assert paper.released == 1


def test_L4_a_lease_that_is_lost_while_it_is_renewed_ends_the_writing() -> None:
    paper = Paper()
    recorder = Recorder(paper)
    recorder.commit(event(1))
    paper.lost = True
    recorder.renew()

    with pytest.raises(LeaseLost):
        recorder.commit(event(2))
    assert paper.events == [event(1)]


def test_whoever_is_told_may_record_in_turn() -> None:
    """Ten thousand times, each in the one before: no deep stack, and all in order."""
    paper = Paper()
    recorder = Recorder(paper)

    def told(number: int) -> None:
        if number < 10_000:
            recorder.record([event(number + 1)], told)

    recorder.record([event(1)], told)

    assert [e.at for e in paper.events] == list(range(1, 10_001))
