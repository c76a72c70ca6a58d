"""Small enough to hold.

These are the limits, not the aim: a file is usually about 150 lines, a function about 10. Tests are free.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def test_no_file_is_longer_than_400_lines() -> None:
    """A file past this holds two subjects."""
    too_long = [
        f"{path.relative_to(ROOT)}: {length} lines"
        for path in sources()
        if (length := len(path.read_text().splitlines())) > LONGEST_FILE
    ]

    assert too_long == []


def test_no_function_is_longer_than_60_lines() -> None:
    """Counted from `def` to the last line, the docstring included, decorators not."""
    too_long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {length} lines"
        for path in sources()
        for function in functions(path)
        if (length := last_line(function) - function.lineno + 1) > LONGEST_FUNCTION
    ]

    assert too_long == []


def test_the_sources_are_found() -> None:
    """Otherwise the two tests above pass by looking at nothing."""
    assert {path.relative_to(ROOT).parts[0] for path in sources()} == {"core", "plugins"}


def sources() -> list[Path]:
    return sorted([*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def last_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return function.end_lineno or function.lineno
