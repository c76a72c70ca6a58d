"""A source as a file object, for libraries that want to seek and read."""

import io

from anabranch.artifacts.interface import Source


class SourceFile(io.RawIOBase):
    """Reads a source from the position that it was told. Each read is one ranged read."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}
        self._at = max(0, starts[whence] + offset)
        return self._at

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        end = min(self._at + len(buffer), self._source.size)
        if self._at >= end:
            return 0
        data = self._source.read(self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
