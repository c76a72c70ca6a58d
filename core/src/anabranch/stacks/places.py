"""Where things are: the project, its `.anabranch/`, and the folders of stack files."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from anabranch.errors import StackError

HOME_VARIABLE = "ANABRANCH_HOME"
_MARKS = (".anabranch", "pyproject.toml", ".git")


class Places(NamedTuple):
    """All absolute. `home` keeps the project's runs and need not exist; `user` may be `None`: no home directory."""

    project: Path
    home: Path
    user: Path | None

    @property
    def pyproject(self) -> Path:
        return self.project / "pyproject.toml"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of stack files, the project's first."""
        return (self.project / "stacks", *([self.user] if self.user else []))

    def label(self, path: Path) -> str:
        """A path for people: relative to the project where it lies in it."""
        return str(path.relative_to(self.project) if path.is_relative_to(self.project) else path)


def places(start: Path | None = None, environ: Mapping[str, str] = os.environ) -> Places:
    """As seen from `start`; `None` means the current directory."""
    start = absolute(start) if start else _current_directory()
    project = find_project(start)
    moved = environ.get(HOME_VARIABLE)
    home = absolute(start / Path(moved).expanduser()) if moved else project / ".anabranch"
    return Places(project, home, _user_folder(environ))


def find_project(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that looks like a project's root; else `start`."""
    for folder in (start, *start.parents):
        if _is_root(str(folder)):
            return folder
    return start


def absolute(path: Path) -> Path:
    """Without `..`, and without asking the file system what is a link."""
    return Path(os.path.abspath(path))


def _is_root(folder: str) -> bool:
    if any(os.path.exists(f"{folder}/{mark}") for mark in _MARKS):
        return True
    with suppress(OSError), os.scandir(f"{folder}/stacks") as found:
        return any(file.name.endswith(".toml") for file in found)
    return False


def _current_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise StackError(
            f"the current directory is gone: {error.strerror}",
            "the search for the project",
            "cd elsewhere",
        ) from None


def _user_folder(environ: Mapping[str, str]) -> Path | None:
    configured = environ.get("XDG_CONFIG_HOME")
    if configured:
        return absolute(Path(configured)) / "anabranch" / "stacks"
    try:
        return Path.home() / ".config" / "anabranch" / "stacks"
    except RuntimeError:
        return None
