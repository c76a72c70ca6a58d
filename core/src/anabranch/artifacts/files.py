"""A `pathlib.Path` stands for what it leads to: the file or folder travels, with its name.

Loading gives a path to a fresh copy in a temporary folder of this process, which may be changed and
is removed when the process ends. A path that leads to nothing is only a name, and travels as one.
Paths inside objects that are pickled are only names too.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import cast

from anabranch.artifacts.contents import FileContent
from anabranch.artifacts.envelopes import enveloped, opened
from anabranch.artifacts.folders import folder_content, unpack_folder
from anabranch.artifacts.interface import Codec, Declined, Encoded, Source
from anabranch.artifacts.nesting import Registry
from anabranch.errors import NotSerializable

_CHUNK = 4 * 2**20


class Paths:
    name = "path"

    def __init__(self, copies: "Copies") -> None:
        self._copies = copies

    def handles(self, value: object) -> bool:
        return type(value) is type(Path())

    def encode(self, value: object) -> Encoded:
        path = cast(Path, value)
        name = path.name or path.resolve().name
        if path.is_file():
            content = FileContent.of(path)
            header = {"file": name, "executable": content.is_executable}
            return Encoded(self.name, "pathlib.Path", enveloped(header, content))
        if path.is_dir() and name:
            payload = enveloped({"folder": name}, folder_content(path))
            return Encoded(self.name, "pathlib.Path", payload)
        if path.exists():
            raise NotSerializable(
                "a path leads to something that is neither a file nor a folder",
                f"value ({path})",
                "return the path of a file or folder, or its name as a string",
            )
        raise Declined

    def decode(self, source: Source) -> object:
        header, content = opened(source)
        name = cast(str, header.get("file") or header["folder"])
        target = self._copies.place() / name
        if "folder" in header:
            target.mkdir()
            unpack_folder(content, target)
            return target
        with target.open("wb", buffering=0) as file:
            for start in range(0, content.size, _CHUNK):
                file.write(content.read(start, min(start + _CHUNK, content.size)))
        if header["executable"]:
            target.chmod(target.stat().st_mode | 0o111)
        return target


class Copies:
    """The temporary folder of this process; a forked child makes one of its own."""

    def __init__(self) -> None:
        self._root = ""
        self._owner = 0

    def place(self) -> Path:
        """A new empty folder."""
        if self._owner != os.getpid():
            self._root, self._owner = tempfile.mkdtemp(prefix="anabranch-"), os.getpid()
            atexit.register(_remove, self._root, self._owner)
        return Path(tempfile.mkdtemp(dir=self._root))


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Paths(Copies()),)
