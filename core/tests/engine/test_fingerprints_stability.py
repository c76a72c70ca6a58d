"""Law L3: a fingerprint does not depend on what is not code: hash seed, process, `__main__`, layout of the text."""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import CodeType

import pytest

from anabranch.engine.fingerprinting.shapes import Shape, shape_of
from anabranch.engine.fingerprints import Fingerprinter

HELPERS = """
import re
LIMIT = {"a", "b", "c", "d"}
PATTERN = re.compile("[ab]+")
def clean(x): return [each for each in x if each in {"p", "q", "r", "s"}]
"""

FLOW = '''
"""A flow."""
import enum, functools, logging, threading
from dataclasses import dataclass, field
import numpy as np
import helpers
log = logging.getLogger(__name__)
NAME = __name__
LOCK = threading.Lock()
NAMES = frozenset({"one", "two", "three", ("four", "five")})
TABLE = {"a": {"x", "y", "z"}, "b": [{"u", "v", "w"}]}
class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
@dataclass
class Config:
    rate: float = 0.1
    tags: set[str] = field(default_factory=lambda: {"m", "n", "o"})
    colour: Colour = Colour.RED
    def scaled(self, k): return self.rate * k * len(helpers.LIMIT)
CONFIG = Config()
ARRAY = np.arange(12.0).reshape(3, 4)
HANDLERS = {Colour.RED: Config.scaled, Colour.GREEN: lambda self, k: {k, "s", "t"}}
@functools.lru_cache
def kept(x): return x in {"f", "g", "h"}
def step(x: Config, y: "list[Colour]" = ()) -> Config:
    log.info("%s %s", NAME, __name__)
    class Local:
        tags = {"i", "j", "k"}
        def method(self): return super().__init__(), self.a, self.b, self.c
    try:
        if x in NAMES and helpers.clean(x) or helpers.PATTERN.match(x): raise ValueError(x)
    except (ValueError, KeyError): return HANDLERS[Colour.RED], TABLE
    with LOCK: return np.sum(ARRAY), CONFIG, kept(x), Local, __file__
if __name__ == "__main__":
    report(step)
'''

REPORT = """
import json, sys
from anabranch.engine.fingerprints import Fingerprinter
def report(step):
    fingerprint = Fingerprinter().of(step)
    print(json.dumps([fingerprint.digest, fingerprint.parts]), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "reporting.py").write_text(REPORT)
    (tmp_path / "flow.py").write_text(
        FLOW.replace("report(step)", "__import__('reporting').report(step)")
    )
    return tmp_path


def run(folder: Path, seed: int, *arguments: str) -> list[object]:
    paths = [str(folder), *(each for each in sys.path if each)]
    process = subprocess.run(
        [sys.executable, "-B", *arguments],
        env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(paths)},
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = json.loads(process.stdout)
    assert isinstance(found, list)
    return found


def test_l3_neither_hash_seed_nor_main_nor_folder_matters(folder: Path, tmp_path: Path) -> None:
    code = "import flow, reporting; reporting.report(flow.step)"
    imported = run(folder, 1, "-c", code)
    assert imported == run(folder, 2, "-c", code)
    assert imported == run(folder, 3, "flow.py")
    assert imported == run(folder, 4, "-m", "flow")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in folder.glob("*.py"):
        (elsewhere / file.name).write_text(file.read_text())
    assert imported == run(elsewhere, 5, "flow.py")
    spawned = """
