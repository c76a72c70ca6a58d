"""Which stack is meant, and where it is written.

A name is chosen by argument, by `ANABRANCH_STACK`, by the project's default, else it is `local`. The project's files
and its `pyproject.toml` come before the user's own files; `local` needs no file at all, and then nothing is parsed.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from anabranch import stacks
from anabranch.errors import StackError, suggestion
from anabranch.stacks.places import Places
from anabranch.stacks.sources import BUILT_IN, Source

STACK_VARIABLE = "ANABRANCH_STACK"
DEFAULT = "local"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Definition:
    """A stack as it is written: placeholders are not filled in."""

    name: str
    source: Source
    table: Mapping[str, object] = field(default_factory=dict, repr=False)


class Written(NamedTuple):
    """Where a stack of this name is defined. `path` is `None` for a table of pyproject.toml."""

    name: str
    path: Path | None
    is_projects: bool


class Definitions:
    """All stacks that can be seen from one place."""

    def __init__(self, places: Places, environ: Mapping[str, str] = os.environ) -> None:
        self._places, self._environ = places, environ
        pyproject = places.pyproject
        has_one = os.path.isfile(pyproject) and _mentions_us(pyproject)
        self._project = stacks.read_pyproject(pyproject) if has_one else None

    def chosen(self, name: str | None = None) -> str:
        """The name of the stack to use. Raises `StackError` if what is chosen cannot be a name."""
        default = self._project.default if self._project else None
        choices = (
            (name, "the stack that was asked for"),
            (self._environ.get(STACK_VARIABLE), STACK_VARIABLE),
            (default, "default in [tool.anabranch]"),
        )
        for choice, by in choices:
            if choice:
                return _checked(choice, by)
        return DEFAULT

    def find(self, name: str) -> Definition:
        """Raises `StackError` if it is nowhere, twice in the project, or malformed."""
        written = [place for place in self.written() if place.name == name]
        if len(written) > 1 and written[1].is_projects:
            raise StackError(
                f"stack {name!r} is defined twice",
                " and ".join(map(self.label, written[:2])),
                "keep one of the two",
            )
        if written:
            return self.read(written[0])
        if name == DEFAULT:
            return Definition(name, BUILT_IN)
        known = {DEFAULT, *(place.name for place in self.written())}
        raise StackError(
            f"no stack is called {name!r}",
            f"project {self._places.project}",
            f"{suggestion(name, known)} Or write stacks/{name}.toml",
        )

    def read(self, place: Written) -> Definition:
        """Raises `StackError`."""
        if place.path is None:
            assert self._project is not None
            table = self._project.stacks[place.name]
            source = self._project.source.within("stacks", place.name)
            return Definition(place.name, source, table)
        return Definition(place.name, *stacks.read_stack_file(place.path, self.label(place)))

    def written(self) -> Iterator[Written]:
        """All that is defined in files, the one that counts first."""
        for folder in self._places.folders:
            is_projects = folder != self._places.user
            for path in _stack_files(folder):
                yield Written(path.stem, path, is_projects)
            if is_projects and self._project:
                for name in self._project.stacks:
                    yield Written(name, None, is_projects=True)

    def label(self, place: Written) -> str:
        """Where it is, for people."""
        if place.path is None:
            return f"pyproject.toml [tool.anabranch.stacks.{place.name}]"
        return self._places.label(place.path)


def _mentions_us(pyproject: Path) -> bool:
    """Whether it is worth parsing. A file that cannot be read is; the error is then a clear one."""
    try:
        return b"anabranch" in pyproject.read_bytes()
    except OSError:
        return True


def _stack_files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StackError(
            f"the stack files cannot be listed: {error.strerror}", str(folder), "make it readable"
        ) from None
    return [folder / name for name in names if name.endswith(".toml")]


def _checked(name: str, by: str) -> str:
    if not _NAME.fullmatch(name):
        raise StackError(
            f"{name!r} cannot be the name of a stack",
            by,
            "use letters, digits, dots, hyphens and underscores",
        )
    return name
