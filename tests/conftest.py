"""What the tests here stand on: a project of their own, so that no run is written anywhere else."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

_QUIET = {"ANABRANCH_CONSOLE": "quiet", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_OURS = ("ANABRANCH_HOME", "ANABRANCH_STACK", "ANABRANCH_PLUGINS", "XDG_CONFIG_HOME")


@dataclass
class Project:
    """A folder with a user's files in it. Modules that `load` has imported are forgotten when the test ends."""

    folder: Path
    loaded: set[str] = field(default_factory=set)

    def write(self, text: str, name: str = "flow.py") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, text: str, name: str = "flow.py") -> ModuleType:
        """Writes the file and imports it afresh under its own name, as the next process would."""
        path = self.write(text, name)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        assert path.stem in self.loaded or path.stem not in sys.modules
        self.loaded.add(path.stem)
        sys.modules[path.stem] = made
        spec.loader.exec_module(made)
        return made

    def python(
        self, *arguments: str | Path, timeout: float = 60, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `python ARGUMENTS...` in the project, to its end, however it ends."""
        command = [sys.executable, "-W", "error", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty project, which is the current directory; runs are kept in its `.anabranch/` and shown to nobody."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**_QUIET, "HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANABRANCH_HOME", str(tmp_path / "project" / ".anabranch"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a file that is edited twice in a second
    made = Project(folder)
    yield made
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(f"{tmp_path}/"):
            del sys.modules[name]
