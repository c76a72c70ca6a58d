"""What a codec and an artifact store promise: the border between values, bytes and their homes.

A value goes through a *codec* (the field says *materializer*) and becomes `Encoded` buffers; their
digest names them; an `ArtifactStore` keeps them under that name. Reading goes the other way through
a `Source`, which can give a range alone, so that one item of a large sequence costs one item.
Nothing here knows runs, steps or journals.

Two values with the same bytes may still differ (`b"1"` and `1`): a value is known by its digest
*and* the name of its codec, never by the digest alone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

Buffer: TypeAlias = bytes | bytearray | memoryview


class Payload(Protocol):
    """Bytes that can be walked more than once without being held in one piece.

    A payload may borrow the memory of the value that it was made from, or read a file as it goes:
    store it before the value is changed.
    """

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def chunks(self) -> Iterator[Buffer]:
        """The bytes in order. Each call starts again from the first."""
        ...


class Buffers(NamedTuple):
    """A payload of buffers that are in memory already (headers beside a large array, say).

    A named tuple, like `Encoded`: it is made for every output, and a frozen dataclass is slower.
    """

    parts: Sequence[Buffer]

    @property
    def size(self) -> int:
        if len(self.parts) == 1 and type(self.parts[0]) is bytes:
            return len(self.parts[0])
        return sum(memoryview(part).nbytes for part in self.parts)

    def chunks(self) -> Iterator[Buffer]:
        return iter(self.parts)


@dataclass(frozen=True, slots=True)
class Joined:
    """A payload made of payloads, one after the other."""

    parts: Sequence[Payload]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def chunks(self) -> Iterator[Buffer]:
        return chain.from_iterable(part.chunks() for part in self.parts)


class Encoded(NamedTuple):
    """What a codec made of a value.

    `codec` and `type` are recorded with the artifact: the first finds the decoder again, the second
    is for people (`"numpy.ndarray"`). `length` is the number of items that can be read alone;
    `None` means that the value is not a sequence.
    """

    codec: str
    type: str
    payload: Payload
    length: int | None = None


class Source(Protocol):
    """Encoded bytes at rest: in memory, in a file, or far away."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """Bytes from `start` up to `end` (`None`: the end). Fetches no more than that from afar."""
        ...

    def path(self) -> Path | None:
        """A local file that holds exactly these bytes and may be memory-mapped, if there is one."""
        ...


class Declined(Exception):
    """Raised by `Codec.encode`: not mine without loss after all; ask the next codec.

    Never reaches a user. A value that no codec can carry is `NotSerializable`.
    """


class Codec(Protocol):
    """Turns values of some types into bytes and back.

    A codec must give back an equal value of the same type, and a new object at every call: two
    loads of one artifact never share mutable state. Equal values should give equal bytes in every
    process, whatever its hash seed, for a digest is what decides whether work is done again.
    """

    name: str

    def handles(self, value: object) -> bool:
        """Whether this codec is the one for `value`. Cheap: it is asked for every output."""
        ...

    def encode(self, value: object) -> Encoded:
        """Raises `Declined` where `handles` was too hopeful, `NotSerializable` to end it all."""
        ...

    def decode(self, source: Source) -> object:
        """A new value. Raises `NotSerializable` if the bytes or the class are not usable."""
        ...


@runtime_checkable
class SequenceCodec(Codec, Protocol):
    """A codec with items that can be read alone, where `Encoded.length` is a number."""

    def decode_item(self, source: Source, index: int) -> object:
        """Item `index` (0 ≤ index < length), reading bytes in proportion to that item.

        Raises `IndexError` outside that range.
        """
        ...

    def item_bytes(self, source: Source, index: int) -> bytes:
        """Bytes that change exactly when item `index` changes; they give its digest."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store has under one digest. `at` is when it was last put, in unix seconds."""

    digest: str
    size: int
    at: float


class ValueStore(Protocol):
    """What reading and writing values needs of a store: bytes under their digest, which are never changed."""

    def put(self, digest: str, payload: Payload) -> None:
        """Idempotent and atomic: the digest is absent or whole, whatever dies in between.

        Also what is there already counts as put now. Raises `ArtifactUnwritable` if there is no space left, or no right
        to write.
        """
        ...

    def open(self, digest: str) -> Source:
        """Raises `ArtifactMissing`."""
        ...

    def contains(self, digest: str) -> bool: ...


class ArtifactStore(ValueStore, Protocol):
    """Keeps bytes under their digest. What is stored is never changed, and goes only by `delete`.

    A value is put before the event that refers to it is written. So what nothing refers to may be about to be
    referred to, and only its age tells it from what is left over.
    """

    def stored(self) -> Iterator[Stored]:
        """Everything that is kept, in any order; what comes or goes meanwhile may be among it or not."""
        ...

    def delete(self, digest: str, before: float) -> bool:
        """Removes what was last put before `before` (unix seconds); false if it is not there, or younger.

        Its age is judged in the same act: what a `put` has found here a moment ago, in whichever process, stays.
        """
        ...

    def close(self) -> None: ...


def digest_of(payload: Payload) -> str:
    """SHA-256 of the bytes, in hex: the name under which a store keeps them."""
    sha = hashlib.sha256()
    for chunk in payload.chunks():
        sha.update(chunk)
    return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class MemorySource:
    """A source over bytes that are in memory (small values, which live in the journal)."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        return self.data[start:end]

    def path(self) -> Path | None:
        return None


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of another source, from `start` up to `end`: a value that lies inside a larger one."""

    whole: Source
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        stop = self.end if end is None else min(self.end, self.start + end)
        return self.whole.read(min(self.start + start, stop), stop)

    def path(self) -> Path | None:
        return None
