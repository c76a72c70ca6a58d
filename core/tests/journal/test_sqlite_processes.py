"""Several processes at one journal file, and processes that are killed while they write."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import RunBusy
from anabranch.journal.fold import fold
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

Start = Callable[..., "subprocess.Popen[str]"]

WRITER = """
import sys
from pathlib import Path
from anabranch.journal.events import InvocationCreated, RunCreated
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import InvocationId, RunId

path, name, count, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = SqliteJournal(path)
created = RunCreated(at=1.0, run=RunId(name), pipeline="p", entry={}, stack="local", version="0")
writer = journal.create(created, f"holder of {name}", 0.05)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    events = [
        InvocationCreated(at=1.0, invocation=InvocationId(f"{number}.{i}"), step="s", display="s")
        for i in range(size)
    ]
    writer.append(events)
    print(number, flush=True)
"""


def go(process: "subprocess.Popen[str]") -> None:
    """Waits until a process is ready, and lets it begin."""
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    process.stdin.write("\n")
    process.stdin.flush()


def test_processes_that_write_different_runs_into_one_new_file_lose_nothing(
    file: Path, other_process: Start
) -> None:
    names = [f"run{number}" for number in range(4)]
    processes = [other_process(WRITER, file, name, 40, 3) for name in names]
    for process in processes:
        go(process)
    results = [process.communicate(timeout=60) for process in processes]
    journal = SqliteJournal(file)

    assert [process.returncode for process in processes] == [0] * 4, results
    for name in names:
        found = list(journal.read(RunId(name)))
        assert [number for number, _ in found] == list(range(1, 122))
        assert len(fold(found).invocations) == 120
    journal.close()


@pytest.mark.parametrize("seed", range(8))
def test_every_append_that_returned_is_there_after_kill_9(
    seed: int, file: Path, other_process: Start, call
) -> None:
    """And nothing of an append is there without the rest of it; then the next driver goes on."""
    chance, size = random.Random(seed), 1 + seed % 4
    process = other_process(WRITER, file, "run", 100_000, size)
    go(process)
    assert process.stdout is not None
    told = -1
    for _ in range(chance.randrange(1, 60)):
        told = int(process.stdout.readline())
    time.sleep(chance.random() * 0.003)
    process.send_signal(signal.SIGKILL)
    for line in process.stdout:
        told = int(line) if line.endswith("\n") else told
    process.communicate(timeout=60)
    journal = SqliteJournal(file)

    found = list(journal.read(RunId("run")))
    whole, torn = divmod(len(found) - 1, size)
    assert torn == 0
    assert told + 1 <= whole <= told + 2
    assert list(fold(found).invocations) == [f"{n}.{i}" for n in range(whole) for i in range(size)]

    writer = _acquired(journal, RunId("run"))
    assert writer.append([call("later")]) == len(found) + 1
    journal.close()


def _acquired(journal: SqliteJournal, run: RunId):
    """The run's lease, once the 0.05 s of the one before are over."""
    while True:
        try:
            return journal.acquire(run, "the next", 60.0)
        except RunBusy:
            time.sleep(0.01)


def test_L9_a_run_whose_driver_was_killed_is_lost(file: Path, other_process: Start) -> None:
    process = other_process(WRITER, file, "run", 100_000, 1)
    go(process)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    journal = SqliteJournal(file)
    lease = journal.summary(RunId("run")).lease
    assert lease is not None

    while time.time() <= lease.until:
        time.sleep(0.01)

    assert journal.summary(RunId("run")).status == "lost"
    assert lease.holder == "holder of run"
    journal.close()


def test_a_reader_sees_a_growing_run_whole_at_every_moment_while_another_process_writes(
    file: Path, other_process: Start
) -> None:
    size, count = 3, 150
    process = other_process(WRITER, file, "run", count, size)
    go(process)
    journal, lengths, told = SqliteJournal(file), [], -1
    assert process.stdout is not None
    for line in process.stdout:
        told = int(line)
        if told % 10 == 0:
            found = list(journal.read(RunId("run")))
            assert [number for number, _ in found] == list(range(1, len(found) + 1))
            assert (len(found) - 1) % size == 0
            assert len(found) - 1 >= (told + 1) * size
            lengths.append(len(found))
    process.communicate(timeout=60)

    assert told == count - 1
    assert lengths == sorted(lengths)
    assert journal.summary(RunId("run")).events == 1 + count * size
    journal.close()


OPENER = """
import sys
from pathlib import Path
from anabranch.journal.events import RunCreated
from anabranch.journal.sqlite import SqliteJournal
from anabranch.model.ids import RunId

journal = SqliteJournal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
created = RunCreated(at=1.0, run=RunId(sys.argv[2]), pipeline="p", entry={}, stack="s", version="0")
journal.create(created, "me", 60.0)
print(len(journal.runs()))
"""


def test_processes_that_make_the_file_at_the_same_moment_do_not_disturb_one_another(
    file: Path, other_process: Start
) -> None:
    processes = [other_process(OPENER, file, f"run{number}") for number in range(8)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 8, results
    journal = SqliteJournal(file)
    assert {found.run for found in journal.runs()} == {f"run{number}" for number in range(8)}
    journal.close()
