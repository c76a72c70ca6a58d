"""What a local store removes, and what it keeps: whoever has just put something finds it there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import anabranch
from anabranch.artifacts import Buffers, LocalStore, Stored, digest_of
from anabranch.errors import ArtifactMissing, StackError

HOUR = 3600.0

PUTTER = """
import os, sys
from pathlib import Path
from anabranch.artifacts import Buffers, LocalStore, digest_of

store = LocalStore(Path(sys.argv[1]))
payload = Buffers((b"x" * 100 + sys.argv[2].encode(),))
digest = digest_of(payload)
file = Path(sys.argv[1]) / digest[:2] / digest[2:]
for _ in range(2000):
    store.put(digest, payload)
    assert store.open(digest).read() == payload.parts[0]
    os.utime(file, (0, 0))  # time passes
print("done")
"""

DELETER = """
import sys
from pathlib import Path
from anabranch.artifacts import LocalStore

store = LocalStore(Path(sys.argv[1]))
print("ready", flush=True)
deleted = 0
while not Path(sys.argv[2]).exists():
    deleted += sum(store.delete(each.digest, 1000.0) for each in list(store.stored()))
print(deleted)
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def keep(store: LocalStore, data: bytes, at: float) -> str:
    """Put some bytes; `at` is when."""
    payload = Buffers((data,))
    digest = digest_of(payload)
    store.put(digest, payload)
    os.utime(store.open(digest).path(), (at, at))
    return digest


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(anabranch.__file__).parents[1])},
    )


def test_a_store_that_was_never_used_has_nothing_and_stays_untouched(store):
    assert list(store.stored()) == []
    assert not store.delete("ab" * 32, HOUR)
    assert not store.root.exists()


def test_everything_is_listed_with_its_size_and_when_it_was_put(store):
    one, two = keep(store, b"one", 1000.0), keep(store, b"second", 2000.5)

    assert sorted(store.stored(), key=lambda each: each.at) == [
        Stored(one, 3, 1000.0),
        Stored(two, 6, 2000.5),
    ]


def test_what_others_have_put_into_the_folder_is_no_artifact(store):
    digest = keep(store, b"one", 1000.0)
    (store.root / "README").write_text("mine")
    (store.root / "ab").mkdir(exist_ok=True)
    (store.root / "ab" / "notes.txt").write_text("mine")
    (store.root / "cd").write_text("mine")

    assert [each.digest for each in store.stored()] == [digest]


def test_what_is_old_is_removed_and_what_is_not_stays(store):
    old, young = keep(store, b"old", 1000.0), keep(store, b"young", 2000.0)

    assert store.delete(old, before=2000.0)
    assert not store.delete(young, before=2000.0)

    assert [each.digest for each in store.stored()] == [young]
    with pytest.raises(ArtifactMissing):
        store.open(old)
    assert not store.delete(old, before=2000.0)


def test_what_is_put_again_is_young_again(store):
    digest = keep(store, b"old", 1000.0)

    store.put(digest, Buffers((b"old",)))

    assert not store.delete(digest, before=2000.0)
    assert store.contains(digest)


def test_what_was_removed_can_be_put_again(store):
    digest = keep(store, b"old", 1000.0)
    store.delete(digest, before=2000.0)

    store.put(digest, Buffers((b"old",)))

    assert store.open(digest).read() == b"old"


def test_a_folder_that_does_not_let_go_is_told_in_three_lines(store, monkeypatch):
    def refused(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    digest = keep(store, b"old", 1000.0)
    monkeypatch.setattr(os, "unlink", refused)

    with pytest.raises(StackError, match="cannot be removed") as caught:
        store.delete(digest, before=2000.0)
    assert len(str(caught.value).splitlines()) == 3
    assert store.contains(digest)


def test_what_somebody_else_owns_is_written_anew_so_that_it_is_young(store, monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    digest = keep(store, b"old", 1000.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", refused)
        store.put(digest, Buffers((b"old",)))

    assert not store.delete(digest, before=2000.0)
    assert store.open(digest).read() == b"old"


def test_whoever_has_just_put_an_artifact_finds_it_while_others_delete_old_ones(tmp_path):
    """Thousands of chances for a `delete` to take away what a `put` has found there a moment ago."""
    stop = tmp_path / "stop"
    deleters = [start(DELETER, tmp_path / "store", stop) for _ in range(2)]
    assert [deleter.stdout.readline() for deleter in deleters] == ["ready\n"] * 2
    putters = [start(PUTTER, tmp_path / "store", number) for number in range(2)]

    told = [putter.communicate()[0] for putter in putters]
    stop.touch()

    assert told == ["done\n"] * 2
    assert sum(int(deleter.communicate()[0]) for deleter in deleters) > 0
