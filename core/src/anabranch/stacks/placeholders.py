"""Fills in `${env:NAME}` and `${file:PATH}` when a stack opens, and keeps what came in out of every text (law L13).

`$${` stands for `${` itself. A file's last line end does not count, so that `echo secret > token` means what it seems
to.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from anabranch.errors import AnabranchError, StackError, suggestion
from anabranch.stacks.sources import Source

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?P<inside>[^{}]*)\}|\$\{")
_LARGEST = 2**20
_SHORTEST = 4
"""A shorter value is no secret, and striking it out would spoil the text around it."""


class Placeholders:
    """Those of one stack. Relative paths start at the project's root. Remembers what it has filled in."""

    def __init__(self, source: Source, project: Path, environ: Mapping[str, str]) -> None:
        self._source, self._project, self._environ = source, project, environ
        self._filled: dict[str, str] = {}

    def fill(self, table: Mapping[str, object], *keys: str) -> dict[str, object]:
        """The table with all placeholders filled in. Raises `StackError` if one cannot be."""
        return {key: self._value(value, (*keys, key)) for key, value in table.items()}

    @property
    def is_filled(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._filled)

    def struck(self, text: str) -> str:
        """A text without what was filled in: the placeholder stands in its place."""
        for value in sorted(self._filled, key=len, reverse=True):
            text = text.replace(value, self._filled[value])
        return text

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Errors of ours leave this block without what was filled in, and without causes, which may tell it too."""
        try:
            yield
        except AnabranchError as error:
            if not self._filled:
                raise
            is_plain = type(error).__init__ is AnabranchError.__init__
            kind = type(error) if is_plain else StackError
            raise kind(*map(self.struck, (error.what, error.to, error.do))) from None

    def _value(self, value: object, keys: tuple[str, ...]) -> object:
        if isinstance(value, str):
            return self._text(value, keys) if "${" in value else value
        if isinstance(value, Mapping):
            return self.fill(value, *keys)
        if isinstance(value, list):
            return [self._value(item, keys) for item in value]
        return value

    def _text(self, text: str, keys: tuple[str, ...]) -> str:
        def replacement(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            return self._found(match["inside"], match[0], self._source.at(*keys))

        return _PLACEHOLDER.sub(replacement, text)

    def _found(self, inside: str | None, placeholder: str, where: str) -> str:
        if inside is None:
            raise StackError(
                "a placeholder has no end", where, "close ${ with }, or write $${ for ${"
            )
        kind, colon, name = inside.partition(":")
        reading = self._kinds.get(kind)
        if reading is None or not colon:
            near = suggestion(kind, self._kinds) if colon else f"did you mean ${{env:{inside}}}?"
            raise StackError(f"{placeholder!r} is no known placeholder", where, near)
        value = reading(name, where)
        if len(value) >= _SHORTEST:
            self._filled[value] = placeholder
        return value

    @property
    def _kinds(self) -> Mapping[str, Callable[[str, str], str]]:
        return {"env": self._variable, "file": self._file}

    def _variable(self, name: str, where: str) -> str:
        value = self._environ.get(name)
        if value is None:
            raise StackError(
                f"environment variable {name!r} is not set", where, f"set it: export {name}=..."
            )
        return value

    def _file(self, name: str, where: str) -> str:
        try:
            path = self._project / Path(name).expanduser()
            if os.path.exists(path) and not os.path.isfile(path):
                raise OSError(0, "it is not a regular file")
            with path.open(encoding="utf-8") as file:
                value = file.read(_LARGEST + 1)
        except OSError as error:
            raise _unreadable(name, where, str(error.strerror)) from None
        except (ValueError, RuntimeError):  # not UTF-8; a NUL in the path; no home for ~
            raise _unreadable(name, where, "it is not a text file") from None
        if len(value) > _LARGEST:
            raise _unreadable(name, where, "it is larger than 1 MiB")
        return value.removesuffix("\n").removesuffix("\r")


def _unreadable(name: str, where: str, why: str) -> StackError:
    return StackError(
        f"file {name!r} cannot be read: {why}", where, "put the value in that file, or name another"
    )
