"""A registry, and sources that say what was read of them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

import anabranch
from anabranch.artifacts import Codecs, Encoded, MemorySource, Source

# Other work on the machine must not fail a test, and the checkout stays clean.
settings.register_profile("artifacts", deadline=None, database=None, max_examples=60)
settings.load_profile("artifacts")


class CountingSource:
    """Bytes that count how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        found = self.data[start:end]
        self.read_bytes += len(found)
        return found

    def path(self) -> Path | None:
        return None


class RemoteFile(CountingSource):
    """The same, also to be had as a local file."""

    def __init__(self, file: Path) -> None:
        super().__init__(file.read_bytes())
        self.file = file

    def path(self) -> Path | None:
        return self.file


def bytes_of(encoded: Encoded) -> bytes:
    data = b"".join(encoded.payload.chunks())
    assert encoded.payload.size == len(data)
    assert b"".join(encoded.payload.chunks()) == data
    return data


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """Runs another interpreter that knows this package; gives what it printed."""
    home = str(Path(anabranch.__file__).parents[1])

    def run(*command: str, cwd: Path | None = None, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", *command],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": home, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def codecs() -> Codecs:
    return Codecs()


@pytest.fixture(scope="session")
def data_of(codecs: Codecs) -> Callable[[object], bytes]:
    """A value's bytes; the payload's promises are checked on the way."""
    return lambda value: bytes_of(codecs.encode(value))


@pytest.fixture(scope="session")
def counting(codecs: Codecs) -> Callable[[object], CountingSource]:
    """A counting source over a value's bytes."""
    return lambda value: CountingSource(bytes_of(codecs.encode(value)))


@pytest.fixture(scope="session")
def there_and_back(codecs: Codecs, tmp_path_factory: pytest.TempPathFactory):
    """Encodes, decodes from memory, from afar and from a file; the three must agree in type."""
    file = tmp_path_factory.mktemp("encoded") / "value"

    def carry(value: object) -> object:
        encoded = codecs.encode(value)
        data = bytes_of(encoded)
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        sources: list[Source] = [RemoteFile(file), CountingSource(data), MemorySource(data)]
        found = [codecs.decode(encoded.codec, source) for source in sources]
        assert [type(each) for each in found] == [type(value)] * 3
        return found[-1]

    return carry


@pytest.fixture(scope="session")
def items_back(codecs: Codecs):
    """All items of a sequence, each read alone."""

    def carry(value: object) -> list[object]:
        encoded = codecs.encode(value)
        source = MemorySource(bytes_of(encoded))
        codec = codecs.sequence_decoder(encoded.codec)
        assert codec is not None
        assert encoded.length is not None
        with pytest.raises(IndexError):
            codec.decode_item(source, encoded.length)
        with pytest.raises(IndexError):
            codec.decode_item(source, -1)
        return [codec.decode_item(source, index) for index in range(encoded.length)]

    return carry


@pytest.fixture(scope="session")
def item_bytes(codecs: Codecs):
    """The bytes that stand for each item of a sequence."""

    def carry(value: object) -> list[bytes]:
        encoded = codecs.encode(value)
        source = MemorySource(bytes_of(encoded))
        codec = codecs.sequence_decoder(encoded.codec)
        assert codec is not None
        return [codec.item_bytes(source, index) for index in range(encoded.length or 0)]

    return carry
