"""Law L3: what a step's code reaches is in its fingerprint, and what does not matter is not."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from anabranch.engine.fingerprints import Fingerprint, Fingerprinter
from anabranch.model.code_parts import difference

Load = Callable[..., ModuleType]
Take = Callable[..., Fingerprint]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes a project into a folder of its own and imports `flow` from it, anew every time.

    `**{"pkg.mod": ...}` is the file `pkg/mod.py`.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path, before = sys.path.copy(), set(sys.modules)

    def forget() -> None:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            if str(tmp_path) in str(vars(sys.modules[name]).get("__file__")):
                del sys.modules[name]

    def loaded(flow: str, **modules: str) -> ModuleType:
        forget()
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, source in {**modules, "flow": flow}.items():
            file = folder / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(source))
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        return importlib.import_module("flow")

    yield loaded
    forget()


@pytest.fixture
def take(load: Load) -> Callable[..., Fingerprint]:
    return lambda *args, **modules: Fingerprinter().of(load(*args, **modules).step)


def changes(old: Fingerprint, new: Fingerprint) -> tuple[str, ...]:
    """What a user is told, after a check that the digest agrees with it."""
    lines = difference(old.parts, new.parts)
    assert (old.digest != new.digest) == bool(lines)
    return lines


def test_l3_the_same_code_in_another_folder_has_the_same_fingerprint(take: Take) -> None:
    source = "def step(x): return [each for each in x if each]"
    assert take(source) == take(source)


def test_a_fingerprint_names_what_the_code_consists_of(take: Take) -> None:
    fingerprint = take(
        """
        import numpy
        LIMIT = 3
        def clean(x): return x
        def step(x): return numpy.sum(clean(x)) + LIMIT
        """
    )
    assert {"flow.step", "flow.clean", "flow.LIMIT", "numpy", "python"} == fingerprint.parts.keys()
    assert fingerprint.parts["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert fingerprint.parts["numpy"] == f"=={importlib.import_module('numpy').__version__}"
    assert len(fingerprint.digest) == 32
    assert int(fingerprint.digest, 16) >= 0


STEP = """
def near(x):
    return x + 1

def step(x):
    return near(x)
