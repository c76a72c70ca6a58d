import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import anabranch
from anabranch.artifacts import Buffers, LocalStore, digest_of
from anabranch.errors import ArtifactMissing, ArtifactUnwritable, NotSerializable

RACE = """
import hashlib, pathlib, random, sys
from anabranch.artifacts import Buffers, LocalStore, digest_of
from anabranch.errors import ArtifactMissing

store = LocalStore(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
payloads = [Buffers((b"%d" % number * 100_000, b"end")) for number in range(30)]
order = payloads * 2
random.Random(int(sys.argv[2])).shuffle(order)
for payload in order:
    digest = digest_of(payload)
    store.put(digest, payload)
    assert digest_of(Buffers((store.open(digest).read(),))) == digest
    other = digest_of(random.choice(payloads))
    try:
        found = store.open(other).read()
    except ArtifactMissing:
        continue
    assert hashlib.sha256(found).hexdigest() == other
print("done")
"""

ENDLESS = """
import pathlib, sys
from anabranch.artifacts import LocalStore

class Endless:
    size = 2**40
    def chunks(self):
        yield b"x" * 2**20
        print("writing", flush=True)
        sys.stdin.readline()

LocalStore(pathlib.Path(sys.argv[1])).put("ab" * 32, Endless())
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    home = str(Path(anabranch.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    )


def stored(root: Path) -> list[str]:
    return sorted(
        file.parent.name + file.name for file in root.glob("??/*") if file.parent.name != ".partial"
    )


def partial(root: Path) -> list[Path]:
    return list((root / ".partial").glob("*"))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_making_a_store_and_asking_it_touches_nothing(store):
    assert not store.contains("ab" * 32)
    with pytest.raises(ArtifactMissing):
        store.open("ab" * 32)
    assert not store.root.exists()


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_is_put_is_there_in_any_range(tmp_path, is_synced):
    store = LocalStore(tmp_path, is_synced=is_synced)
    payload = Buffers((b"0123", bytearray(b"45"), memoryview(b"6789")))
    digest = digest_of(payload)
    store.put(digest, payload)
    assert store.contains(digest)
    source = store.open(digest)
    assert source.size == 10
    assert source.read() == b"0123456789"
    assert source.read(3, 5) == b"34"
    assert source.read(8) == b"89"
    assert source.read(8, 100) == b"89"
    assert source.read(20, 30) == b""
    assert source.path().read_bytes() == b"0123456789"
    assert source.path() == tmp_path / digest[:2] / digest[2:]
    assert partial(tmp_path) == []


def test_an_empty_payload_is_kept(store):
    store.put("ab" * 32, Buffers(()))
    assert store.open("ab" * 32).read() == b""


def test_large_and_small_chunks_stay_in_order(store):
    chunks = [
        bytes([i % 251]) * size for i, size in enumerate([1, 300_000, 5, 5, 262_144, 0, 7] * 40)
    ]
    payload = Buffers(chunks)
    store.put(digest_of(payload), payload)
    assert store.open(digest_of(payload)).read() == b"".join(chunks)


def test_an_array_view_with_items_of_many_bytes_is_written_whole(store):
    view = memoryview(bytes(8 * 100_000)).cast("d")
    store.put("ab" * 32, Buffers((view,)))
    assert store.open("ab" * 32).size == 800_000


def test_a_second_put_reads_nothing_and_changes_nothing_but_the_age(store):
    class Unreadable:
        size = 3

        def chunks(self):
            raise AssertionError

    store.put("ab" * 32, Buffers((b"abc",)))
    file = store.open("ab" * 32).path()
    os.utime(file, (0, 0))
    before = file.stat()
    store.put("ab" * 32, Unreadable())
    assert (file.read_bytes(), file.stat().st_ino) == (b"abc", before.st_ino)
    assert file.stat().st_mtime > before.st_mtime


def test_a_missing_artifact_is_told_in_three_lines(store):
    store.put("ab" * 32, Buffers((b"abc",)))
    source = store.open("ab" * 32)
    source.path().unlink()
    with pytest.raises(ArtifactMissing) as caught:
        source.read()
    assert len(str(caught.value).splitlines()) == 3


def test_many_processes_and_readers_see_only_whole_artifacts(tmp_path):
    runners = [start(RACE, tmp_path, number) for number in range(8)]
    assert [runner.stdout.readline() for runner in runners] == ["ready\n"] * 8
    for runner in runners:
        runner.stdin.write("go\n")
        runner.stdin.flush()
    assert [runner.communicate()[0] for runner in runners] == ["done\n"] * 8
    assert [runner.returncode for runner in runners] == [0] * 8
    assert len(stored(tmp_path)) == 30
    assert partial(tmp_path) == []


def test_many_threads_put_at_once(store):
    payloads = [Buffers((b"%d" % number * 1000,)) for number in range(50)]

    def put_all() -> None:
        for payload in payloads:
            store.put(digest_of(payload), payload)

    threads = [threading.Thread(target=put_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(store.root)) == 50
    assert partial(store.root) == []


def test_a_killed_writer_leaves_nothing_that_can_be_seen(tmp_path):
    writer = start(ENDLESS, tmp_path)
    assert writer.stdout.readline() == "writing\n"
    assert len(partial(tmp_path)) == 1
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    store = LocalStore(tmp_path)
    assert not store.contains("ab" * 32)
    store.put("ab" * 32, Buffers((b"abc",)))
    assert store.open("ab" * 32).read() == b"abc"
    assert len(partial(tmp_path)) == 1  # it could belong to a writer that lives


def test_what_a_killed_writer_left_is_swept_when_it_is_old(tmp_path):
    LocalStore(tmp_path).put("ab" * 32, Buffers((b"abc",)))
    old, new = tmp_path / ".partial" / "old", tmp_path / ".partial" / "new"
    for file in (old, new):
        file.write_text("x")
    os.utime(old, (0, 0))
    LocalStore(tmp_path).put("cd" * 32, Buffers((b"abc",)))
    assert partial(tmp_path) == [new]


def test_a_full_disk_is_told_in_three_lines_and_leaves_nothing(store, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.put("cd" * 32, Buffers((b"abc",)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ArtifactUnwritable, match="No space left") as caught:
            store.put("ab" * 32, Buffers((b"abc",)))
    assert len(str(caught.value).splitlines()) == 3
    assert not store.contains("ab" * 32)
    assert partial(store.root) == []
    store.put("ab" * 32, Buffers((b"abc",)))


def test_a_folder_that_cannot_be_made_is_told_in_three_lines(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactUnwritable, match="cannot be written"):
        LocalStore(tmp_path / "file").put("ab" * 32, Buffers((b"abc",)))


def test_a_payload_that_fails_halfway_leaves_nothing(store):
    class Fails:
        size = 3

        def chunks(self):
            yield b"abc"
            raise NotSerializable("a file was written to while it was being stored")

    with pytest.raises(NotSerializable):
        store.put("ab" * 32, Fails())
    assert not store.contains("ab" * 32)
    assert partial(store.root) == []


def test_short_writes_of_the_system_are_continued(store, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:7]))
    store.put("ab" * 32, Buffers((b"0123456789" * 10,)))
    assert store.open("ab" * 32).read() == b"0123456789" * 10
