"""`anabranch doctor` and `anabranch version`: is this installation, and this project, fit to run something?"""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from anabranch import __version__
from anabranch.cli.exits import COMPLETED, FAILED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.cli.surroundings import check_document, print_checks
from anabranch.errors import AnabranchError, StackError
from anabranch.plugins.registry import Registry
from anabranch.stacks import check_stack
from anabranch.stacks.checking import CheckRow
from anabranch.stacks.places import places


def version(request: Request, output: Output) -> int:
    """The version, and the Python that it runs on."""
    if output.is_json:
        output.document(
            {
                "anabranch": __version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
            }
        )
    else:
        print(f"anabranch {__version__} (Python {platform.python_version()})")
    return COMPLETED


def doctor(request: Request, output: Output) -> int:
    """Looks at everything that a run needs; 1 if something is wrong."""
    rows = [*_rows(request.stack)]
    is_ok = all(row.is_ok for row in rows)
    if output.is_json:
        output.document({"ok": is_ok, "checks": [check_document(row) for row in rows]})
    else:
        print_checks(rows)
    return COMPLETED if is_ok else FAILED


def _rows(stack: str | None) -> Iterator[CheckRow]:
    yield _row("python", lambda: f"{platform.python_version()} at {sys.executable}")
    yield _row("anabranch", lambda: f"{__version__} in {Path(__file__).parents[1]}")
    yield from _plugins()
    yield _row("project", lambda: str(places().project))
    yield _row("home", _home)
    try:
        report = check_stack(stack)
    except AnabranchError as error:
        yield CheckRow("stack", False, str(error))
        return
    yield CheckRow("stack", True, f"{report.name}, {report.source}")
    yield from report.rows


def _row(component: str, probe: Callable[[], str]) -> CheckRow:
    try:
        return CheckRow(component, True, probe())
    except AnabranchError as error:
        return CheckRow(component, False, str(error))


def _plugins() -> Iterator[CheckRow]:
    try:
        registry = Registry.installed()
    except AnabranchError as error:
        yield CheckRow("plugins", False, str(error))
        return
    named = [f"{plugin.name} ({plugin.distribution})" for plugin in registry.plugins]
    yield CheckRow("plugins", True, ", ".join(named) or "none are installed")
    for problem in registry.problems:
        yield CheckRow("plugin", False, str(problem))


def _home() -> str:
    """Whether runs can be recorded there, found out without making anything."""
    home = places().home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StackError(
            f"{existing} cannot be written to",
            f"the home of this project's runs, {home}",
            "make it writable, or choose another place with ANABRANCH_HOME",
        )
    return f"{home} ({'is there' if home.exists() else 'is made by the first run'})"
