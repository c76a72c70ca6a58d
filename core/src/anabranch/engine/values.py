"""Where the values of a run are: in the events of its journal, or in the artifact store; read when they are asked for.

A few megabytes of the newest small values are kept, since a step's output is most often read by the next step.
"""

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256

from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.interface import (
    MemorySource,
    Payload,
    SequenceCodec,
    Source,
    ValueStore,
    digest_of,
)
from anabranch.errors import ArtifactUnwritable, CallError, JournalError, NotMappable
from anabranch.journal.interface import Journal
from anabranch.model.ids import RunId
from anabranch.model.records import Output

INLINE_LIMIT = 32 * 1024
"""Bytes up to which a value lives in the journal's event."""

_KEPT_BYTES = 8 * 1024 * 1024
_OPEN_SOURCES = 64


class Values:
    """Reads and writes the artifacts of one run."""

    def __init__(
        self,
        run: RunId,
        journal: Journal,
        store: ValueStore,
        codecs: Codecs,
        inline_limit: int = INLINE_LIMIT,
    ) -> None:
        self.run, self.codecs, self._inline_limit = run, codecs, inline_limit
        self._journal, self._store = journal, store
        self._kept: dict[str, bytes] = {}
        self._kept_size = 0
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()
        self.on_refusal: Callable[[JournalError], None] = lambda _: None

    def write(
        self, named: Sequence[tuple[str, str]], values: Sequence[object]
    ) -> tuple[tuple[Output, ...], bytes]:
        """Outputs for `(name, artifact name)` pairs and their values, and the data that goes into the event.

        Larger values are in the store when this returns. Raises `NotSerializable`, or `ArtifactUnwritable` after
        `on_refusal` was told.
        """
        outputs, data = [], b""
        for (name, artifact), value in zip(named, values, strict=True):
            encoded = self.codecs.encode(value)
            size, offset = encoded.payload.size, -1
            if len(data) + size <= self._inline_limit:
                body = b"".join(encoded.payload.chunks())
                digest = sha256(body).hexdigest()
                offset = len(data)
                self._keep(digest, body)
                data += body
            else:
                digest = self._put(encoded.payload)
            outputs.append(
                Output(
                    name=name,
                    artifact=artifact,
                    digest=digest,
                    size=size,
                    codec=encoded.codec,
                    type=encoded.type,
                    length=encoded.length,
                    offset=offset,
                )
            )
        return tuple(outputs), data

    def _put(self, payload: Payload) -> str:
        digest = digest_of(payload)
        try:
            self._store.put(digest, payload)
        except ArtifactUnwritable as error:
            self.on_refusal(error)
            raise
        return digest

    def load(self, output: Output, number: int) -> object:
        """The value, fresh at every call. `number` is the event that carries it if it is small."""
        return self.codecs.decode(output.codec, self._source(output, number))

    def load_item(self, output: Output, number: int, index: int) -> object:
        """Item `index` alone. Raises `CallError` if there is no such item."""
        codec = self._sequence(output, index)
        return codec.decode_item(self._source(output, number), index)

    def item_digest(self, output: Output, number: int, index: int) -> bytes:
        codec = self._sequence(output, index)
        body = codec.item_bytes(self._source(output, number), index)
        return blake2b(f"{output.codec}:".encode() + body, digest_size=16).digest()

    def are_there(self, outputs: Sequence[Output]) -> bool:
        """Whether the store still has those of them that are not in an event."""
        return all(output.offset >= 0 or self._store.contains(output.digest) for output in outputs)

    def event_data(self, number: int) -> bytes:
        """The bytes that event `number` carries."""
        return self._journal.data(self.run, number)

    def _sequence(self, output: Output, index: int) -> SequenceCodec:
        codec = self.codecs.sequence_decoder(output.codec)
        if output.length is None or codec is None:
            raise NotMappable(
                f"a value of type {output.type} has no items",
                f"artifact {output.artifact!r}",
                "load() it whole, or let its step return a list, tuple, array or table",
            )
        if not 0 <= index < output.length:
            raise CallError(
                f"there is no item {index}",
                f"artifact {output.artifact!r}, which has {output.length} item(s)",
                "count from 0; len(artifact) tells how many there are",
            )
        return codec

    def _source(self, output: Output, number: int) -> Source:
        kept = self._kept.get(output.digest)
        if kept is not None:
            return MemorySource(kept)
        if output.offset < 0:
            return self._stored(output.digest)
        data = self._journal.data(self.run, number)
        body = data[output.offset : output.offset + output.size]
        self._keep(output.digest, body)
        return MemorySource(body)

    def _stored(self, digest: str) -> Source:
        with self._lock:
            source = self._sources.get(digest)
        if source is None:
            source = self._store.open(digest)
            with self._lock:
                if len(self._sources) >= _OPEN_SOURCES:
                    del self._sources[next(iter(self._sources))]
                self._sources[digest] = source
        return source

    def _keep(self, digest: str, body: bytes) -> None:
        with self._lock:
            if digest in self._kept:
                return
            self._kept[digest] = body
            self._kept_size += len(body) + 200
            while self._kept_size > _KEPT_BYTES:
                oldest = next(iter(self._kept))
                self._kept_size -= len(self._kept.pop(oldest)) + 200
