"""How a distribution adds to Anabranch: hooks that it implements, records that it yields, and the registry of both.

A plugin author needs no more than this room:

```python
from anabranch.plugins import Capabilities, OrchestratorRecord, hookimpl

ANABRANCH_API = 1

@hookimpl
def anabranch_orchestrators():
    yield OrchestratorRecord(name="mine", summary="...", create=create)
```
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.backends.capabilities import Capabilities as Capabilities
    from anabranch.plugins.discovery import API_VERSION as API_VERSION
    from anabranch.plugins.discovery import Plugin as Plugin
    from anabranch.plugins.discovery import Problem as Problem
    from anabranch.plugins.hookspecs import hookimpl as hookimpl
    from anabranch.plugins.records import ArtifactStoreRecord as ArtifactStoreRecord
    from anabranch.plugins.records import ExecutorRecord as ExecutorRecord
    from anabranch.plugins.records import JournalRecord as JournalRecord
    from anabranch.plugins.records import MaterializerRecord as MaterializerRecord
    from anabranch.plugins.records import Opening as Opening
    from anabranch.plugins.records import OrchestratorRecord as OrchestratorRecord
    from anabranch.plugins.registry import Registry as Registry
    from anabranch.plugins.settings import Settings as Settings

_NAMES = {
    "Capabilities": "anabranch.backends.capabilities",
    "API_VERSION": "anabranch.plugins.discovery",
    "Plugin": "anabranch.plugins.discovery",
    "Problem": "anabranch.plugins.discovery",
    "hookimpl": "anabranch.plugins.hookspecs",
    "ArtifactStoreRecord": "anabranch.plugins.records",
    "ExecutorRecord": "anabranch.plugins.records",
    "JournalRecord": "anabranch.plugins.records",
    "MaterializerRecord": "anabranch.plugins.records",
    "Opening": "anabranch.plugins.records",
    "OrchestratorRecord": "anabranch.plugins.records",
    "Registry": "anabranch.plugins.registry",
    "Settings": "anabranch.plugins.settings",
}

__all__ = [*_NAMES]  # noqa: PLE0604  (the names are strings, read from the table above)
__getattr__ = lazy(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
