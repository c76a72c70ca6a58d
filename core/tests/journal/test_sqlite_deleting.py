"""Runs that are deleted: all of one, nothing of another, and nobody writes to it or by mistake to its successor."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import JournalError, LeaseLost, RunBusy, RunNotFound
from anabranch.journal.interface import Message
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

LONG = 60.0
ONE, TWO, THREE = RunId("one"), RunId("two"), RunId("three")

DRIVER = """
import sys, time
from pathlib import Path
from anabranch.journal.events import RunCreated
from anabranch.journal.holders import this_holder
from anabranch.journal.sqlite import SqliteJournal

journal = SqliteJournal(Path(sys.argv[1]))
created = RunCreated(at=1.0, run="one", pipeline="flow", entry={}, stack="local", version="0")
writer = journal.create(created, this_holder(), 600.0)
print("ready", flush=True)
sys.stdin.readline()
"""


def test_a_deleted_run_is_gone_for_every_question(journal, created, call, three_lines) -> None:
    journal.create(created(ONE), "me", LONG).release()
    journal.create(created(TWO), "me", LONG).release()

    journal.delete(ONE)

    assert [summary.run for summary in journal.runs()] == [TWO]
    for question in (
        lambda: list(journal.read(ONE)),
        lambda: journal.data(ONE, 1),
        lambda: journal.summary(ONE),
        lambda: journal.find(ONE),
        lambda: journal.acquire(ONE, "you", LONG),
        lambda: journal.post(ONE, Message(kind="cancel", sender="ada")),
        lambda: journal.delete(ONE),
    ):
        with pytest.raises(RunNotFound) as caught:
            question()
        three_lines(caught.value)


@pytest.mark.parametrize("gone", [ONE, TWO, THREE])
def test_the_runs_beside_it_keep_all_that_they_have(gone: RunId, journal, created, call) -> None:
    for run in (ONE, TWO, THREE):
        writer = journal.create(created(run), "me", LONG)
        writer.append([call(f"{run}{number}") for number in range(300)])
        journal.post(run, Message(kind="cancel", sender=run))
        writer.release()
    left = [run for run in (ONE, TWO, THREE) if run != gone]
    before = {run: list(journal.read(run)) for run in left}

    journal.delete(gone)

    assert {run: list(journal.read(run)) for run in left} == before
    for run in left:
        [(_, message)] = journal.acquire(run, "you", LONG).inbox(0)
        assert message.sender == run


def test_what_a_deleted_run_held_is_not_left_in_the_file(journal, file, created, outcome) -> None:
    writer = journal.create(created(ONE), "me", LONG)
    writer.append([outcome(data=b"a secret by mistake" * 500)])
    writer.release()

    journal.delete(ONE)
    journal.close()

    assert b"a secret by mistake" not in file.read_bytes()
    assert [each.name for each in file.parent.glob("journal.db*")] == ["journal.db"]


def test_a_run_is_not_deleted_while_its_driver_lives(journal, created, call, three_lines) -> None:
    writer = journal.create(created(ONE), "somebody", LONG)

    with pytest.raises(RunBusy, match="somebody") as caught:
        journal.delete(ONE)
    three_lines(caught.value)

    assert writer.append([call("a")]) == 2
    writer.release()
    journal.delete(ONE)
    assert journal.runs() == ()


def test_a_run_whose_lease_ran_out_can_be_deleted(journal, created) -> None:
    journal.create(created(ONE), "somebody", -1.0)

    journal.delete(ONE)

    assert journal.runs() == ()


def test_L9_a_run_whose_driver_was_killed_can_be_deleted_at_once(
    journal: SqliteJournal, file: Path, other_process: Callable[..., object]
) -> None:
    driver = other_process(DRIVER, file)
    assert driver.stdout.readline() == "ready\n"
    with pytest.raises(RunBusy):
        journal.delete(ONE)

    driver.send_signal(signal.SIGKILL)
    driver.communicate()

    journal.delete(ONE)
    assert journal.runs() == ()


def test_L4_a_zombie_of_the_newest_run_that_was_deleted_writes_to_no_later_run(
    journal, created, call
) -> None:
    zombie = journal.create(created(ONE), "zombie", -1.0)
    journal.delete(ONE)
    new = journal.create(created(TWO), "new", LONG)
    journal.post(TWO, Message(kind="cancel", sender="ada"))
    before = journal.summary(TWO)

    for _ in range(2):
        with pytest.raises(LeaseLost):
            zombie.append([call("from the grave")])
        with pytest.raises(LeaseLost):
            zombie.renew()
    zombie.release()

    assert zombie.inbox(0) == []
    assert journal.summary(TWO) == before
    assert new.append([call("a")]) == 2
    assert list(journal.read(TWO)) == [(1, created(TWO)), (2, call("a"))]


@pytest.mark.parametrize("order", [(ONE, TWO, THREE), (THREE, TWO, ONE), (TWO, THREE, ONE)])
def test_L4_zombies_stay_out_when_every_run_was_deleted_in_whatever_order(
    order: tuple[RunId, ...], journal, file, created, call
) -> None:
    zombies = [journal.create(created(run), "zombie", -1.0) for run in (ONE, TWO, THREE)]
    for run in order:
        journal.delete(run)
    other = SqliteJournal(file)  # what numbers are spent is known to every process
    for name in ("four", "five", "six"):
        other.create(created(name), "new", LONG)

    for zombie in zombies:
        with pytest.raises(LeaseLost):
            zombie.append([call("from the grave")])

    assert [summary.events for summary in other.runs()] == [1, 1, 1]
    other.close()


def test_whoever_reads_a_run_while_it_is_deleted_never_reads_another(
    journal, file, created, call
) -> None:
    writer = journal.create(created(ONE), "me", LONG)
    for number in range(250):
        writer.append([call(f"one{number}")])
    writer.release()
    reading = journal.read(ONE)
    seen = [next(reading)]

    journal.delete(ONE)
    later = journal.create(created(TWO), "me", LONG)
    for number in range(250):
        later.append([call(f"two{number}")])

    with pytest.raises(RunNotFound):
        seen.extend(reading)
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    assert not any("two" in str(event) for _, event in seen)


def test_a_damaged_run_can_be_deleted(journal, file, created, call) -> None:
    writer = journal.create(created(ONE), "me", LONG)
    writer.append([call("a")])
    writer.release()
    with journal._file.transaction() as db:
        db.execute("UPDATE segments SET text = 'nonsense'")
    with pytest.raises(JournalError):
        list(journal.read(ONE))

    journal.delete(ONE)

    assert journal.runs() == ()


def test_deleting_makes_no_file(journal, file) -> None:
    with pytest.raises(RunNotFound):
        journal.delete(ONE)

    assert not file.exists()


def test_all_runs_are_listed_if_no_limit_is_set(journal, created) -> None:
    for number in range(60):
        journal.create(created(f"run{number}"), "me", LONG)

    assert len(journal.runs()) == 50
    assert len(journal.runs(None)) == 60
