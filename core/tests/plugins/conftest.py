"""Distributions that exist for one test: found as installed ones are, by `importlib.metadata` on `sys.path`."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]

HEAD = "from anabranch.plugins import *\nANABRANCH_API = 1\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("name", source)` makes distribution `name` 1.0 with a plugin called `name`, or `plugin=`."""
    monkeypatch.delenv("ANABRANCH_PLUGINS", raising=False)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(name: str, source: str, *, plugin: str = "", version: str = "1.0") -> None:
        module = f"plugin_of_{name.replace('-', '_')}"
        (site / f"{module}.py").write_text(dedent(source))
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[anabranch]\n{plugin or name} = {module}\n")
        importlib.invalidate_caches()

    yield install
    for module in [name for name in sys.modules if name.startswith("plugin_of_")]:
        del sys.modules[module]


@pytest.fixture
def toy() -> str:
    """A plugin with one orchestrator, called `toy`."""
    return HEAD + dedent(
        """
        @hookimpl
        def anabranch_orchestrators():
            yield OrchestratorRecord(name="toy", summary="plays", create=None)
        """
    )
