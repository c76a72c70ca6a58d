"""The journal in a SQLite file: whole appends, one writer, and what the lease says of a run."""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import JournalError, JournalVersion, LeaseLost, RunBusy, RunNotFound
from anabranch.journal.events import (
    DriverEnded,
    InvocationCreated,
    LogWritten,
    OutcomeRecorded,
    RunCreated,
    RunEnded,
)
from anabranch.journal.interface import Journal, Message
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

LONG = 60.0
PAST = -1.0
"""A lease that has run out when it is given."""


def everything(journal: Journal, run: RunId) -> list[tuple[int, object]]:
    return list(journal.read(run))


# --- appending ---------------------------------------------------------------------------------------------------


def test_events_get_the_numbers_from_1_without_a_gap(journal, created, life, call) -> None:
    first = created()
    writer = journal.create(first, "me", LONG)

    assert writer.append([life(), call("a")]) == 2
    assert writer.append([call("b")]) == 4
    assert everything(journal, first.run) == [
        (1, first),
        (2, life()),
        (3, call("a")),
        (4, call("b")),
    ]


@given(st.lists(st.integers(0, 600), max_size=6))
def test_batches_of_any_size_are_read_from_any_event_on(
    tmp_path_factory: pytest.TempPathFactory, created, call, sizes: list[int]
) -> None:
    journal = SqliteJournal(tmp_path_factory.mktemp("j") / "j.db")
    writer = journal.create(created(), "me", LONG)
    written = [created()]
    for size in sizes:
        batch = [call(str(len(written) + i)) for i in range(size)]
        assert writer.append(batch) == len(written) + 1
        written += batch
    numbered = list(enumerate(written, 1))

    for after in {0, 1, len(written) // 2, len(written) - 1, len(written)}:
        assert list(journal.read(created().run, after)) == numbered[after:]
    journal.close()


def test_an_append_that_fails_writes_nothing_of_it_and_may_be_repeated(
    journal, created, call
) -> None:
    writer = journal.create(created(), "me", LONG)
    unwritable = LogWritten(at=0.0, invocation={1, 2}, attempt=1)  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        writer.append([call("a"), unwritable])

    assert [number for number, _ in journal.read(created().run)] == [1]
    assert writer.append([call("b")]) == 2


def test_an_append_that_the_file_refuses_in_the_middle_is_undone(
    journal, file, created, call, three_lines
) -> None:
    writer = journal.create(created(), "me", LONG)
    with sqlite3.connect(file) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON segments WHEN NEW.count < 200"
            " BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    other.close()
    batch = [
        call(str(number)) for number in range(300)
    ]  # two segments, of which the second is refused

    with pytest.raises(JournalError, match="full") as caught:
        writer.append(batch)
    three_lines(caught.value)
    assert "free some space" in str(caught.value)
    assert [number for number, _ in journal.read(created().run)] == [1]

    with sqlite3.connect(file) as other:
        other.execute("DROP TRIGGER refuse")
    other.close()
    assert writer.append(batch) == 2
    assert len(everything(journal, created().run)) == 301


def test_the_data_of_an_event_is_read_by_its_number(journal, created, call, outcome) -> None:
    writer = journal.create(created(), "me", LONG)
    number = writer.append(
        [call("a"), outcome("a", data=b"one"), call("b"), outcome("b", data=b"")]
    )

    assert journal.data(created().run, number + 1) == b"one"
    assert journal.data(created().run, number + 3) == b""


@pytest.mark.parametrize("number", [0, 4, 10**9])
def test_the_data_of_an_event_that_is_not_there_is_an_error(
    number: int, journal, created, life, call
) -> None:
    journal.create(created(), "me", LONG).append([life(), call("a")])

    with pytest.raises(JournalError):
        journal.data(created().run, number)


def test_two_runs_in_one_file_keep_apart(journal, created, call) -> None:
    one = journal.create(created("one"), "me", LONG)
    two = journal.create(created("two"), "you", LONG)
    for number in range(5):
        assert one.append([call(f"one{number}")]) == two.append([call(f"two{number}")])

    for run in (RunId("one"), RunId("two")):
        names = [e.invocation for _, e in journal.read(run) if isinstance(e, InvocationCreated)]
        assert names == [f"{run}{number}" for number in range(5)]


def test_two_threads_that_write_two_runs_lose_nothing(file, created, call) -> None:
    journal = SqliteJournal(file)

    def write(name: str) -> None:
        writer = journal.create(created(name), name, LONG)
        for number in range(100):
            writer.append([call(f"{name}{number}")])

    threads = [threading.Thread(target=write, args=(name,)) for name in ("x", "y", "z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(everything(journal, RunId(name))) for name in ("x", "y", "z")] == [101] * 3
    journal.close()


def test_a_run_with_an_id_that_exists_is_not_begun_again(journal, created, call) -> None:
    journal.create(created(), "me", LONG).append([call("a")])

    with pytest.raises(JournalError):
        journal.create(created(), "you", LONG)
    assert len(everything(journal, created().run)) == 2


def test_what_is_written_is_there_for_another_journal_on_the_file(
    journal, file, created, call
) -> None:
    journal.create(created(), "me", LONG).append([call("a")])
    other = SqliteJournal(file)

    assert everything(other, created().run) == everything(journal, created().run)
    other.close()


def test_a_reader_goes_on_while_events_are_added(journal, file, created, call) -> None:
    writer = journal.create(created(), "me", LONG)
    writer.append([call(str(number)) for number in range(500)])
    reader = iter(journal.read(created().run))
    seen = [next(reader)[0] for _ in range(10)]
    writer.append([call("late")])

    assert seen + [number for number, _ in reader] == list(range(1, 502))


def test_kinds_that_nobody_asked_for_are_passed_over_but_keep_their_numbers(
    journal, created, call, outcome
) -> None:
    writer = journal.create(created(), "me", LONG)
    log = LogWritten(at=0.0, invocation=call("a").invocation, attempt=1, data=b"hello")
    writer.append([call("a"), log, outcome("a")])

    found = list(journal.read(created().run, without=(LogWritten,)))

    assert [number for number, _ in found] == [1, 2, 4]


# --- the right to write ------------------------------------------------------------------------------------------


def test_L4_a_second_driver_is_refused_while_the_first_ones_lease_lasts_and_told_who_it_is(
    journal, created, three_lines
) -> None:
    journal.create(created(), "alpha:17", LONG)

    with pytest.raises(RunBusy, match="alpha:17") as caught:
        journal.acquire(created().run, "beta:18", LONG)
    three_lines(caught.value)


def test_L4_a_driver_whose_run_was_taken_over_can_write_nothing_more(
    journal, created, call, three_lines
) -> None:
    old = journal.create(created(), "alpha:17", PAST)
    new = journal.acquire(created().run, "beta:18", LONG)

    with pytest.raises(LeaseLost) as caught:
        old.append([call("zombie")])
    three_lines(caught.value)
    with pytest.raises(LeaseLost):
        old.renew()

    assert new.epoch > old.epoch
    assert new.append([call("a")]) == 2
    assert [e for _, e in journal.read(created().run)] == [created(), call("a")]


def test_L4_a_zombie_stays_out_after_its_successor_has_left(journal, created, call) -> None:
    old = journal.create(created(), "alpha:17", PAST)
    new = journal.acquire(created().run, "beta:18", LONG)
    new.release()

    with pytest.raises(LeaseLost):
        old.append([call("zombie")])
    with pytest.raises(LeaseLost):
        old.renew()


def test_L4_what_a_zombie_releases_is_not_its_successors_lease(journal, created, call) -> None:
    old = journal.create(created(), "alpha:17", PAST)
    new = journal.acquire(created().run, "beta:18", LONG)
    old.release()

    with pytest.raises(RunBusy, match="beta:18"):
        journal.acquire(created().run, "gamma:19", LONG)
    assert new.append([call("a")]) == 2


def test_L4_of_many_drivers_that_want_a_run_at_once_exactly_one_gets_it(file, created) -> None:
    SqliteJournal(file).create(created(), "dead", PAST)
    ready, taken = threading.Barrier(8), []

    def want(number: int) -> None:
        mine = SqliteJournal(file)
        ready.wait()
        try:
            mine.acquire(created().run, f"driver {number}", LONG)
            taken.append(number)
        except RunBusy:
            pass
        finally:
            mine.close()

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1


def test_L4_the_epoch_grows_with_every_change_of_hands(journal, created) -> None:
    epochs = [journal.create(created(), "a", PAST).epoch]
    epochs += [journal.acquire(created().run, name, PAST).epoch for name in "bcb"]

    assert epochs == sorted(set(epochs))


def test_L9_a_lease_whose_holder_is_known_to_be_dead_can_be_had_at_once(journal, created) -> None:
    old = journal.create(created(), "dead", LONG)

    new = journal.acquire(created().run, "alive", LONG, dead_epoch=old.epoch)

    assert new.epoch > old.epoch


def test_L4_a_lease_that_somebody_has_taken_since_its_holder_was_found_dead_is_refused(
    journal, created
) -> None:
    old = journal.create(created(), "dead", LONG)
    journal.acquire(created().run, "faster", LONG, dead_epoch=old.epoch)

    with pytest.raises(RunBusy, match="faster"):
        journal.acquire(created().run, "slower", LONG, dead_epoch=old.epoch)


def test_a_lease_that_is_given_back_can_be_had_at_once(journal, created, call) -> None:
    journal.create(created(), "a", LONG).release()

    assert journal.acquire(created().run, "b", LONG).append([call("x")]) == 2


def test_a_lease_that_is_renewed_lasts_longer(journal, created) -> None:
    writer = journal.create(created(), "a", LONG)
    before = journal.summary(created().run).lease
    time.sleep(0.005)
    writer.renew()
    after = journal.summary(created().run).lease

    assert before is not None
    assert after is not None
    assert after.until > before.until
    assert (after.holder, after.epoch) == (before.holder, before.epoch)


def test_a_lease_that_ran_out_may_be_renewed_if_nobody_took_it(journal, created, call) -> None:
    writer = journal.create(created(), "a", PAST)

    writer.renew()

    assert writer.append([call("x")]) == 2


def test_a_run_that_does_not_exist_cannot_be_taken(journal, created, three_lines) -> None:
    journal.create(created(), "a", LONG)

    with pytest.raises(RunNotFound, match="nope") as caught:
        journal.acquire(RunId("nope"), "b", LONG)
    three_lines(caught.value)


# --- what is said of a run ---------------------------------------------------------------------------------------


def test_L9_a_run_is_running_while_its_lease_lasts_and_lost_once_it_ran_out(
    journal, created
) -> None:
    journal.create(created("alive"), "a", LONG)
    journal.create(created("gone"), "b", PAST)

    assert journal.summary(RunId("alive")).status == "running"
    assert journal.summary(RunId("gone")).status == "lost"


def test_L9_a_run_whose_driver_left_is_interrupted(journal, created) -> None:
    writer = journal.create(created(), "a", LONG)
    writer.append([DriverEnded(at=1.0, reason="stopped")])
    writer.release()

    assert journal.summary(created().run).status == "interrupted"
    assert journal.summary(created().run).lease is None


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "completed_with_failures"])
def test_L9_a_run_that_ended_keeps_its_status_whatever_becomes_of_the_lease(
    status, journal, created
) -> None:
    writer = journal.create(created(), "a", PAST)
    writer.append([RunEnded(at=7.0, status=status)])
    ended = journal.summary(created().run)
    writer.release()

    assert (ended.status, ended.ended, ended.events) == (status, 7.0, 2)
    assert journal.summary(created().run).status == status


def test_L9_a_run_that_is_taken_up_again_is_not_over_any_more(journal, created, life) -> None:
    writer = journal.create(created(), "a", LONG)
    writer.append([RunEnded(at=7.0, status="failed")])
    writer.release()
    journal.acquire(created().run, "b", LONG).append([life(2)])

    found = journal.summary(created().run)
    assert (found.status, found.ended) == ("running", None)


def test_runs_are_listed_newest_first(journal, created) -> None:
    for name in ("first", "second", "third"):
        journal.create(created(name), "me", LONG)

    assert [found.run for found in journal.runs()] == ["third", "second", "first"]
    assert [found.run for found in journal.runs(limit=2)] == ["third", "second"]


def test_a_run_is_found_by_the_beginning_of_its_id(journal, created, three_lines) -> None:
    for name in ("20260101-aa", "20260101-ab", "20270101-xx"):
        journal.create(created(name), "me", LONG)

    assert journal.find("2027") == "20270101-xx"
    assert journal.find("20260101-ab") == "20260101-ab"
    assert journal.find("latest") == "20270101-xx"
    for prefix in ("20260101", "9", "%", "2027_", "20270101-xxx"):
        with pytest.raises(RunNotFound) as caught:
            journal.find(prefix)
        three_lines(caught.value)


def test_a_whole_id_is_found_although_another_begins_with_it(journal, created) -> None:
    for name in ("run", "run-2"):
        journal.create(created(name), "me", LONG)

    assert journal.find("run") == "run"


def test_a_journal_that_was_never_written_has_no_runs_and_makes_no_file(journal, file) -> None:
    assert journal.runs() == ()
    assert not file.parent.exists()


def test_asking_for_a_run_in_a_project_without_runs_leaves_no_file_behind(journal, file) -> None:
    with pytest.raises(RunNotFound):
        journal.find("latest")

    assert not file.exists()


# --- what the machine refuses ------------------------------------------------------------------------------------


def _is_root() -> bool:
    return os.geteuid() == 0


def test_a_full_disk_is_told_with_what_to_do_and_nothing_recorded_is_lost(
    journal, created, call, three_lines
) -> None:
    writer = journal.create(created(), "me", LONG)
    writer.append([call("a")])
    pages = journal._file._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._file._connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(JournalError, match="full") as caught:  # noqa: PT012
        for number in range(1000):
            writer.append([call(f"{number:04}" * 100)])
    three_lines(caught.value)
    assert "free some space" in str(caught.value)

    journal._file._connection.execute("PRAGMA max_page_count = 1000000")
    count = len(everything(journal, created().run))
    assert writer.append([call("later")]) == count + 1


def test_a_file_that_is_read_only_is_told_with_what_to_do(
    file, created, call, three_lines, monkeypatch
) -> None:
    first = SqliteJournal(file)
    first.create(created(), "me", PAST)
    first.close()
    real = sqlite3.connect

    def read_only(path: Path, **options: object) -> sqlite3.Connection:
        db = real(f"file:{path}?mode=ro", uri=True, **options)  # type: ignore[call-overload]
        assert isinstance(db, sqlite3.Connection)
        return db

    monkeypatch.setattr(sqlite3, "connect", read_only)
    journal = SqliteJournal(file)

    with pytest.raises(JournalError, match="readonly") as caught:
        journal.acquire(created().run, "me", LONG)
    three_lines(caught.value)
    assert "writable" in str(caught.value)
    assert [e for _, e in journal.read(created().run)] == [created()]
    journal.close()


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(
    tmp_path, created, three_lines
) -> None:
    (tmp_path / "taken").write_text("a file")
    journal = SqliteJournal(tmp_path / "taken" / "journal.db")

    with pytest.raises(JournalError) as caught:
        journal.create(created(), "me", LONG)
    three_lines(caught.value)


def test_a_file_of_a_newer_format_is_refused_and_left_as_it_is(
    journal, file, created, three_lines
) -> None:
    journal.create(created(), "me", LONG)
    journal.close()
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 999")
    other.close()
    before = file.read_bytes()

    for act in _everything_that_opens(SqliteJournal(file), created):
        with pytest.raises(JournalVersion, match="999") as caught:
            act()
        three_lines(caught.value)
    assert file.read_bytes() == before


def test_a_database_that_is_not_a_journal_is_refused_and_left_as_it_is(
    file, created, three_lines
) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    before = file.read_bytes()
    journal = SqliteJournal(file)

    for act in _everything_that_opens(journal, created):
        with pytest.raises(JournalError) as caught:
            act()
        three_lines(caught.value)
    journal.close()
    assert file.read_bytes() == before


def _everything_that_opens(journal: SqliteJournal, created) -> list[Callable[[], object]]:
    return [
        lambda: journal.find("latest"),
        lambda: journal.runs(),  # noqa: PLW0108
        lambda: list(journal.read(created().run)),
        lambda: journal.acquire(created().run, "me", LONG),
        lambda: journal.create(created("new"), "me", LONG),
    ]


def test_a_journal_may_be_closed_twice_and_opens_again_when_it_is_used(
    journal, created, call
) -> None:
    writer = journal.create(created(), "me", LONG)
    journal.close()
    journal.close()

    assert writer.append([call("a")]) == 2


# --- its folder --------------------------------------------------------------------------------------------------


def test_git_passes_over_a_folder_that_was_made_for_runs(tmp_path: Path, created) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    SqliteJournal(tmp_path / ".anabranch" / "journal.db").create(created(), "me", LONG)

    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tmp_path, check=True, capture_output=True
    )
    assert status.stdout == b""


