"""Arguments of a call, as the engine keeps them until the step runs.

Each kind knows its reference (for the identity), what it waits for, the digest of its content and how to load it.
Plain values are taken as they are at the moment of the call: what the body or the step does to them later is seen by
neither, as on a backend where the step runs elsewhere. A value of more than a megabyte is passed as the object it is.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.interface import MemorySource, digest_of
from anabranch.engine.artifacts import Artifact, Place
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.futures import MapFuture, artifacts_of, loaded
from anabranch.engine.home import Home
from anabranch.engine.identity import SIZE
from anabranch.engine.nodes import Input, Invocation, MapNode, Node
from anabranch.errors import CallError
from anabranch.model.ids import InvocationId
from anabranch.model.records import Output

Inputs: TypeAlias = Mapping[str, Input]

_COPIED_BYTES = 1024 * 1024


class _Here:
    """What is here already: it waits for nothing."""

    __slots__ = ()

    def upstreams(self) -> Iterable[Node]:
        return ()

    def producers(self) -> Iterable[InvocationId]:
        return ()


class Scalar(_Here):
    """A number, text, bytes, truth value or None."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def reference(self) -> bytes:
        value = self.value
        return f"{type(value).__name__}:{value!r}".encode(errors="surrogatepass")

    def digest(self) -> bytes:
        return self.reference()

    def load(self) -> object:
        return self.value

    hand_over = load


class Plain(_Here):
    """Any other value without handles in it."""

    __slots__ = ("_codec", "_codecs", "_data", "_digest", "_value")

    def __init__(self, value: object, codecs: Codecs) -> None:
        encoded = codecs.encode(value)
        self._codecs, self._codec = codecs, encoded.codec
        self._data: bytes | None = None
        self._value: object = None
        if encoded.payload.size <= _COPIED_BYTES:
            self._data = b"".join(encoded.payload.chunks())
        else:
            self._value = value
        self._digest = f"{encoded.codec}:{digest_of(encoded.payload)}".encode()

    def reference(self) -> bytes:
        return self._digest

    def digest(self) -> bytes:
        return self._digest

    def load(self) -> object:
        if self._data is None:
            return self._value
        return self._codecs.decode(self._codec, MemorySource(self._data))

    hand_over = load


