"""Imports fall one way, and none of them hides.

The contracts are in pyproject.toml. They are checked here as well as by `nox -s imports`, so that whoever runs
only the tests hears of a broken one.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "src"
PLUGINS = ROOT / "plugins"

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


def test_every_contract_is_kept() -> None:
    """Cli, authoring, engine, ... errors: the order of the rooms is the order of imports."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    lint = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_no_import_hides_in_a_function_of_the_core() -> None:
    """If an import only works inside a function, the layering is wrong."""
    hidden = [f"{place} in {' > '.join(inside)}" for place, inside in hidden_imports(CORE)]

    assert hidden == []


def test_a_plugin_hides_imports_in_create_only() -> None:
    """A plugin's record can be listed without its SDK; `create` is where the SDK is loaded."""
    hidden = [
        f"{place} in {' > '.join(inside)}"
        for place, inside in hidden_imports(PLUGINS)
        if not any(name.lstrip("_").split("_")[0] == "create" for name in inside)
    ]

    assert hidden == []


def hidden_imports(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield where each import within a function is, and the names of the functions around it."""
    for path in sorted(folder.glob("**/src/**/*.py" if folder == PLUGINS else "**/*.py")):
        for line, inside in imports_below(ast.parse(path.read_text()), ()):
            yield f"{path.relative_to(ROOT)}:{line}", inside


def imports_below(node: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom) and inside:
            yield child.lineno, inside
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports_below(child, (*inside, child.name) if is_function else inside)
