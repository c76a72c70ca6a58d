"""Reads the files that define stacks. Knows TOML, and not what is in it beyond whose table it is."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anabranch.errors import StackError, suggestion
from anabranch.stacks.sources import Source

_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class ProjectTable:
    """What `[tool.anabranch]` says. `default` is the stack to use when nobody names one."""

    source: Source
    default: str | None = None
    stacks: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def read_stack_file(path: Path, label: str) -> tuple[Source, Mapping[str, object]]:
    """The whole file is one stack. Raises `StackError`."""
    text = _text(path, label)
    return Source(label, text), _parsed(text, label)


def read_pyproject(path: Path) -> ProjectTable:
    """The table `[tool.anabranch]`, if there is one. Raises `StackError`."""
    text = _text(path, "pyproject.toml")
    if "anabranch" not in text:
        return ProjectTable(Source("pyproject.toml"))
    source = Source("pyproject.toml", text, ("tool", "anabranch"))
    tools = _parsed(text, "pyproject.toml").get("tool", {})
    ours = tools.get("anabranch", {}) if isinstance(tools, Mapping) else {}
    return _project_table(_table(ours, source), source)


def _project_table(ours: Mapping[str, object], source: Source) -> ProjectTable:
    for key in ours:
        if key not in ("default", "stacks"):
            raise StackError(
                f"[tool.anabranch] has no key {key!r}",
                source.at(key),
                suggestion(key, ("default", "stacks")),
            )
    default = ours.get("default")
    if default is not None and not isinstance(default, str):
        raise StackError(
            "the default stack is not a text", source.at("default"), 'write default = "NAME"'
        )
    tables = _table(ours.get("stacks", {}), source, "stacks")
    named = {name: _table(table, source, "stacks", name) for name, table in tables.items()}
    return ProjectTable(source, default, named)


def _table(value: object, source: Source, *keys: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        name = ".".join((*source.prefix, *keys))
        raise StackError(
            f"{name!r} is not a table", source.at(*keys), "write it as a table of its own: [...]"
        )
    return value


def _text(path: Path, label: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise StackError(
            f"the file cannot be read: {error.strerror}", label, "make it readable, or remove it"
        ) from None
    except UnicodeDecodeError:
        raise StackError(
            "the file is not UTF-8 text", label, "save it as UTF-8, as TOML asks for"
        ) from None


def _parsed(text: str, label: str) -> Mapping[str, object]:
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise _too_deep(label) from None
    except ValueError as error:
        what = " ".join(str(error).split())
        raise StackError(f"this is not TOML: {what}", label, "mend that line") from None
    if _is_deeper(table, _DEEPEST):
        raise _too_deep(label)
    return table


def _too_deep(label: str) -> StackError:
    return StackError(
        f"tables or lists lie more than {_DEEPEST} deep in each other", label, "make it flatter"
    )


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value)
    return False
