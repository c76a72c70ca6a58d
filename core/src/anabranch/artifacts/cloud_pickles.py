"""cloudpickle, last of all: lambdas, classes inside functions, what only a notebook knows.

Such code travels by value. cloudpickle gives every dynamic class a random identity, so the bytes of
its instances differ from one process to the next.
"""

import io
import pickle
from types import FunctionType
from typing import Any

import cloudpickle

from anabranch.artifacts.interface import Codec
from anabranch.artifacts.nesting import Registry
from anabranch.artifacts.pickles import Pickles, by_name
from anabranch.artifacts.references import is_findable

_MAIN = ("__main__", "__mp_main__")


class CloudPickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    """cloudpickle, but what can be imported goes by name even if it is in `__main__`."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and obj.__module__ in _MAIN and is_findable(obj):
            return by_name(obj)
        if isinstance(obj, io.IOBase) and not isinstance(obj, io.BytesIO | io.StringIO):
            # cloudpickle would hand back a StringIO in place of the open file.
            raise pickle.PicklingError("an open file")
        return super().reducer_override(obj)


def codecs(registry: Registry) -> tuple[Codec, ...]:
    return (Pickles("cloudpickle", CloudPickler),)
