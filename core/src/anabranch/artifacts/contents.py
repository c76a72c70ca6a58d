"""The content of a file as a payload that is read as it goes, in bounded memory.

A payload is walked twice, once for its digest and once to be stored. A file that somebody writes to
in between would be stored under the digest of what it was, so every walk looks at the file's stamp.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anabranch.artifacts.interface import Buffer
from anabranch.errors import NotSerializable

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class FileContent:
    """A regular file: where it is, and what it looked like when it was found."""

    path: str
    size: int
    changed_ns: int
    is_executable: bool

    @classmethod
    def of(cls, path: Path) -> "FileContent":
        found = path.stat()
        executable = bool(found.st_mode & stat.S_IXUSR)
        return cls(str(path.absolute()), found.st_size, found.st_mtime_ns, executable)

    def chunks(self) -> Iterator[Buffer]:
        """The file's bytes. Raises `NotSerializable` if they are not those of the first look."""
        seen = 0
        try:
            with open(self.path, "rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    seen += len(chunk)
                    yield chunk
                found = os.fstat(file.fileno())
        except OSError as error:
            raise NotSerializable(
                f"a file cannot be read: {error.strerror}",
                f"value ({self.path})",
                "return only paths that this process may read, and leave them in place",
            ) from error
        if (seen, found.st_mtime_ns) != (self.size, self.changed_ns):
            raise NotSerializable(
                "a file was written to while it was being stored",
                f"value ({self.path})",
                "return the path only when the file is finished",
            )
