"""A folder as a tar stream that depends on its content alone.

Entries are sorted by name and carry no owner, no time and no permission but "executable", so that
the same files give the same bytes on any machine. Links that stay inside the folder stay links; a
link to a file outside becomes that file; a link to a folder outside is refused, for it might hold
anything. Nothing is held in memory but the list of names.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.artifacts.contents import FileContent
from anabranch.artifacts.interface import Buffer, Source
from anabranch.artifacts.streams import SourceFile
from anabranch.errors import NotSerializable

# `None` leaves the time of unpacking; typeshed does not know that it may.
_NOW: dict[str, Any] = {"mtime": None, "deep": False}
_END = b"\0" * (2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One header of the tar, and the file whose content follows it, if any."""

    header: bytes
    content: FileContent | None = None

    @property
    def padding(self) -> int:
        return -self.content.size % tarfile.BLOCKSIZE if self.content else 0

    @property
    def size(self) -> int:
        return len(self.header) + (self.content.size if self.content else 0) + self.padding


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The payload of a folder, as it was found when it was looked through."""

    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries) + len(_END)

    def chunks(self) -> Iterator[Buffer]:
        for entry in self.entries:
            yield entry.header
            if entry.content:
                yield from entry.content.chunks()
                yield b"\0" * entry.padding
        yield _END


def folder_content(folder: Path) -> FolderContent:
    """Look through a folder. Raises `NotSerializable` for what is neither file, folder nor link."""
    return FolderContent(tuple(_entries(folder, folder.resolve(), "")))


def unpack_folder(source: Source, target: Path) -> None:
    """Write the files of a tar below `target`, which must exist."""
    with tarfile.open(fileobj=SourceFile(source), mode="r|", bufsize=2**20) as tar:
        tar.extractall(target, filter=_safe)  # noqa: S202 - the filter keeps it below the target


def _safe(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo:
    """Only what lies below the target, and with the time of unpacking rather than 1970."""
    return tarfile.data_filter(member, target).replace(**_NOW)


def _entries(folder: Path, root: Path, prefix: str) -> Iterator[Entry]:
    for found in sorted(os.scandir(folder), key=lambda each: os.fsencode(each.name)):
        name, path = prefix + found.name, Path(found.path)
        if found.is_symlink() and (target := _inner_target(path, root)):
            yield _link(name, target)
        elif found.is_dir(follow_symlinks=False):
            yield Entry(_header(name, tarfile.DIRTYPE, 0o755))
            yield from _entries(path, root, name + "/")
        elif found.is_file():
            content = FileContent.of(path)
            mode = 0o755 if content.is_executable else 0o644
            yield Entry(_header(name, tarfile.REGTYPE, mode, content.size), content)
        else:
            raise NotSerializable(
                "a folder holds something that is neither a file, a folder nor a link inside it",
                f"value / {name!r} ({path})",
                "copy what it leads to into the folder, or remove it",
            )


def _inner_target(link: Path, root: Path) -> str | None:
    """Where a link leads, if that is relative and inside the folder."""
    target = os.readlink(link)
    reached = Path(os.path.normpath(link.parent.resolve() / target))
    return target if not os.path.isabs(target) and reached.is_relative_to(root) else None


def _link(name: str, target: str) -> Entry:
    return Entry(_header(name, tarfile.SYMTYPE, 0o777, target=target))


def _header(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, size, target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
