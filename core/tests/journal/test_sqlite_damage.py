"""A journal whose bytes were damaged gives an error that says so, or the state that was written; never another."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anabranch.errors import AnabranchError, JournalCorrupt, JournalError, RunNotFound
from anabranch.journal.events import Event, RunEnded
from anabranch.journal.fold import fold
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

LONG = 1e9
RUNS = [RunId(f"2026010{number}-120000-abcd{number}") for number in range(4)]
SEEDS = range(12)
TIMES = 5

Seen = dict[object, object]
"""What is said of each run, and of all: a value, or the error that was raised."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, created, life, call, outcome) -> Path:
    """A journal of four runs, written by turns; two are over. Its log is beside it, not moved into the file yet."""
    source = tmp_path_factory.mktemp("filled") / "journal.db"
    journal = SqliteJournal(source)
    writers = [journal.create(created(run), "host:1", LONG) for run in RUNS]
    made = random.Random(0)
    for number in range(12):
        for writer in writers:
            data = made.randbytes(made.choice([0, 60, 2000]))
            writer.append([call(str(number)), outcome(str(number), data=data)])
        if number == 6:
            journal._file._connection.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            )  # the rest stays in the log
    for writer in writers[::2]:
        writer.append([RunEnded(at=5.0, status="completed")])
        writer.release()
    copy = tmp_path_factory.mktemp("copy") / "journal.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{source}{suffix}", f"{copy}{suffix}")
    journal.close()
    return copy


