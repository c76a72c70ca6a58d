"""An artifact store in a local folder: one file for each digest.

A file is written under `.partial` and renamed into place, so that a digest is absent or whole
however the writer dies, and so that any number of threads and processes may put the same digest at
once. What a killed writer leaves in `.partial` nobody sees; it is removed by a later store when it
is a day old.

The time of a file says when its digest was last put, also if it was there already. So what a `put` has just found is
young, and a `delete` of what is old passes it over. Both hold a lock on `.lock`, shared and alone, while they look at
the time and act on it; a process that is killed gives its lock back. A file that is not there yet needs no lock: it is
young from the moment it can be seen.

`is_synced` also waits for the disk. Without it a power failure, though no crash of a process, may
lose or truncate what was put in the last seconds.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from anabranch.artifacts.interface import Buffer, Payload, Source, Stored
from anabranch.errors import ArtifactMissing, ArtifactUnwritable, StackError

_PARTIAL = ".partial"
_LOCK = ".lock"
_FOLDER, _FILE = re.compile("[0-9a-f]{2}"), re.compile("[0-9a-f]{62}")
_STALE_SECONDS = 24 * 3600
_AT_ONCE = 2**18
_LONGEST_WRITE = 2**30


@dataclass(frozen=True, slots=True)
class FileSource:
    """A source over one file, opened for each read."""

    file: str
    size: int

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        stop = self.size if end is None else min(end, self.size)
        try:
            with open(self.file, "rb", buffering=0) as opened:
                opened.seek(start)
                return _read_fully(opened, max(0, stop - start))
        except FileNotFoundError:
            raise _missing(self.file) from None

    def path(self) -> Path | None:
        return Path(self.file)


class LocalStore:
    """Artifacts below `root`, as `root/ab/cdef…`. Nothing is touched before the first put."""

    def __init__(self, root: Path, *, is_synced: bool = False) -> None:
        self.root = root
        self._root = os.path.abspath(root)
        self._is_synced = is_synced
        self._is_swept = False

    def put(self, digest: str, payload: Payload) -> None:
        """Raises `ArtifactUnwritable` if the folder cannot take it: disk full, read-only, no permission."""
        target = self._file(digest)
        try:
            if not os.path.exists(target) or not self._refreshed(target):
                self._put(target, payload)
        except OSError as error:
            raise ArtifactUnwritable(
                f"the local artifact store cannot be written: {error.strerror or error}",
                f"{payload.size} bytes for {target}",
                "make room or give this process the right to write there, then resume the run",
            ) from error

    def open(self, digest: str) -> Source:
        target = self._file(digest)
        try:
            return FileSource(target, os.stat(target).st_size)
        except FileNotFoundError:
            raise _missing(target) from None

    def contains(self, digest: str) -> bool:
        return os.path.exists(self._file(digest))

    def stored(self) -> Iterator[Stored]:
        for folder in _entries(self._root, _FOLDER):
            for file in _entries(folder.path, _FILE):
                with suppress(FileNotFoundError):  # another process has deleted it
                    found = file.stat()
                    yield Stored(folder.name + file.name, found.st_size, found.st_mtime)

    def delete(self, digest: str, before: float) -> bool:
        """Raises `StackError` if the folder does not let it go."""
        target = self._file(digest)
        try:
            with self._locked(fcntl.LOCK_EX):
                if os.stat(target).st_mtime >= before:
                    return False
                os.unlink(target)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StackError(
                f"an artifact cannot be removed: {error.strerror or error}",
                target,
                "give this process the right to write there, then try again",
            ) from error
        return True

    def close(self) -> None:
        """Nothing stays open."""

    def _file(self, digest: str) -> str:
        return f"{self._root}/{digest[:2]}/{digest[2:]}"

    def _refreshed(self, target: str) -> bool:
        """Whether it is there and young now; false if it is to be written anew: it is gone, or somebody else's."""
        try:
            with self._locked(fcntl.LOCK_SH):
                os.utime(target)
        except (FileNotFoundError, PermissionError):
            return False
        return True

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Raises `FileNotFoundError` if there is no folder at all."""
        file = os.open(f"{self._root}/{_LOCK}", os.O_RDONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, kind)
            yield
        finally:
            os.close(file)  # which gives the lock back

    def _put(self, target: str, payload: Payload) -> None:
        self._sweep()
        partial = f"{self._root}/{_PARTIAL}/{os.urandom(12).hex()}"
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        try:
            try:
                for chunk in _gathered(payload.chunks()):
                    _write_fully(file, chunk)
                if self._is_synced:
                    os.fsync(file)
            finally:
                os.close(file)
            self._move(partial, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial)
            raise

    def _move(self, partial: str, target: str) -> None:
        folder = os.path.dirname(target)
        try:
            os.replace(partial, target)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            os.replace(partial, target)
        if self._is_synced:
            _sync_folder(folder)

    def _sweep(self) -> None:
        """Once in a store's life: make the folder for partial files, remove very old ones."""
        if self._is_swept:
            return
        folder = f"{self._root}/{_PARTIAL}"
        os.makedirs(folder, exist_ok=True)
        oldest = time.time() - _STALE_SECONDS
        with os.scandir(folder) as found:
            for file in found:
                with suppress(FileNotFoundError):  # another process was faster
                    if file.stat().st_mtime < oldest:
                        os.unlink(file.path)
        self._is_swept = True


_BINARY = getattr(os, "O_BINARY", 0)


def _entries(folder: str, name: re.Pattern[str]) -> Iterator["os.DirEntry[str]"]:
    """What is in a folder under such a name: not what others have put there. None if there is no folder."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        yield from (each for each in found if name.fullmatch(each.name))


def _gathered(chunks: Iterable[Buffer]) -> Iterator[Buffer]:
    """The same bytes, small neighbours in one piece: a system call costs more than a copy."""
    small: list[Buffer] = []
    held = 0
    for chunk in chunks:
        size = memoryview(chunk).nbytes
        if size >= _AT_ONCE:
            yield b"".join(small)
            yield chunk
            small, held = [], 0
            continue
        small.append(chunk)
        held += size
        if held >= _AT_ONCE:
            yield b"".join(small)
            small, held = [], 0
    yield b"".join(small)


def _read_fully(file: FileIO, size: int) -> bytes:
    """`size` bytes from here, or as many as there are. One system call gives at most 2 GiB."""
    data = file.read(size)
    if len(data) == size or not data:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and (data := file.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def _write_fully(file: int, chunk: Buffer) -> None:
    rest = memoryview(chunk).cast("B")
    while rest:
        rest = rest[os.write(file, rest[:_LONGEST_WRITE]) :]


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _missing(file: str) -> ArtifactMissing:
    return ArtifactMissing(
        "the artifact store no longer has the bytes of an artifact",
        file,
        "run the step that made it again: anabranch rerun RUN --from STEP",
    )
