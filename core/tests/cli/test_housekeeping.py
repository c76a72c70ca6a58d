"""`anabranch runs delete` and `gc`: what goes, what stays, and who is asked."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anabranch.artifacts import Buffers, LocalStore, digest_of
from anabranch.cli.exits import COMPLETED, MISTAKE, TROUBLE

DAY = 86_400.0
LARGE = f"label={'x' * 40_000}"  # too large for the journal


STOPPED = """
import time
from pathlib import Path

from anabranch import pipeline, step


@step
def fill(number: int) -> bytes:
    return bytes([number]) * 40_000


@step
def deliver(parts: list[bytes]) -> int:
    print("begun", flush=True)
    while not Path("go on").exists():
        time.sleep(0.02)
    return sum(map(len, parts))


@pipeline
def stopped() -> int:
    return deliver(fill.map([1, 2, 3]))
"""


@pytest.fixture
def driver(project: Path) -> Iterator["subprocess.Popen[str]"]:
    """A driver whose last step has begun, and ends once there is a file `go on`."""
    (project / "stopped.py").write_text(STOPPED)
    with subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "stopped.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        while "begun" not in started.stdout.readline():
            assert started.poll() is None
        yield started
        started.kill()


@pytest.fixture
def store(project: Path) -> LocalStore:
    return LocalStore(project / ".anabranch" / "artifacts")


def keep(store: LocalStore, data: bytes = b"nobody's", days: float = 2.0) -> str:
    """An artifact that no run refers to, so many days old."""
    payload = Buffers((data,))
    store.put(digest_of(payload), payload)
    at = time.time() - days * DAY
    os.utime(store.open(digest_of(payload)).path(), (at, at))
    return digest_of(payload)


def make_old(store: LocalStore) -> None:
    for each in store.stored():
        os.utime(store.open(each.digest).path(), (0, 0))


def names(type_here) -> list[str]:
    return [run["run"] for run in type_here("runs", "ls", "--json").json["runs"]]


# --- runs delete -----------------------------------------------------------------------------------------------


def test_a_run_is_deleted_after_a_yes(type_here, tell):
    tell(run="20261124-035512-aaaaaa").end()
    tell(run="20261124-035512-bbbbbb").end()

    done = type_here("runs", "delete", "20261124-035512-a", "--yes")

    assert done.code == COMPLETED
    assert done.out == "deleted 20261124-035512-aaaaaa  train_model\n"
    assert done.err == "their artifacts go with: anabranch gc\n"
    assert names(type_here) == ["20261124-035512-bbbbbb"]


def test_nothing_is_deleted_where_nobody_can_be_asked(type_here, tell, monkeypatch):
    tell().end()
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115

    done = type_here("runs", "delete", "latest")
    sys.stdin.close()

    assert done.code == MISTAKE
    assert done.err == (
        "1 run would be deleted for good, and nobody is there to be asked\n"
        "  in: anabranch runs delete\n"
        "  do: add --yes\n"
    )
    assert len(names(type_here)) == 1


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("YES", 0), ("n", 1), ("", 1), ("yeah", 1)])
def test_whoever_sits_at_a_terminal_is_asked(project, type_here, tell, answer, left):
    tell().end()
    theirs, ours = pty.openpty()
    os.write(theirs, f"{answer}\n".encode())

    done = subprocess.run(
        [sys.executable, "-m", "anabranch", "runs", "delete", "latest", "--json"],
        stdin=ours,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    os.close(ours)

    assert "20261124-035512-k7qf3  train_model  completed" in done.stderr
    assert "delete 1 run for good? [y/N]" in done.stderr
    assert ("deleted" in done.stdout) is True
    assert len(names(type_here)) == left


def test_a_run_that_is_driven_is_not_deleted(type_here, tell):
    story = tell()

    done = type_here("runs", "delete", "latest", "--yes")

    assert done.code == TROUBLE
    assert done.err.startswith(f"run {story.run} already has a driver: laptop:42\n")
    assert names(type_here) == [story.run]


def test_a_run_that_does_not_exist_keeps_the_others_from_being_deleted(type_here, tell):
    tell().end()

    done = type_here("runs", "delete", "latest", "20990101", "--yes")

    assert done.code == MISTAKE
    assert len(names(type_here)) == 1


def test_a_run_that_is_named_twice_is_deleted_once(type_here, tell):
    story = tell().end()

    done = type_here("runs", "delete", "latest", story.run, "--yes", "--json")

    assert done.json == {"deleted": [story.run]}


def test_old_runs_are_deleted_together_but_for_those_that_are_not_done(type_here, tell):
    past = time.time() - 40 * DAY
    old = tell(run="20260101-000000-aaaaaa", started=past).end("failed")
    left = tell(run="20260101-000000-bbbbbb", started=past).interrupt()
    driven = tell(run="20260101-000000-cccccc", started=past)
    new = tell(run="20260101-000000-dddddd", started=time.time()).end()
    long = tell(run="20260101-000000-eeeeee", started=past)
    long.tick(20 * DAY)
    long.end()

    done = type_here("runs", "delete", "--older-than", "30d", "--yes", "--json")

    assert sorted(done.json["deleted"]) == [old.run, left.run]
    assert sorted(names(type_here)) == [driven.run, new.run, long.run]


def test_no_run_that_is_old_enough_is_no_mistake(type_here, tell):
    tell(started=time.time()).end()

    done = type_here("runs", "delete", "--older-than", "1h")

    assert (done.code, done.out, done.err) == (COMPLETED, "", "nothing was deleted\n")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("latest", ""),
        ("latest", "--older-than", "1d"),
        ("--older-than", "3m"),
        ("--older-than", "soon"),
    ],
)
def test_what_is_to_be_deleted_is_said_in_one_way(type_here, tell, words):
    tell().end()

    done = type_here("runs", "delete", *words, "--yes")

    assert done.code == MISTAKE
    assert len(done.err.splitlines()) == 3
    assert len(names(type_here)) == 1


@pytest.mark.parametrize(
    ("age", "left"),
    [("3500000s", 0), ("59000min", 0), ("980h", 0), ("40.9d", 0), ("5w", 0), ("6w", 1), ("42d", 1)],
)
def test_an_age_has_a_unit(type_here, tell, age, left):
    tell(started=time.time() - 41 * DAY).end()

    assert type_here("runs", "delete", "--older-than", age, "--yes").code == COMPLETED
    assert len(names(type_here)) == left


# --- gc ----------------------------------------------------------------------------------------------------------


def test_gc_takes_what_no_run_has_and_leaves_what_one_has(anabranch, type_here, store):
    assert anabranch("run", "train.py:train", "-p", LARGE).code == COMPLETED
    make_old(store)
    kept = {each.digest for each in store.stored()}
    keep(store)

    done = type_here("gc")

    assert (done.code, done.out) == (COMPLETED, "1 artifact removed, 8 B\n")
    assert kept
    assert {each.digest for each in store.stored()} == kept


def test_what_only_a_deleted_run_had_goes(anabranch, type_here, store):
    anabranch("run", "train.py:train", "-p", LARGE)
    anabranch("run", "train.py:train")
    make_old(store)
    type_here("runs", "delete", "--older-than", "0s", "--yes")
    anabranch("run", "train.py:train")

    assert type_here("gc").out.startswith("1 artifact removed")
    assert list(store.stored()) == []


def test_a_run_that_failed_can_be_resumed_after_gc(anabranch, type_here, store):
    assert anabranch("run", "train.py:train", "-p", LARGE, BREAK="1").code == 1
    make_old(store)
    type_here("gc")

    done = anabranch("resume", "latest", "--json")

    assert done.json["status"] == "completed"
    assert done.json["reused"] == 5


def test_a_run_goes_on_while_gc_is_at_work(type_here, store, driver, project):
    make_old(store)
    keep(store)

    assert type_here("gc").out == "1 artifact removed, 8 B\n"
    assert type_here("runs", "delete", "latest", "--yes").code == TROUBLE
    (project / "go on").touch()
    driver.communicate(timeout=60)

    assert driver.returncode == COMPLETED
    assert type_here("runs", "show", "latest", "--json").json["status"] == "completed"


def test_a_run_whose_driver_was_killed_is_resumed_with_all_that_it_had(
    anabranch, type_here, store, driver, project
):
    driver.kill()
    driver.communicate()
    make_old(store)
    (project / "go on").touch()

    assert type_here("gc", "--older-than", "0s").out == "0 artifacts removed, 0 B\n"

    done = anabranch("resume", "latest", "--json")
    assert (done.json["status"], done.json["reused"]) == ("completed", 3)


def test_a_run_whose_driver_was_killed_is_deleted_at_once(type_here, store, driver):
    driver.kill()
    driver.communicate()
    make_old(store)

    assert type_here("runs", "delete", "latest", "--yes").code == COMPLETED
    assert type_here("gc", "--older-than", "1d").out.startswith("3 artifacts removed")


def test_a_full_store_is_not_emptied_for_a_journal_without_any_run_unless_asked(type_here, store):
    """They may not belong together."""
    digest = keep(store)

    done = type_here("gc")

    assert done.code == MISTAKE
    assert done.err.startswith("there is no run, so 1 artifact would go")
    assert len(done.err.splitlines()) == 3
    assert store.contains(digest)
    assert type_here("gc", "--older-than", "1d").out == "1 artifact removed, 8 B\n"


def test_a_rehearsal_removes_nothing(type_here, store, tell):
    tell().end()
    digest = keep(store)

    done = type_here("gc", "--dry-run")

    assert digest[:16] in done.out
    assert done.out.endswith("1 artifact would be removed, 8 B\n")
    assert store.contains(digest)


def test_what_is_younger_than_a_day_stays_unless_another_age_is_asked_for(type_here, store, tell):
    tell().end()
    digest = keep(store, days=0.5)

    assert type_here("gc").out == "0 artifacts removed, 0 B\n"
    assert store.contains(digest)
    assert type_here("gc", "--older-than", "10h").out == "1 artifact removed, 8 B\n"


def test_a_short_age_is_refused_while_a_driver_may_be_about_to_record(type_here, tell, store):
    digest = keep(store, days=0.5)
    story = tell()

    done = type_here("gc", "--older-than", "10h")

    assert done.code == TROUBLE
    assert done.err.startswith(f"run {story.run} is going on")
    assert len(done.err.splitlines()) == 3
    assert store.contains(digest)
    assert type_here("gc", "--older-than", "10h", "--dry-run").code == COMPLETED
    assert type_here("gc").code == COMPLETED


def test_gc_as_json(type_here, store, tell):
    tell().end()
    digest = keep(store)

    document = type_here("gc", "--json").json

    assert document == {
        "dry_run": False,
        "removed": 1,
        "size": 8,
        "artifacts": [{"digest": digest, "size": 8, "stored": document["artifacts"][0]["stored"]}],
    }


def test_gc_in_a_project_without_runs_makes_nothing(project, type_here):
    assert type_here("gc").out == "0 artifacts removed, 0 B\n"
    assert not (project / ".anabranch").exists()


def test_artifacts_of_another_stack_that_shares_the_store_stay(
    project, anabranch, type_here, store
):
    (project / "stacks").mkdir()
    (project / "stacks" / "other.toml").write_text('journal = "./other.db"\n')
    (project / "stacks" / "apart.toml").write_text('artifact_store = "./apart"\n')
    anabranch("run", "train.py:train", "-p", LARGE, "--stack", "other")
    make_old(store)

    assert type_here("gc").out == "0 artifacts removed, 0 B\n"
    assert type_here("gc", "--stack", "other").out == "0 artifacts removed, 0 B\n"
    assert len(list(store.stored())) == 1


def test_nothing_goes_while_a_stack_that_may_share_the_store_cannot_be_read(
    project, type_here, store
):
    (project / "stacks").mkdir()
    (project / "stacks" / "broken.toml").write_text("journal = \n")
    digest = keep(store)

    done = type_here("gc")

    assert done.code == MISTAKE
    assert done.err.startswith("stack 'broken' cannot be read")
    assert len(done.err.splitlines()) == 3
    assert store.contains(digest)