@pytest.fixture(scope="module")
def settled(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, all in one file."""
    copy = tmp_path_factory.mktemp("settled") / "journal.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{filled}{suffix}", f"{copy}{suffix}")
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not Path(f"{copy}-wal").exists()
    return copy


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A copy of a journal after `change` has been at its file, or at its log."""

    def make(
        original: Path, change: Callable[[bytearray], bytearray | None], suffix: str = ""
    ) -> Path:
        copy = tmp_path / "journal.db"
        for name in ("", "-wal", "-shm"):
            Path(f"{copy}{name}").unlink(missing_ok=True)
            if Path(f"{original}{name}").exists():
                shutil.copy(f"{original}{name}", f"{copy}{name}")
        target = Path(f"{copy}{suffix}")
        content = bytearray(target.read_bytes())
        target.write_bytes(change(content) or content)
        return copy

    yield make  # noqa: PT022


def look(path: Path) -> Seen:
    """All that a journal tells."""
    journal = SqliteJournal(path)
    seen: Seen = {}

    def ask(key: object, question: Callable[[], object]) -> None:
        try:
            seen[key] = question()
        except AnabranchError as error:
            seen[key] = error

    for run in RUNS:
        ask(("state", run), lambda run=run: fold(journal.read(run)))
        ask(("summary", run), lambda run=run: journal.summary(run))
        ask(("data", run), lambda run=run: [journal.data(run, n) for n in range(1, 26)])
        ask(("find", run), lambda run=run: journal.find(run[:8]))
        ask(("lease", run), lambda run=run: _lease(journal, run))
    ask("runs", lambda: [found.run for found in journal.runs()])
    journal.close()
    return seen


def _lease(journal: SqliteJournal, run: RunId) -> object:
    lease = journal.summary(run).lease
    return None if lease is None else (lease.holder, lease.epoch, lease.until)


def check(found: Seen, right: Seen, three_lines: Callable[[BaseException], None]) -> int:
    """Every answer is right, or a clear journal error; returns how many were errors."""
    for key, answer in found.items():
        if isinstance(answer, Exception):
            assert isinstance(answer, JournalError), (key, answer)
            three_lines(answer)
        else:
            assert answer == right[key], key
    return sum(isinstance(answer, Exception) for answer in found.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bit_that_flips_anywhere_in_the_file_is_an_error_or_does_not_matter(
    seed: int, settled: Path, damaged, three_lines
) -> None:
    chance, right = random.Random(seed), look(settled)

    def flip(content: bytearray) -> None:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)

    for _ in range(TIMES):
        check(look(damaged(settled, flip)), right, three_lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_that_are_overwritten_anywhere_in_the_file_are_an_error_or_do_not_matter(
    seed: int, settled: Path, damaged, three_lines
) -> None:
    chance, right = random.Random(1000 + seed), look(settled)

    def overwrite(content: bytearray) -> None:
        length = chance.choice([2, 8, 100, 4096])
        start = chance.randrange(len(content))
        new = chance.choice([bytes(length), b"\xff" * length, chance.randbytes(length)])
        content[start : start + length] = new[: len(content) - start]

    for _ in range(TIMES):
        check(look(damaged(settled, overwrite)), right, three_lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_file_that_was_cut_off_is_an_error(
    seed: int, settled: Path, damaged, three_lines
) -> None:
    chance, right = random.Random(2000 + seed), look(settled)
    size = settled.stat().st_size

    def cut(content: bytearray) -> bytearray:
        anywhere, at_a_page = chance.randrange(100, size), chance.randrange(1, size // 4096) * 4096
        return content[: chance.choice([anywhere, at_a_page])]

    for _ in range(TIMES):
        assert check(look(damaged(settled, cut)), right, three_lines) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_log_that_was_cut_off_or_damaged_gives_a_state_that_once_was_or_an_error(
    seed: int, filled: Path, damaged, three_lines
) -> None:
    """The log's own checksums end it at the first bad frame: the last moments are lost, as by a power cut."""
    chance = random.Random(3000 + seed)

    def change(content: bytearray) -> bytearray | None:
        place = chance.randrange(len(content))
        if chance.random() < 0.5:
            return content[:place]
        content[place] ^= 1 << chance.randrange(8)
        return None

    states = {run: _history(damaged(filled, lambda _: None), run) for run in RUNS}

    for _ in range(TIMES):
        found = look(damaged(filled, change, "-wal"))
        for run in RUNS:
            state = found["state", run]
            if isinstance(state, Exception):
                assert isinstance(state, JournalError)
                three_lines(state)
            else:
                assert state in states[run]


def _history(path: Path, run: RunId) -> list[object]:
    """All states that a run has been in."""
    journal = SqliteJournal(path)
    events: list[tuple[int, Event]] = list(journal.read(run))
    journal.close()
    return [fold(events[:length]) for length in range(1, len(events) + 1)]


@pytest.mark.parametrize("content", [b"x" * 100, b"not a database at all " * 500, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    content: bytes, tmp_path: Path, created, three_lines
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    journal = SqliteJournal(path)

    for act in (
        lambda: journal.find("latest"),
        lambda: journal.create(created(), "me", LONG),
    ):
        with pytest.raises(JournalError) as caught:
            act()
        three_lines(caught.value)
    journal.close()
    assert path.read_bytes() == content


def _delete(path: Path, where: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        count = db.execute(f"DELETE FROM segments WHERE {where}").rowcount
        db.commit()
    return count


@pytest.mark.parametrize("place", [1, 2, 8, 12])
def test_a_row_of_events_that_is_gone_is_an_error_for_its_run_alone(
    place: int, settled: Path, damaged, three_lines
) -> None:
    path = damaged(settled, lambda _: None)
    assert _delete(path, f"place = (SELECT place FROM segments LIMIT 1 OFFSET {place})") == 1

    found, right = look(path), look(settled)

    with pytest.raises(JournalCorrupt, match="missing"):
        raise found["state", RUNS[0]]  # type: ignore[misc]
    assert check(found, right, three_lines) >= 1
    assert all(
        found[kind, run] == right[kind, run] for kind in ("state", "data") for run in RUNS[1:]
    )


@pytest.mark.parametrize("run", [0, 2])
def test_the_last_events_of_a_run_that_is_over_cannot_be_lost_unnoticed(
    run: int, settled: Path, damaged, three_lines
) -> None:
    path = damaged(settled, lambda _: None)
    low, high = (run + 1) << 32, (run + 2) << 32
    where = f"place = (SELECT max(place) FROM segments WHERE place BETWEEN {low} AND {high})"
    assert _delete(path, where) == 1

    found = look(path)

    assert isinstance(found["state", RUNS[run]], JournalCorrupt)
    assert isinstance(found["summary", RUNS[run]], JournalCorrupt)
    assert check(found, look(settled), three_lines) >= 2


@pytest.mark.parametrize(
    "change",
    [
        "status = 'failed'",
        "status = NULL",
        "ended = 1.0",
        "until = 0.0",
        "holder = 'somebody else'",
        "epoch = 1000",
        "run = '20260109-120000-zzzzz'",
        "head = 1",
    ],
)
def test_a_run_whose_row_was_changed_is_an_error_and_cannot_be_taken_over(
    change: str, settled: Path, damaged, three_lines
) -> None:
    path = damaged(settled, lambda _: None)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE runs SET {change} WHERE number = 1")
        db.commit()

    assert check(look(path), look(settled), three_lines) >= 4
    journal = SqliteJournal(path)
    with pytest.raises(JournalCorrupt):
        journal.acquire(RUNS[0], "me", LONG)
    journal.close()


def test_segments_that_changed_places_are_noticed(settled: Path, damaged, three_lines) -> None:
    path = damaged(settled, lambda _: None)
    with closing(sqlite3.connect(path)) as db:
        first, second = (1 << 32) + 2, (1 << 32) + 4
        for old, new in ((first, 1), (second, first), (1, second)):
            db.execute("UPDATE segments SET place = ? WHERE place = ?", (new, old))
        db.commit()

    assert isinstance(look(path)["state", RUNS[0]], JournalCorrupt)


def test_a_run_that_was_never_there_is_still_simply_not_found(settled: Path) -> None:
    journal = SqliteJournal(settled)

    with pytest.raises(RunNotFound):
        journal.summary(RunId("20990101-000000-xxxxx"))
    journal.close()