class PathInput(_Here):
    """A path. Its identity is the path; its content also what stat tells of the files there, as `make` sees them."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def reference(self) -> bytes:
        return b"path:" + os.fsencode(self._path)

    def digest(self) -> bytes:
        found = blake2b(self.reference(), digest_size=SIZE)
        for path in [self._path, *sorted(self._path.rglob("*"))]:
            try:
                stat = path.stat()
            except OSError:
                continue
            found.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}".encode(errors="replace"))
        return found.digest()

    def load(self) -> object:
        return self._path

    hand_over = load


class CodeInput(_Here):
    """A function or class that is passed as a value: its code is its content."""

    __slots__ = ("_digest", "_value")

    def __init__(self, value: Callable[..., object], fingerprints: Fingerprinter) -> None:
        self._value = value
        self._digest: bytes = b"code:" + fingerprints.of(value).digest.encode()

    def reference(self) -> bytes:
        name = f"{self._value.__module__}:{self._value.__qualname__}"
        return b"code:" + name.encode() + (self._digest if "<lambda>" in name else b"")

    def digest(self) -> bytes:
        return self._digest

    def load(self) -> object:
        return self._value

    hand_over = load


class ArtifactInput(_Here):
    """An artifact that exists already: of this run, or of another."""

    __slots__ = ("_artifact",)

    def __init__(self, artifact: Artifact[Any]) -> None:
        self._artifact = artifact

    def reference(self) -> bytes:
        place, index = self._artifact._place, self._artifact._index
        if place.external:
            return _item(b"digest:" + place.output.digest.encode(), index)
        return _item(output_reference(place.producer, place.output.name), index)

    def producers(self) -> Iterable[InvocationId]:
        place = self._artifact._place
        return () if place.external else (place.producer,)

    def digest(self) -> bytes:
        return _content(self._artifact._place, self._artifact._index)

    def load(self) -> object:
        return self._artifact.load()

    def hand_over(self) -> object:
        return self._artifact


class FutureInput:
    """What a submitted call will have made: one output of it, or all."""

    __slots__ = ("_home", "_node", "_output")

    def __init__(self, home: Home, node: Invocation, output: int | None) -> None:
        self._home, self._node, self._output = home, node, output

    def reference(self) -> bytes:
        specs = self._node.definition.returns.outputs
        if self._output is None and len(specs) != 1:
            return b"all:" + self._node.id.encode()
        return output_reference(self._node.id, specs[self._output or 0].name)

    def upstreams(self) -> Iterable[Node]:
        return (self._node,)

    def producers(self) -> Iterable[InvocationId]:
        return (self._node.id,)

    def digest(self) -> bytes:
        node = self._node
        if node.shape is not None:
            return blake2b(repr(_digests(self._found())).encode(), digest_size=SIZE).digest()
        outputs = node.outputs if self._output is None else (node.outputs[self._output],)
        return b"+".join(map(_content_of, outputs))

    def load(self) -> object:
        return loaded(self._found())

    def hand_over(self) -> object:
        return self._found()

    def place(self) -> Place:
        """Where the one output is, for reading its items. Raises `CallError` if there is not exactly one."""
        found = self._found()
        if not isinstance(found, Artifact) or found._index is not None:
            raise CallError(
                "a call with several outputs, or none, has no items",
                self._node.name,
                "choose one output: future[0]",
            )
        return found._place

    def _found(self) -> object:
        return artifacts_of(self._home, self._node, self._output)


class MapInput:
    """All results of a map, as a list; without the failed ones where the map collects."""

    __slots__ = ("_home", "_node")

    def __init__(self, home: Home, node: MapNode) -> None:
        self._home, self._node = home, node

    def reference(self) -> bytes:
        return b"map:" + self._node.id.encode()

    def upstreams(self) -> Iterable[Node]:
        return (self._node,)

    def producers(self) -> Iterable[InvocationId]:
        return (self._node.id,)

    def digest(self) -> bytes:
        total = blake2b(digest_size=SIZE)
        for item in self._items():
            total.update(b"[" + FutureInput(self._home, item, None).digest())
        return total.digest()

    def load(self) -> object:
        return [FutureInput(self._home, item, None).load() for item in self._items()]

    def hand_over(self) -> object:
        return MapFuture(self._home, self._node)

    def _items(self) -> list[Invocation]:
        return [item for item in self._node.items or () if item.status == "completed"]


class ItemInput(_Here):
    """Item `index` of something that has items; nothing else of it is read. Its map has the edge, for all items."""

    __slots__ = ("_index", "_place", "_reference")

    def __init__(self, place: Place, index: int, reference: bytes) -> None:
        self._place, self._index, self._reference = place, index, reference

    def reference(self) -> bytes:
        return _item(self._reference, self._index)

    def digest(self) -> bytes:
        return _content(self._place, self._index)

    def load(self) -> object:
        return self._place.values.load_item(self._place.output, self._place.number, self._index)

    def hand_over(self) -> object:
        return Artifact(self._place, self._index)


def output_reference(producer: str, output: str) -> bytes:
    """How an artifact of this run is referred to: the same while it is pending and when it is there."""
    return f"of:{producer}:{output}".encode()


def _item(reference: bytes, index: int | None) -> bytes:
    return reference if index is None else reference + b"#" + str(index).encode()


def _content(place: Place, index: int | None) -> bytes:
    if index is None:
        return _content_of(place.output)
    return place.values.item_digest(place.output, place.number, index)


def _content_of(output: Output) -> bytes:
    """The bytes alone do not tell a list from a tuple, or a number from text: what they are read with belongs to it."""
    return f"{output.codec}:{output.digest}".encode()


def _digests(result: object) -> object:
    """The content of a child run's result, as something that can be digested."""
    if isinstance(result, Artifact):
        return _content(result._place, result._index)
    if isinstance(result, tuple | list):
        return type(result).__name__, [_digests(item) for item in result]
    if isinstance(result, dict):
        return [(key, _digests(item)) for key, item in result.items()]
    return result
