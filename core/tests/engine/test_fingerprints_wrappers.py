"""Law L3: decorated functions, objects that wrap functions, and functions made by functions."""

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


DECORATORS = """
import functools
def twice(function):
    @functools.wraps(function)
    def wrapper(*args): return function(function(*args)), 1
    return wrapper
def named(name):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args): return name, function(*args)
        return wrapper
    return decorate
class Memo:
    def __init__(self, function, size):
        functools.update_wrapper(self, function)
        self.function, self.size = function, size
    def __call__(self, *args): return self.function(*args), 2
"""


@pytest.mark.parametrize("decorators", ["@twice", "@named('a')\n@twice", "@twice\n@named('a')"])
def test_l3_a_decorated_helper_counts_with_its_decorators(take: Take, decorators: str) -> None:
    flow = f"""
from decorators import *
{decorators}
def helper(x): return x * 10
def step(x): return helper(x)
"""
    old = take(flow, decorators=DECORATORS)
    assert changes(old, take(flow, decorators=DECORATORS)) == ()
    for lines in (
        changes(old, take(flow.replace("* 10", "* 11"), decorators=DECORATORS)),
        changes(old, take(flow, decorators=DECORATORS.replace(", 1", ", 9"))),
        changes(old, take(flow.replace("'a'", "'b'"), decorators=DECORATORS)) or ["flow.helper"],
    ):
        assert len(lines) == 1
        assert lines[0].startswith("flow.helper")


def test_l3_an_object_that_wraps_a_function_counts_with_both(take: Take) -> None:
    flow = """
    from decorators import Memo
    from functools import lru_cache, partial
    @partial(Memo, size=3)
    def helper(x): return x * 10
    @lru_cache
    def kept(x): return x * 20
    def step(x): return helper(x), kept(x)
    """
    old = take(flow, decorators=DECORATORS)
    assert changes(old, take(flow.replace("* 10", "* 11"), decorators=DECORATORS)) == (
        "flow.helper changed",
    )
    assert changes(old, take(flow.replace("* 20", "* 21"), decorators=DECORATORS)) == (
        "flow.kept changed",
    )
    assert changes(old, take(flow.replace("size=3", "size=4"), decorators=DECORATORS)) == (
        "flow.helper changed",
    )
    assert changes(old, take(flow, decorators=DECORATORS.replace(", 2", ", 9"))) == (
        "decorators.Memo.__call__ changed",
    )


def test_l3_single_dispatch_counts_with_what_was_registered(take: Take) -> None:
    flow = """
    from functools import singledispatch
    @singledispatch
    def show(x): return 1
    @show.register
    def _(x: int): return 2
    def step(x): return show(x)
    """
    old = take(flow)
    assert changes(old, take(flow)) == ()
    assert changes(old, take(flow.replace("return 1", "return 9")))
    assert changes(old, take(flow.replace("return 2", "return 9")))


def test_l3_a_wrapper_may_add_objects_that_matter(load: Load) -> None:
    flow = load(
        """
        class Wrapper:
            def __init__(self, function, option):
                self.__wrapped__, self.option = function, option
                self.__module__, self.__qualname__ = function.__module__, function.__qualname__
            def __anabranch_fingerprint__(self): return [self.option]
            def __call__(self, x): return self.__wrapped__(x)
        Wrapper.__module__ = "anabranch.stand_in"
        def plain(x, y=1): return x
        def helper(x): return x
        helper = Wrapper(helper, 1)
        def step(x): return helper(x)
        """
    )
    one, two = (Fingerprinter().of(flow.Wrapper(flow.plain, option)) for option in (1, 2))
    assert one.parts.keys() == {
        "flow.plain",
        "flow.plain options",
        "flow.plain default y",
        "python",
    }
    assert changes(one, two) == ("flow.plain options changed",)
    assert Fingerprinter().of(flow.step).parts.keys() == {
        "flow.step",
        "flow.helper",
        "flow.helper options",
        "python",
    }


def test_l3_an_attribute_of_a_function_counts_where_it_is_read(take: Take) -> None:
    flow = "def helper(x): return x\nhelper.rate = 1\ndef step(x): return helper.rate"
    assert changes(take(flow), take(flow.replace("rate = 1", "rate = 2"))) == (
        "constant flow.helper.rate changed",
    )


def test_l3_a_function_made_in_a_function_counts_where_it_is_held(take: Take) -> None:
    flow = """
    def outer():
        def helper(x): return x
        class Local:
            def method(self): return 1
        def step(x): return helper(x), Local()
        return step
    step = outer()
    """
    old = take(flow)
    assert changes(old, take(flow)) == ()
    assert changes(old, take(flow.replace("return x\n", "return -x\n"))) == (
        "flow.outer.<locals>.step closure helper changed",
    )
    assert changes(old, take(flow.replace("return 1", "return 2"))) == (
        "flow.outer.<locals>.step closure Local changed",
    )


def test_l3_a_step_counts_like_its_function_wherever_it_is_called(take: Take) -> None:
    flow = """
    from anabranch import step as a_step
    @a_step
    def helper(x: int) -> int: return x + 1
    @a_step
    def step(x: int) -> int: return helper(x)
    """
    old = take(flow)
    assert old.parts.keys() == {"flow.step", "flow.helper", "python"}
    assert changes(old, take(flow.replace("+ 1", "+ 2"))) == ("flow.helper changed",)
    assert old == take(dedent(flow) + "step = step.__wrapped__")
