"""Which module knows which codec, so that none is imported before a value or a record needs it.

A step that returns an `int` must not pay for NumPy, and a machine without pandas must still read
everything else. So the codecs beyond JSON live in modules of their own, named here as strings, and
`load` is the one place that imports by name. Every such module has a function `codecs(registry)`.
"""

import importlib
from types import ModuleType

from anabranch.errors import NotSerializable, suggestion

_HERE = "anabranch.artifacts."

# A type is looked for under the top-level packages of the classes that it derives from.
BY_PACKAGE: dict[str, tuple[str, ...]] = {
    "datetime": ("datetime", "date", "time", "timedelta"),
    "decimal": ("decimal",),
    "enum": ("enum",),
    "fractions": ("fraction",),
    "uuid": ("uuid",),
    "pathlib": ("path",),
    "numpy": ("numpy", "numpy.memmap", "numpy.scalar", "numpy.pickle"),
    "pandas": ("pandas", "pandas.series", "pandas.pickle"),
    "polars": ("polars", "polars.series", "polars.pickle"),
    "pyarrow": ("arrow", "arrow.pickle"),
    "pydantic": ("pydantic",),
}

# A record names its codec.
BY_NAME = {
    "bytes": _HERE + "bare",
    "bytearray": _HERE + "bare",
    "complex": _HERE + "bare",
    "range": _HERE + "bare",
    "decimal": _HERE + "scalars",
    "fraction": _HERE + "scalars",
    "uuid": _HERE + "scalars",
    "datetime": _HERE + "scalars",
    "date": _HERE + "scalars",
    "time": _HERE + "scalars",
    "timedelta": _HERE + "scalars",
    "enum": _HERE + "scalars",
    "dataclass": _HERE + "records",
    "namedtuple": _HERE + "records",
    "path": _HERE + "files",
    "numpy": _HERE + "arrays",
    "numpy.memmap": _HERE + "arrays",
    "numpy.scalar": _HERE + "arrays",
    "numpy.pickle": _HERE + "arrays",
    "pandas": _HERE + "frames",
    "pandas.series": _HERE + "frames",
    "pandas.pickle": _HERE + "frames",
    "polars": _HERE + "polars_frames",
    "polars.series": _HERE + "polars_frames",
    "polars.pickle": _HERE + "polars_frames",
    "arrow": _HERE + "arrow_tables",
    "arrow.pickle": _HERE + "arrow_tables",
    "pydantic": _HERE + "models",
    "shared": _HERE + "sharing",
    "pickle": _HERE + "pickles",
    "cloudpickle": _HERE + "cloud_pickles",
}


def load(module: str) -> ModuleType:
    """Import a module by its dotted name. Raises `ModuleNotFoundError` if it is not installed."""
    return importlib.import_module(module)


def home_of(name: str) -> ModuleType:
    """The module of a recorded codec. Raises `NotSerializable` if it is not to be had."""
    try:
        return load(BY_NAME[name])
    except KeyError:
        raise NotSerializable(
            f"no codec is called {name!r} here",
            f"an artifact that was written with codec {name!r}",
            "install the plugin that provides it; " + suggestion(name, BY_NAME),
        ) from None
    except ModuleNotFoundError as error:
        raise NotSerializable(
            f"codec {name!r} needs package {error.name!r}, which is not installed",
            f"an artifact that was written with codec {name!r}",
            f"pip install {error.name}",
        ) from error
