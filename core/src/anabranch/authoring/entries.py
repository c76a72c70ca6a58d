"""Finds a pipeline again: from a target on the command line, and from a run's record in another process.

A file is imported under the name of its stem, with its folder at the head of `sys.path`, as `python file.py` would
have it; its `if __name__ == "__main__":` part does not run.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anabranch.engine.definitions import PipelineDefinition
from anabranch.errors import AnabranchError, EntryError, suggestion
from anabranch.journal.events import Json, RunCreated
from anabranch.journal.interface import Journal
from anabranch.model.ids import RunId

if TYPE_CHECKING:
    from anabranch.authoring.pipelines import Pipeline


def entry_of(definition: PipelineDefinition) -> dict[str, Json]:
    """Where the pipeline is found again. `file` is absolute, and relative to the folder of the run where it can be."""
    function = definition.function
    module = function.__module__
    file = getattr(sys.modules.get(module), "__file__", None) or function.__code__.co_filename
    path = os.path.abspath(file) if file and os.path.exists(file) else ""
    here = os.getcwd()
    relative = os.path.relpath(path, here) if path else ""
    return {"file": path, "relative": relative, "module": module, "name": function.__qualname__}


def load_pipeline(target: str) -> "Pipeline[Any, Any]":
    """The pipeline that `file.py:name`, `file.py` or `package.module:name` means.

    Raises `EntryError`; what the file itself raises is its cause.
    """
    place, _, name = target.rpartition(":") if ":" in Path(target).name else (target, "", "")
    with _importing(place):
        module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    return _chosen(module, name, place)


def reload_pipeline(entry: Mapping[str, Json]) -> "Pipeline[Any, Any]":
    """The pipeline of a recorded run. Raises `EntryError`; what its file raises is the cause."""
    name, module = str(entry["name"]), str(entry["module"])
    main = sys.modules.get("__main__")
    for file in (str(entry["file"]), str(entry["relative"])):
        if file and Path(file).is_file():
            if main is not None and _same_file(getattr(main, "__file__", None), file):
                return _chosen(main, name, file)
            loaded = sys.modules.get(module)
            if loaded is not None and _same_file(getattr(loaded, "__file__", None), file):
                return _chosen(loaded, name, file)
            with _importing(file):
                imported = _from_package(module, file) or _from_file(Path(file))
            return _chosen(imported, name, file)
    with _importing(module):
        imported = _from_name(module)
    return _chosen(imported, name, module)


@contextmanager
def _importing(place: str) -> Iterator[None]:
    """What a user's file raises when it is imported is a mistake in it; our own errors say so themselves."""
    try:
        yield
    except (AnabranchError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as error:
        raise EntryError(
            f"the file cannot be imported: {type(error).__name__}: {error}",
            place,
            "mend what the traceback above shows",
        ) from error


def recorded_pipeline(journal: Journal, run: RunId) -> "Pipeline[Any, Any]":
    """The pipeline of a run, with its code as it is now. Raises `RunNotFound` or `EntryError`."""
    created = next(iter(journal.read(run)))[1]
    return reload_pipeline(created.entry if isinstance(created, RunCreated) else {})


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise EntryError("there is no such file", str(path), "check the path")
    folder, stem = str(path.resolve().parent), path.stem
    if not (path.parent / "__init__.py").exists() and folder not in sys.path:
        sys.path.insert(0, folder)
    loaded = sys.modules.get(stem)
    if loaded is not None and _same_file(getattr(loaded, "__file__", None), str(path)):
        return loaded
    if loaded is not None or not stem.isidentifier():
        stem = f"_anabranch_{''.join(c if c.isalnum() else '_' for c in stem)}"
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise EntryError("the file cannot be imported", str(path), "it must be a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(stem, None)
        raise
    return module


def _from_package(module: str, file: str) -> ModuleType | None:
    """A module of a package, which may import its neighbours; `None` if the file is not where that package would be."""
    names, path = module.split("."), Path(file).resolve()
    if len(names) == 1 or list(path.with_suffix("").parts[-len(names) :]) != names:
        return None
    root = str(path.parents[len(names) - 1])
    if root not in sys.path:
        sys.path.insert(0, root)
    return importlib.import_module(module)


def _from_name(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise EntryError(
                f"there is no module {name!r}",
                "the target of the run",
                "give file.py:pipeline, or package.module:pipeline",
            ) from None
        raise


def _chosen(module: ModuleType, name: str, place: str) -> "Pipeline[Any, Any]":
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(getattr(value, "_definition", None), PipelineDefinition)
    }
    if name:
        for key, value in found.items():
            if name in (key, value.name, value._definition.function.__qualname__):
                return value  # type: ignore[no-any-return]
        raise EntryError(f"there is no pipeline {name!r}", place, suggestion(name, found))
    own = {k: v for k, v in found.items() if v._definition.function.__module__ == module.__name__}
    if len(own) == 1:
        return next(iter(own.values()))
    if not own:
        raise EntryError("there is no pipeline in it", place, "mark a function with @pipeline")
    raise EntryError(
        f"it has {len(own)} pipelines", place, f"choose one: {place}:{' or :'.join(sorted(own))}"
    )


def _same_file(one: str | None, other: str) -> bool:
    try:
        return one is not None and os.path.samefile(one, other)
    except OSError:
        return False