def test_a_folder_that_was_there_before_is_left_alone(tmp_path: Path, created) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    journal.create(created(), "me", LONG)
    journal.close()

    assert not (tmp_path / ".gitignore").exists()


def test_anybody_may_leave_a_message_for_the_driver_of_a_run(
    journal: SqliteJournal, file: Path, created: Callable[..., RunCreated]
) -> None:
    """It needs no lease, is read in order, and stays for a driver that comes later."""
    writer = journal.create(created(), "driver", 30.0)
    other = SqliteJournal(file)
    run = RunId("20260101-120000-aaaaa")

    first = other.post(run, Message(kind="answer", sender="ada", subject="w", data=b"true"))
    second = other.post(run, Message(kind="cancel", sender="bob"))

    assert [number for number, _ in writer.inbox(after=0)] == [first, second]
    assert writer.inbox(after=first) == [(second, Message(kind="cancel", sender="bob"))]
    writer.release()
    later = journal.acquire(run, "another driver", 30.0)
    assert later.inbox(after=0)[0][1].data == b"true"
    other.close()


def test_a_message_is_for_one_run(
    journal: SqliteJournal, created: Callable[..., RunCreated]
) -> None:
    """Another run's driver does not see it, and one to a run that is not there is refused."""
    journal.create(created("20260101-120000-aaaaa"), "one", 30.0)
    other = journal.create(created("20260101-120000-bbbbb"), "two", 30.0)

    journal.post(RunId("20260101-120000-aaaaa"), Message(kind="cancel", sender="ada"))

    assert other.inbox(after=0) == []
    with pytest.raises(RunNotFound):
        journal.post(RunId("20260101-120000-ccccc"), Message(kind="cancel", sender="ada"))


