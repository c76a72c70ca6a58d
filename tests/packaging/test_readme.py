"""What the README tells a newcomer to type is what CI types, letter for letter."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_ci_runs_the_commands_of_the_readme() -> None:
    """The commands that a fresh clone starts with are those that make its environment."""
    told = [line for line in commands(ROOT / "README.md") if line.startswith("python3 -m venv")]
    run = {line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()}

    assert len(told) == 2, "one command to try it, one to test it"
    assert [line for line in told if line not in run] == []


def commands(page: Path) -> list[str]:
    blocks = FENCE.findall(page.read_text())
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [" ".join(line.removeprefix("$ ").split()) for line in joined.splitlines()]
