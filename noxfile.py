"""The workshop. `nox` checks what you changed, `nox -l` names every session.

It needs Python and pip, nothing else; where uv is installed it is used, because it is faster.
Arguments after `--` go to the tool: `nox -s tests -- -k resume`.
"""

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"

IN_CI = "CI" in os.environ
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys(["3.11", "3.12", "3.13", HERE]))
OURS = [
    Path("core"),
    *sorted(pyproject.parent for pyproject in Path("plugins").glob("*/pyproject.toml")),
]

HELD = ["-c", "constraints.txt"]  # so that tomorrow's release of a package breaks nobody today

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = IN_CI  # a skipped Python is a Python nobody tested
nox.options.sessions = [f"tests-{HERE}", "lint", "types", "imports"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; slow ones only in CI, or when you ask for them with `-- -m slow`."""
    install(session, "test")
    chosen = session.posargs if IN_CI or session.posargs else ["-m", "not slow"]
    side_by_side = ["--numprocesses=auto", "--dist=worksteal"]
    session.run("pytest", "--timeout=300", "--ignore=tests/typing", *side_by_side, *chosen)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and for formatting that differs; `nox -s fmt` mends what it can."""
    session.install(*HELD, "ruff")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(default=False)
def fmt(session: nox.Session) -> None:
    """Format the code and mend what can be mended without thinking."""
    session.install(*HELD, "ruff")
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: the source with mypy, and with pyright what a user's editor sees."""
    install(session, "test", "lint")
    session.run("mypy", *(str(path / "src") for path in OURS))
    session.run("pyright")
    session.run("pytest", "--timeout=300", "tests/typing")  # needs both checkers


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports fall one way; the contracts are in pyproject.toml."""
    install(session, "test")
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/; every warning is an error."""
    install(session, "docs")
    quiet = {"NO_MKDOCS_2_WARNING": "1"}  # answered in docs/decisions/0001-mkdocs-material.md
    session.run("mkdocs", "build", "--strict", env=quiet)


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example from beginning to end."""
    install(session, "test")
    for example in sorted(Path("examples").rglob("*.py")):
        session.run("anabranch", "run", str(example))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory; bench/README.md says how to read the numbers."""
    install(session, "test", "bench")
    session.run("python", "bench/run.py", *session.posargs)


def install(session: nox.Session, *groups: str) -> None:
    """Install our distributions, editable, with some dependency groups of pyproject.toml."""
    needs = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), *groups)
    ours = [part for path in OURS for part in ("-e", f"./{path}")]
    session.install(*HELD, *needs, *ours)
