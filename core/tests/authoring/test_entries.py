"""A run's pipeline is found again by what the run recorded of it, wherever the file is by then."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anabranch.authoring.entries import entry_of, load_pipeline, reload_pipeline
from anabranch.errors import EntryError

FLOW = """
from anabranch import pipeline, step

@step
def one() -> int:
    return 1

@pipeline
def flow():
    return one()
"""

TWO = (
    FLOW
    + """
@pipeline(name="renamed")
def other():
    return one()
"""
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Modules that are imported here are forgotten, and so is where they were found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(name: str, text: str = FLOW) -> Path:
    path = Path(name).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def entry(found: Any) -> dict[str, Any]:
    return dict(entry_of(found._definition))


@pytest.mark.parametrize(
    "target", ["entry_a.py", "entry_a.py:flow", "./entry_a.py:flow", "entry_a:flow"]
)
def test_a_target_names_a_file_or_a_module_and_perhaps_a_pipeline(target: str) -> None:
    write("entry_a.py")

    assert load_pipeline(target).name == "flow"


@pytest.mark.parametrize("name", ["other", "renamed"])
def test_a_pipeline_is_found_by_its_function_and_by_its_own_name(name: str) -> None:
    write("entry_b.py", TWO)

    assert load_pipeline(f"entry_b.py:{name}").name == "renamed"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("missing.py", "no such file"),
        ("missing_module:flow", "no module"),
        ("entry_c.py:flwo", "did you mean 'flow'"),
        ("entry_c.py", "2 pipelines"),
        ("entry_empty.py", "no pipeline in it"),
    ],
)
def test_L11_a_target_that_leads_nowhere_is_told_in_three_lines(target: str, told: str) -> None:
    write("entry_c.py", TWO)
    write("entry_empty.py", "x = 1")

    with pytest.raises(EntryError, match=told) as caught:
        load_pipeline(target)
    assert len(str(caught.value).splitlines()) == 3


def test_an_error_in_the_users_file_is_a_mistake_in_it_and_its_cause() -> None:
    write("entry_d.py", "import nothing_of_that_name")

    with pytest.raises(EntryError, match="nothing_of_that_name") as told:
        load_pipeline("entry_d.py")

    assert isinstance(told.value.__cause__, ModuleNotFoundError)


def test_what_a_run_records_leads_back_to_the_pipeline() -> None:
    write("entry_e.py", TWO)
    recorded = entry(load_pipeline("entry_e.py:other"))
    del sys.modules["entry_e"]

    assert reload_pipeline(recorded).name == "renamed"


def test_a_project_that_was_moved_is_found_by_the_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine, or in a clone."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    monkeypatch.chdir(old)
    write("sub/entry_f.py")
    recorded = entry(load_pipeline("sub/entry_f.py"))
    del sys.modules["entry_f"]
    monkeypatch.chdir(tmp_path)
    old.rename(new)
    monkeypatch.chdir(new)

    assert reload_pipeline(recorded).name == "flow"


def test_a_pipeline_that_is_gone_is_told_with_the_file() -> None:
    path = write("entry_g.py")
    recorded = entry(load_pipeline("entry_g.py"))
    del sys.modules["entry_g"]
    path.write_text(FLOW.replace("def flow", "def stream"))

    with pytest.raises(EntryError, match="stream") as caught:
        reload_pipeline(recorded)
    assert "entry_g.py" in str(caught.value)


def test_a_file_that_is_called_like_a_module_that_is_loaded_is_not_taken_for_it() -> None:
    write("json.py")

    assert load_pipeline("json.py").name == "flow"
    assert sys.modules["json"].__file__ != str(Path("json.py").absolute())


def test_a_pipeline_in_a_package_keeps_its_relative_imports() -> None:
    write("pack_h/__init__.py", "")
    write("pack_h/parts.py", "def value():\n    return 1\n")
    write("pack_h/entry_h.py", "from .parts import value\n" + FLOW)

    assert load_pipeline("pack_h.entry_h:flow").name == "flow"
    recorded = entry(load_pipeline("pack_h.entry_h:flow"))
    for name in ("pack_h", "pack_h.parts", "pack_h.entry_h"):
        sys.modules.pop(name)

    assert reload_pipeline(recorded).name == "flow"
