"""Collections whose parts share something large: one pickle of the whole.

A thousand samples that all refer to one dataset would be a thousand datasets if each were written
alone. A collection that has grown past 64 MiB on its way asks here what one pickle of it would take,
in which a shared object is written once, and becomes that pickle if it is less than half. Its items
can still be read alone, but each reading reads the whole, which is kept for the next.

Not for collections that hold a `Path`: pickle would keep the name and drop the content.
"""

import pickle
from pathlib import PurePath
from typing import Any

from anabranch.artifacts.interface import Codec, Encoded
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import PickledItems, Pickler


class PathlessPickler(Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, PurePath):
            raise pickle.PicklingError("a path stands for its content")
        return super().reducer_override(obj)


class _Full(Exception):
    pass


class _Meter:
    """Takes what a pickler writes, and keeps only its size."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def write(self, data: bytes | memoryview) -> int:
        size = memoryview(data).nbytes
        self.left -= size
        if self.left < 0:
            raise _Full
        return size

    def beside(self, buffer: pickle.PickleBuffer) -> None:
        self.write(buffer.raw())


def is_smaller(value: object, limit: int) -> bool:
    """Whether one pickle of a value, which holds no paths, takes less than `limit` bytes."""
    meter = _Meter(limit)
    try:
        PathlessPickler(meter, protocol=5, buffer_callback=meter.beside).dump(value)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - __reduce__ is the user's code: it may raise anything
        return False
    return True


class Shared(PickledItems):
    """The codec `shared`. Only lists and tuples have a length."""

    def encode(self, value: object) -> Encoded:
        encoded = super().encode(value)
        return encoded if isinstance(value, list | tuple) else encoded._replace(length=None)


def codecs(registry: Registry) -> tuple[Codec, ...]:
    kinds = (list, tuple, dict, set, frozenset)
    return (Shared("shared", kinds, lambda items, index: items[index], PathlessPickler),)
