"""`anabranch stack ls`, `show` and `check`, and `anabranch plugins`: where a run would happen, and with what."""

from collections.abc import Mapping, Sequence

from anabranch import console
from anabranch.backends.capabilities import CAPABILITIES
from anabranch.cli.exits import COMPLETED, FAILED
from anabranch.cli.grammar import Request
from anabranch.cli.output import Output
from anabranch.console.tables import Cell
from anabranch.journal.events import Json
from anabranch.plugins.registry import Registry
from anabranch.stacks import check_stack, describe_stack, list_stacks
from anabranch.stacks.checking import CheckRow


def stack_ls(request: Request, output: Output) -> int:
    """The stacks that can be chosen here."""
    found = list_stacks()
    if output.is_json:
        output.document(
            {
                "stacks": [
                    {
                        "name": stack.name,
                        "source": stack.source,
                        "active": stack.is_active,
                        "problem": stack.problem or None,
                    }
                    for stack in found
                ]
            }
        )
        return COMPLETED
    rows: list[list[Cell]] = [
        [
            console.print_mark("completed") if stack.is_active else "",
            (stack.name, "bold"),
            (stack.problem, "failed") if stack.problem else (stack.source, "dim"),
        ]
        for stack in found
    ]
    console.print_table(["active", "stack", "where it is written"], rows)
    return COMPLETED


def stack_show(request: Request, output: Output) -> int:
    """What a stack consists of, and what it can do."""
    found = describe_stack(request.name)
    if output.is_json:
        output.document(
            {
                "name": found.name,
                "source": found.source,
                "active": found.is_active,
                "project": str(found.project),
                "home": str(found.home),
                "settings": [
                    {"key": row.key, "value": row.value, "default": row.is_default}
                    for row in found.rows
                ],
                **_abilities(found.capabilities, found.lacks),
                "problems": list(found.problems),
            }
        )
        return COMPLETED
    active = " (active)" if found.is_active else ""
    rows: list[list[Cell]] = [
        [("stack", "dim"), (f"{found.name}{active}", "bold")],
        [("written in", "dim"), found.source],
        [("project", "dim"), str(found.project)],
        [("home", "dim"), str(found.home)],
    ]
    rows += [[(row.key, "dim"), (row.value, "dim" if row.is_default else "")] for row in found.rows]
    console.print_table(["", ""], rows)
    _print_abilities(found.capabilities, found.lacks)
    output.warn(found.problems)
    return COMPLETED


def stack_check(request: Request, output: Output) -> int:
    """Reaches every component; 1 if one of them is not as it should be."""
    report = check_stack(request.name)
    if output.is_json:
        output.document(
            {
                "name": report.name,
                "source": report.source,
                "ok": report.is_ok,
                "checks": [check_document(row) for row in report.rows],
                **_abilities(report.capabilities, report.lacks),
                "problems": list(report.problems),
            }
        )
    else:
        print(f"stack {report.name}, {report.source}\n")
        print_checks(report.rows)
        _print_abilities(report.capabilities, report.lacks)
        output.warn(report.problems)
    return COMPLETED if report.is_ok else FAILED


def plugins(request: Request, output: Output) -> int:
    """What is installed, what it brings, and what is left out."""
    registry = Registry.installed()
    problems: list[Json] = [str(problem) for problem in registry.problems]
    if output.is_json:
        output.document(
            {
                "plugins": [
                    {"name": plugin.name, "distribution": plugin.distribution}
                    for plugin in registry.plugins
                ],
                "components": [
                    {
                        "role": item.record.role,
                        "name": item.record.name,
                        "summary": item.record.summary,
                        "plugin": item.plugin.name,
                    }
                    for item in registry.provided
                ],
                "blocked": list(registry.blocked),
                "problems": problems,
            }
        )
        return COMPLETED
    rows: list[list[Cell]] = [
        [
            item.record.role,
            (item.record.name, "bold"),
            (item.plugin.distribution, "dim"),
            item.record.summary,
        ]
        for item in sorted(registry.provided, key=lambda item: (item.record.role, item.record.name))
    ]
    console.print_table(["role", "name", "from", "what it is"], rows)
    if registry.blocked:
        output.note(f"left out by wish: {', '.join(registry.blocked)}")
    output.warn(map(str, registry.problems))
    return COMPLETED


def print_checks(rows: Sequence[CheckRow]) -> None:
    """One line for each component, three for one that failed."""
    cells: list[list[Cell]] = [
        [
            console.print_mark("completed" if row.is_ok else "failed"),
            row.component,
            row.detail if row.is_ok else (row.detail, "failed"),
        ]
        for row in rows
    ]
    console.print_table(["", "", ""], cells)


def check_document(row: CheckRow) -> dict[str, Json]:
    """One component."""
    return {"component": row.component, "ok": row.is_ok, "detail": row.detail}


def _abilities(present: Mapping[str, str], lacks: Mapping[str, str]) -> dict[str, Json]:
    return {"capabilities": {**present}, "lacks": {**lacks}}


def _print_abilities(present: Mapping[str, str], lacks: Mapping[str, str]) -> None:
    rows: list[list[Cell]] = []
    for name, meaning in CAPABILITIES.items():
        if name in present:
            how = f" ({present[name]})" if present[name] else ""
            rows.append([console.print_mark("completed"), name, f"{meaning.text}{how}"])
        elif name in lacks:
            rows.append([("-", "dim"), (name, "dim"), (f"not here: {lacks[name]}", "dim")])
    if rows:
        print()
        console.print_table(["", "", ""], rows)