import multiprocessing, sys
if __name__ == "__main__":
    sys.argv = ["flow.py"]
    import flow, reporting
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(reporting.report, (flow.step,))
"""
    (folder / "spawning.py").write_text(spawned)
    assert imported == run(folder, 6, "spawning.py")


def test_l3_what_was_looked_at_before_does_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        flow, helpers = importlib.import_module("flow"), importlib.import_module("helpers")
        alone = {each: Fingerprinter().of(each) for each in (flow.step, flow.kept, helpers.clean)}
        for order in (list(alone), list(reversed(alone))):
            together = Fingerprinter()
            assert {each: together.of(each) for each in order} == alone
    finally:
        for name in ("flow", "helpers"):
            sys.modules.pop(name, None)


def test_l3_running_the_code_does_not_change_its_fingerprint() -> None:
    def step(x: int) -> int:
        total = 0
        for each in range(x):
            total += each if each % 2 else -each
        return total

    old = Fingerprinter().of(step)
    for _ in range(200):
        step(50)
    assert Fingerprinter().of(step) == old


def test_l3_a_traced_function_has_the_same_fingerprint() -> None:
    def step(x: int) -> int:
        return x + 1 if x else 0

    old = Fingerprinter().of(step)
    previous = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        step(1)
        assert Fingerprinter().of(step) == old
    finally:
        sys.settrace(previous)


LAYOUTS = [
    ("[a for a in b if a]", "[\n    a\n    for a in b\n    if a\n]"),
    (
        "[a for a in b if a and a is not c]",
        "[\n    a\n    for a in b\n    if a\n    and a is not c\n]",
    ),
    ("f(a, b, c, x)", "f(\n    a,\n    b,\n    c,\n    x,\n)"),
    (
        "a or b or not (c and x)",
        "(\n    a\n    or b\n    or not (\n        c\n        and x\n    )\n)",
    ),
    ("a if b else c if x else a", "(\n    a\n    if b\n    else c\n    if x\n    else a\n)"),
    ("{'a': a, 'b': b, **c}", "{\n    'a': a,\n    'b': b,\n    **c,\n}"),
    ("a.b.c(x).d[a:b]", "(\n    a.b\n    .c(x)\n    .d[\n        a:\n        b\n    ]\n)"),
    ("f'{a!r:>{b}}' 'c'", "(\n    f'{a!r:>{b}}'\n    'c'\n)"),
    ("lambda x: x + a", "(\n    lambda x:\n    x\n    + a\n)"),
    ("a < b < c", "(\n    a\n    < b\n    < c\n)"),
    ("not a or b is None", "(\n    not a\n    or b is None\n)"),
    ("'ab'", "'a' \\\n    'b'"),
    ("2 * 3 + x", "(\n    2\n    * 3\n) + x"),
]


@pytest.mark.parametrize(("one", "other"), LAYOUTS)
def test_l3_line_breaks_do_not_matter(one: str, other: str) -> None:
    def taken(expression: str) -> object:
        names: dict[str, object] = {"__name__": "flow"}
        indented = expression.replace("\n", "\n    ")
        exec(f"def step(a, b, c, x):\n    if x:\n        return {indented}", names)
        step = names["step"]
        assert callable(step)
        return Fingerprinter().of(step)

    assert taken(one) == taken(other)


STATEMENTS = """
def step(a, b):
    try:
        while True:
            if a: continue
            if b: break
            for each in a:
                if each: pass
                else: break
            else: return 1
    except ValueError as e: raise KeyError from e
    finally: b()
    with a as x, b as y: return x, y
    match a:
        case [1, *rest]: return rest
        case {"k": v} if v: return v
        case str() | int(): return 2
    assert a, b
    del a
    async def inner(): return [each async for each in b if await each]
    return inner
"""


def test_l3_comments_and_blank_lines_between_statements_do_not_matter() -> None:
    spread = ["", "", "# first"]
    for line in STATEMENTS.splitlines():
        spread += [line + "  # here", "", "# there"]
    assert shape(STATEMENTS).digest == shape("\n".join(spread)).digest


def shape(source: str) -> Shape:
    return shape_of(compile(dedent(source), "<text>", "exec", dont_inherit=True))


@pytest.mark.parametrize(
    "name", ["argparse", "textwrap", "json.decoder", "heapq", "zipfile", "ast"]
)
def test_l3_rewriting_a_real_module_in_another_layout_changes_nothing(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    source = Path(file).read_text(encoding="utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(
            node
        ):
            node.body[0] = ast.Expr(ast.Constant("Another docstring."))
    rewritten = ast.unparse(ast.fix_missing_locations(tree))
    assert shape(source).digest == shape(rewritten).digest


@pytest.mark.parametrize("name", ["argparse", "textwrap", "json.decoder", "heapq"])
def test_l3_every_function_of_a_real_module_has_a_shape_of_its_own(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    module = compile(Path(file).read_text(encoding="utf-8"), file, "exec", dont_inherit=True)
    by_digest: dict[bytes, set[tuple[object, ...]]] = {}
    for code in codes(module):
        raw = (
            code.co_name,
            code.co_code,
            code.co_names,
            code.co_varnames,
            repr(code.co_consts[1:]),
        )
        by_digest.setdefault(shape_of(code).digest, set()).add(raw[:4])
    assert [each for each in by_digest.values() if len(each) > 1] == []


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)