"""


def test_l3_a_changed_body_changes_the_fingerprint(take: Take) -> None:
    new = take(STEP.replace("return near(x)", "return near(x) * 2"))
    assert changes(take(STEP), new) == ("flow.step changed",)


def test_l3_a_changed_helper_changes_the_fingerprint(take: Take) -> None:
    assert changes(take(STEP), take(STEP.replace("+ 1", "+ 2"))) == ("flow.near changed",)


def test_l3_a_helper_that_comes_and_one_that_goes_are_named(take: Take) -> None:
    old = take(STEP)
    new = take(STEP.replace("near", "far"))
    assert changes(old, new) == ("flow.far is new", "flow.near is gone", "flow.step changed")


def test_l3_comments_docstrings_blank_lines_and_order_do_not_matter(take: Take) -> None:
    new = take(
        '''
        """A module."""


        def step(x):
            """A step."""
            # A comment.
            return near(
                x
            )

        def near(x):
            "A helper."

            return (x +
                    1)
        '''
    )
    assert changes(take(STEP), new) == ()


def test_l3_a_docstring_counts_where_the_code_reads_it(take: Take) -> None:
    source = "'''one'''\ndef step(x): return __doc__"
    assert changes(take(source), take(source.replace("one", "two"))) == (
        "constant flow.__doc__ changed",
    )


def test_l3_a_text_that_begins_a_lambda_or_comprehension_is_not_a_docstring(take: Take) -> None:
    source = "def step(x): return (lambda: 'one'), ['two' for _ in x]"
    assert changes(take(source), take(source.replace("one", "1"))) == ("flow.step changed",)
    assert changes(take(source), take(source.replace("two", "2"))) == ("flow.step changed",)


def test_l3_a_text_that_is_docstring_and_value_counts_as_value(take: Take) -> None:
    source = "def step(x):\n    'one'\n    return 'one'"
    assert changes(take(source), take(source.replace("    'one'\n", ""))) == ()
    assert changes(take(source), take(source.replace("return 'one'", "return 'two'")))


def test_l3_what_a_try_covers_counts(take: Take) -> None:
    inside = """
    def step(x):
        try:
            x.a()
            x.b()
        except ValueError:
            pass
    """
    outside = """
    def step(x):
        try:
            x.a()
        except ValueError:
            pass
        x.b()
    """
    assert changes(take(inside), take(outside)) == ("flow.step changed",)


def test_l3_the_arms_of_an_if_count(take: Take) -> None:
    source = "def step(x):\n    if x: return 1\n    return 2"
    assert changes(take(source), take(source.replace("if x", "if not x"))) == ("flow.step changed",)


def test_l3_code_that_loops_forever_has_a_fingerprint(take: Take) -> None:
    source = "def step(x):\n    while True: pass"
    assert changes(take(source), take("def step(x):\n    while True: x")) in (
        (),
        ("flow.step changed",),
    )


def test_l3_the_text_of_a_file_edited_after_its_import_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edited_later.py"
    path.write_text("def step(x): return x + 1")
    monkeypatch.syspath_prepend(tmp_path)
    step = importlib.import_module("edited_later").step
    old = Fingerprinter().of(step)
    path.write_text("def step(x): return x + 2")
    assert Fingerprinter().of(step) == old


def test_l3_executed_text_has_a_fingerprint_like_a_file() -> None:
    def executed(source: str) -> Fingerprint:
        names: dict[str, Callable[..., object]] = {}
        exec(source, names)  # a notebook's cell, a template, a REPL
        return Fingerprinter().of(names["step"])

    source = "LIMIT = 1\ndef helper(x): return x\ndef step(x): return helper(x) + LIMIT"
    assert executed(source) == executed("\n\n" + source)
    assert changes(executed(source), executed(source.replace("LIMIT = 1", "LIMIT = 2")))
    assert changes(executed(source), executed(source.replace("return x\n", "return -x\n")))


def test_l3_a_constant_is_named_as_one(take: Take) -> None:
    source = "THRESHOLD = 1\ndef step(x): return x > THRESHOLD"
    assert changes(take(source), take(source.replace("1", "2"))) == (
        "constant flow.THRESHOLD changed",
    )


def test_l3_constants_that_are_equal_but_not_the_same_differ(take: Take) -> None:
    source = "VALUE = 1\ndef step(x): return x, VALUE"
    old = take(source)
    for other in ("True", "1.0", "'1'", "b'1'", "1+0j", "(1,)", "[1]", "{1}", "None"):
        assert changes(old, take(source.replace("VALUE = 1", f"VALUE = {other}")))
    inline = "def step(x): return x, 1"
    assert changes(take(inline), take(inline.replace("1", "1.0")))
    assert changes(take(inline.replace("1", "0.0")), take(inline.replace("1", "-0.0")))


def test_l3_a_default_and_a_keyword_default_are_named(take: Take) -> None:
    source = "def step(x, rate=1, *, depth=2): return x"
    assert changes(take(source), take(source.replace("1", "3"))) == (
        "flow.step default rate changed",
    )
    assert changes(take(source), take(source.replace("2", "3"))) == (
        "flow.step default depth changed",
    )


def test_l3_a_closure_value_is_named(take: Take) -> None:
    source = """
    def scaled(factor):
        def inner(x): return x * factor
        return inner
    double = scaled(2)
    def step(x): return double(x)
    """
    assert changes(take(source), take(source.replace("scaled(2)", "scaled(3)"))) == (
        "flow.double closure factor changed",
    )
    assert changes(take(source), take(source.replace("x * factor", "x + factor"))) == (
        "flow.double changed",
    )


def test_l3_two_helpers_that_swap_their_names_change_the_fingerprint(take: Take) -> None:
    source = """
    def one(x): return 1
    def two(x): return 2
    first, second = one, two
    def step(x): return first(x) - second(x)
    """
    assert changes(take(source), take(source.replace("= one, two", "= two, one")))


def test_l3_a_name_that_means_nothing_yet_is_recorded(take: Take) -> None:
    source = "def step(x): return later(x)"
    old, new = take(source), take(source + "\ndef later(x): return x")
    assert old.parts["flow.later"] == "unbound"
    assert changes(old, new) == ("flow.later was unbound",)
    assert changes(new, old) == ("flow.later is unbound",)


def test_mutual_recursion_and_a_class_that_names_itself_are_fine(take: Take) -> None:
    source = """
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    class Tree:
        def grow(self): return Tree()
    TREE = Tree()
    Tree.root = TREE
    def step(x): return even(x), TREE.grow()
    """
    assert changes(take(source), take(source.replace("n != 0", "n > 0"))) == ("flow.odd changed",)


def test_a_function_in_a_function_that_calls_itself_is_fine(take: Take) -> None:
    source = """
    def make():
        def inner(n): return 0 if n == 0 else inner(n - 1)
        return inner
    step = make()
    """
    assert changes(take(source), take(source)) == ()
    assert changes(take(source), take(source.replace("else inner", "else 1 + inner")))


def test_ten_thousand_helpers_in_a_chain_are_fine(take: Take) -> None:
    chain = "".join(f"def f{i}(x): return f{i + 1}(x)\n" for i in range(3_000))
    fingerprint = take(chain + "def f3000(x): return x\nstep = f0")
    assert len(fingerprint.parts) == 3_002


def test_a_fingerprinter_remembers_what_it_saw_and_lets_functions_go() -> None:
    def made(factor: int) -> Callable[[int], int]:
        return lambda x: x * factor

    fingerprinter = Fingerprinter()
    function = made(2)
    assert fingerprinter.of(function) is fingerprinter.of(function)
    assert fingerprinter.of(function) != fingerprinter.of(made(3))
    for factor in range(100):
        fingerprinter.of(made(factor))
    assert len(fingerprinter._known) == 1
    assert len(fingerprinter._parts) == 0


def test_l3_extra_objects_count(take: Take) -> None:
    def step(x: int) -> int:
        return x

    fingerprinter = Fingerprinter()
    plain = fingerprinter.of(step)
    one = fingerprinter.of(step, extra=[{"retries": 1}])
    two = fingerprinter.of(step, extra=[{"retries": 2}])
    label = f"{__name__}.test_l3_extra_objects_count.<locals>.step options"
    assert fingerprinter.of(step, extra=[{"retries": 1}]) == one
    assert changes(plain, one) == (f"{label} is new",)
    assert changes(one, two) == (f"{label} changed",)
    assert fingerprinter.of(step) == plain


def test_difference_tells_versions_apart_from_code() -> None:
    old = {
        "python": "3.11",
        "numpy": "==2.3.0",
        "flow.f": "aa",
        "flow.LIMIT": "=bb",
        "attrs": "==1",
    }
    assert difference(old, old) == ()
    assert difference(old, {**old, "numpy": "==2.4.6"}) == ("numpy 2.3.0 -> 2.4.6",)
    assert difference(old, {**old, "flow.g": "cc"}) == ("flow.g is new",)
    assert difference({**old, "flow.g": "cc"}, old) == ("flow.g is gone",)
    assert difference(old, {**old, "flow.NEW": "=cc"}) == ("constant flow.NEW is new",)
    assert difference(old, {**old, "flow.LIMIT": "cc"}) == ("flow.LIMIT changed",)


def test_difference_under_another_python_does_not_blame_the_code() -> None:
    old = {"python": "3.11", "flow.f": "aa", "flow.LIMIT": "=bb"}
    new = {"python": "3.12", "flow.f": "cc", "flow.LIMIT": "=dd"}
    assert difference(old, new) == ("constant flow.LIMIT changed", "python 3.11 -> 3.12")
