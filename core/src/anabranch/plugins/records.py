"""What a plugin yields: a name, a sentence, and how to make the component once a stack has chosen it.

A record is listed without importing what it stands for. So what is heavy is named by a *reference*, a text such as
`"my_plugin.settings:MySettings"`, which is imported when it is needed, and `create` imports its SDK inside itself.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from anabranch import backends
from anabranch.artifacts.interface import ArtifactStore, Codec
from anabranch.backends.capabilities import Capabilities
from anabranch.journal.interface import Journal

S = TypeVar("S")


class Validate(Protocol):
    """Makes an instance of a settings model from a table. Raises `StackError`, which names the key and its line."""

    def __call__(self, model: type[S], table: Mapping[str, object]) -> S: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What `create` is given: the stack that is being opened, and what it says of this component.

    `home` is the project's `.anabranch/`. `location` is a URI as the stack gives it, or an absolute path; `None` means
    that the stack chose the component by its name alone. `table` are its settings as they stand in the file. Both may
    hold secrets, for placeholders are filled in: keep them out of texts.
    """

    stack: str
    project: Path
    home: Path
    location: str | None = field(default=None, repr=False)
    table: Mapping[str, object] = field(default_factory=dict, repr=False)
    validate: Validate = field(repr=False)

    def settings(self, model: type[S]) -> S:
        """The settings as the plugin's own model, defaults filled in. Raises `StackError`."""
        return self.validate(model, self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records say.

    `name` is what a stack writes to choose it; `summary` one line for `anabranch plugins`. `settings` refers to a
    subclass of `anabranch.plugins.Settings`; `None` means that there is nothing to set. `check` refers to a function
    that takes the created component, proves that it can be reached and used, and says in one line what it saw; `None`
    leaves it at what every component of the role can do.
    """

    role: ClassVar[str] = "component"

    name: str
    summary: str
    settings: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorRecord(Record):
    """Runs drivers. `create=None` means that the driver runs in the process that starts the run."""

    role: ClassVar[str] = "orchestrator"

    create: "Callable[[Opening], backends.Backend] | None"
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorRecord(Record):
    """Runs isolated steps."""

    role: ClassVar[str] = "executor"

    create: "Callable[[Opening], backends.Backend]"
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStoreRecord(Record):
    """Keeps artifacts. `schemes` are those of the URIs that choose it (`"s3"`); `"file"` stands for plain paths too."""

    role: ClassVar[str] = "artifact store"

    create: Callable[[Opening], ArtifactStore]
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRecord(Record):
    """Keeps the events of runs. `schemes` as in `ArtifactStoreRecord`."""

    role: ClassVar[str] = "journal"

    create: Callable[[Opening], Journal]
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializerRecord(Record):
    """Makes the codec called `name`, once a value needs it: one whose class derives from a class of `packages`.

    `packages` are top-level names (`"torch"`), so that a value of another type imports nothing. `reads_items` says that
    it is a `SequenceCodec`.
    """

    role: ClassVar[str] = "materializer"

    create: Callable[[], Codec]
    packages: tuple[str, ...]
    reads_items: bool = False


def resolved(reference: str) -> Any:
    """What `"module:name"` refers to. Raises whatever the import raises, or `AttributeError`."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
