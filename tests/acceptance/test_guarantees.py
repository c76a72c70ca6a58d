"""The page of guarantees names a test for each promise, and the tests are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/guarantees-today.md").read_text(encoding="utf-8")
PROMISES = re.split(r"\n(?=\*\*)", PAGE.partition("## Promised")[2].partition("\n## ")[0])[1:]

_PROOF = re.compile(r"^- (?:`(?P<test>test_\w+)` in )?`(?P<file>[\w/]+\.py)`$", re.MULTILINE)


def test_the_promises_are_found() -> None:
    """Otherwise the test below passes by looking at nothing."""
    assert len(PROMISES) > 15


@pytest.mark.parametrize("promise", PROMISES, ids=lambda text: text[2:].partition(".**")[0])
def test_a_promise_names_tests_that_there_are(promise: str) -> None:
    proofs = list(_PROOF.finditer(promise))

    assert proofs
    assert len(proofs) == promise.count("\n- ")
    for proof in proofs:
        assert proof["test"] is None or proof["test"] in names_in(ROOT / proof["file"])


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
