"""A stack that is open: where runs are recorded and their artifacts kept, and what can be asked of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.interface import ArtifactStore
from anabranch.journal.events import Event
from anabranch.journal.interface import Journal
from anabranch.model.ids import RunId
from anabranch.plugins.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Close it, or use it in `with`.

    `home` is the project's `.anabranch/`, which need not exist yet. `capabilities` maps what is there to how, `lacks`
    what is not to why: together they are all capabilities. `problems` are lines about plugins that are left out; show
    them to the user, for nothing else does.
    """

    name: str
    project: Path
    home: Path
    journal: Journal
    store: ArtifactStore
    codecs: Codecs
    capabilities: Mapping[str, str]
    lacks: Mapping[str, str]
    lease_seconds: float
    problems: tuple[str, ...] = ()
    registry: Registry = field(repr=False)

    def observers(self, run: RunId) -> Sequence[Callable[[int, Event], None]]:
        """The plugins that watch: give them to the run's recorder."""
        return self.registry.observers(run)

    def close(self) -> None:
        """Closes each component, whatever the others do."""
        with ExitStack() as closing:
            closing.callback(self.journal.close)
            closing.callback(self.store.close)

    def __enter__(self) -> "Stack":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