OLDER = {
    1: "DROP TABLE messages; DROP TABLE kept; DROP TABLE claims; DROP TRIGGER run_deleted;",
    2: "DROP TABLE kept; DROP TABLE claims; DROP TRIGGER run_deleted;",
}


@pytest.mark.parametrize("version", OLDER)
def test_a_journal_of_an_older_format_opens_and_goes_on(
    version: int,
    journal: SqliteJournal,
    file: Path,
    created: Callable[..., RunCreated],
    call: Callable[..., InvocationCreated],
    outcome: Callable[..., OutcomeRecorded],
) -> None:
    """What it lacks is added; what it holds is as it was."""
    journal.create(created(), "driver", 30.0).release()
    journal.close()
    with sqlite3.connect(file) as old:
        old.executescript(f"{OLDER[version]} PRAGMA user_version = {version}")
    old.close()

    again = SqliteJournal(file)
    run = RunId("20260101-120000-aaaaa")
    writer = again.acquire(run, "driver", 30.0)

    assert again.post(run, Message(kind="cancel", sender="ada")) > 0
    assert len(writer.inbox(after=0)) == 1
    assert [type(event).__name__ for _, event in again.read(run)] == ["RunCreated"]
    writer.append([call("a"), outcome("a", cache="key")])
    assert again.kept("key") is not None
    again.close()
