"""Law L3: how far a fingerprint reaches, from a function through modules, classes, decorators and imports."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from anabranch.engine.fingerprints import Fingerprint, Fingerprinter, difference

Load = Callable[..., ModuleType]


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


Take = Callable[..., Fingerprint]


def changes(old: Fingerprint, new: Fingerprint) -> tuple[str, ...]:
    """What a user is told, after a check that the digest agrees with it."""
    lines = difference(old.parts, new.parts)
    assert (old.digest != new.digest) == bool(lines)
    return lines


HELPERS = """
LIMIT = 1
def deep(x): return x * 2
def wide(x): return deep(x) * 3
def unused(x): return x * 4
"""


@pytest.mark.parametrize(
    "flow",
    [
        "import helpers\ndef step(x): return helpers.wide(x), helpers.LIMIT",
        "import helpers as h\ndef step(x): return h.wide(x), h.LIMIT",
        "from helpers import wide, LIMIT\ndef step(x): return wide(x), LIMIT",
        "from helpers import wide as w\nfrom helpers import LIMIT\ndef step(x): return w(x), LIMIT",
        "from helpers import *\ndef step(x): return wide(x), LIMIT",
        "def step(x):\n    import helpers\n    return helpers.wide(x), helpers.LIMIT\nimport helpers",
        "def step(x):\n    import helpers as h\n    return h.wide(x), h.LIMIT\nimport helpers",
        "def step(x):\n    from helpers import wide, LIMIT\n    return wide(x), LIMIT\nimport helpers",
        "import helpers\ndef step(x):\n    h = lambda: helpers.wide(x), helpers.LIMIT\n    return h",
        "def step(x):\n    import helpers as h\n    return lambda: (h.wide(x), h.LIMIT)\nimport helpers",
        "import helpers\ndef make(h):\n    return lambda x: (h.wide(x), h.LIMIT)\nstep = make(helpers)",
        "import helpers\ndef step(x):\n    class Local:\n        a = helpers.wide, helpers.LIMIT",
        "import helpers\ndef step(x): return [helpers.wide(each) for each in x], helpers.LIMIT",
        "import helpers\ndef step(x): return f'{helpers.wide(x)} {helpers.LIMIT}'",
        "import helpers\ndef step(x, f=helpers.wide, n=helpers.LIMIT): return f(x) + n",
        "import helpers\nTABLE = {'f': [helpers.wide], 'n': helpers.LIMIT}\ndef step(x): return TABLE",
        "import helpers\nfrom functools import partial\nf = partial(helpers.wide, n=helpers.LIMIT)\n"
        "def step(x): return f(x)",
    ],
)
def test_l3_a_helper_in_another_module_is_reached_however_it_is_imported(
    take: Take, flow: str
) -> None:
    old = take(flow, helpers=HELPERS)
    assert changes(old, take(flow, helpers=HELPERS)) == ()
    assert changes(old, take(flow, helpers=HELPERS.replace("* 2", "* 5"))) == (
        "helpers.deep changed",
    )
    assert changes(old, take(flow, helpers=HELPERS.replace("* 3", "* 5"))) == (
        "helpers.wide changed",
    )
    (line,) = changes(old, take(flow, helpers=HELPERS.replace("= 1", "= 5")))
    assert line.endswith("changed")
    assert changes(old, take(flow, helpers=HELPERS.replace("* 4", "* 5"))) == ()


def test_l3_modules_of_a_package_are_reached_by_every_kind_of_path(take: Take) -> None:
    files = {
        "pkg.__init__": "",
        "pkg.low": "DEPTH = 1\ndef low(x): return x",
        "pkg.mid": "from . import low\nfrom .low import DEPTH\ndef mid(x): return low.low(x) + DEPTH",
    }
    for flow in (
        "import pkg.mid\ndef step(x): return pkg.mid.mid(x)",
        "from pkg import mid\ndef step(x): return mid.mid(x)",
        "import pkg.mid as m\ndef step(x): return m.mid(x)",
        "def step(x):\n    import pkg.mid as m\n    return m.mid(x)\nimport pkg.mid",
        "def step(x):\n    import pkg.mid\n    return pkg.mid.mid(x)\nimport pkg.mid",
        "def step(x):\n    from pkg import mid\n    return mid.mid(x)\nimport pkg.mid",
        "def step(x):\n    from pkg.mid import mid\n    return mid(x)\nimport pkg.mid",
    ):
        old = take(flow, **files)
        changed = {**files, "pkg.low": files["pkg.low"].replace("return x", "return -x")}
        assert changes(old, take(flow, **changed)) == ("pkg.low.low changed",)
        changed = {**files, "pkg.low": files["pkg.low"].replace("DEPTH = 1", "DEPTH = 2")}
        assert changes(old, take(flow, **changed)) == ("constant pkg.mid.DEPTH changed",)


def test_l3_a_relative_import_inside_a_function_is_reached(take: Take) -> None:
    files = {
        "pkg.__init__": "",
        "pkg.low": "def low(x): return x",
        "pkg.sub.__init__": "def mid(x):\n    from ..low import low\n    return low(x)\nfrom .. import low",
    }
    flow = "from pkg.sub import mid as step"
    changed = {**files, "pkg.low": "def low(x): return -x"}
    assert changes(take(flow, **files), take(flow, **changed)) == ("pkg.low.low changed",)


def test_l3_a_module_that_is_passed_on_counts_as_a_whole(take: Take) -> None:
    flow = "import helpers\ndef step(x): return getattr(helpers, x)"
    new = take(flow, helpers=HELPERS.replace("* 4", "* 5"))
    assert changes(take(flow, helpers=HELPERS), new) == ("helpers.unused changed",)


def test_l3_a_module_that_nobody_imported_yet_counts_by_the_code_on_its_way(
    take: Take, load: Load
) -> None:
    flow = "def step(x):\n    import helpers\n    return helpers.wide(x)"
    old = take(flow, helpers=HELPERS)
    assert "helpers" not in sys.modules
    assert changes(old, take(flow, helpers="# comment\n" + HELPERS)) == ()
    assert changes(old, take(flow, helpers=HELPERS.replace("* 2", "* 5"))) == ("helpers changed",)


def test_l3_what_an_unimported_module_imports_counts_too(take: Take) -> None:
    flow = "def step(x):\n    from middle import wide\n    return wide(x)"
    for middle in (
        "from helpers import *",
        "from helpers import wide",
        "import helpers\nwide = helpers.wide",
        "def wide(x):\n    import helpers\n    return helpers.wide(x)",
    ):
        old = take(flow, middle=middle, helpers=HELPERS)
        new = take(flow, middle=middle, helpers=HELPERS.replace("* 2", "* 5"))
        assert changes(old, new) == ("helpers changed",)


def test_l3_unimported_modules_in_packages_are_found_without_importing_the_parents(
    take: Take,
) -> None:
    flow = "def step(x):\n    from pkg import low\n    return low.low(x)"
    files = {"pkg.__init__": "1 / 0", "pkg.low": "def low(x): return x"}
    old = take(flow, **files)
    assert changes(old, take(flow, **{**files, "pkg.low": "def low(x): return -x"})) == (
        "pkg.low changed",
    )
    assert changes(old, take(flow, **{**files, "pkg.__init__": "1 / 1"})) == ("pkg changed",)


def test_l3_a_module_that_does_not_exist_is_recorded_as_absent(take: Take) -> None:
    flow = "def step(x):\n    import no_such_module\n    return no_such_module.f(x)"
    old = take(flow)
    assert old.parts["no_such_module"] == "absent"
    assert changes(old, take(flow, no_such_module="def f(x): return x")) == (
        "no_such_module was absent",
    )


def test_l3_attributes_of_a_module_that_swap_their_meaning_show(take: Take) -> None:
    flow = "import helpers\ndef step(x): return helpers.a(x) - helpers.b(x)"
    helpers = "def one(x): return 1\ndef two(x): return 2\na, b = one, two"
    new = take(flow, helpers=helpers.replace("a, b = one, two", "a, b = two, one"))
    assert changes(take(flow, helpers=helpers), new) == ("flow.step changed",)


def test_l3_code_that_finds_names_at_run_time_counts_with_its_whole_module(take: Take) -> None:
    for call in ("eval('unused(x)')", "globals()['unused'](x)"):
        flow = f"def unused(x): return 1\ndef step(x): return {call}"
        assert changes(take(flow), take(flow.replace("return 1", "return 2"))) == (
            "flow.unused changed",
        )


def test_l3_type_variables_and_new_types_count_by_what_they_stand_for(take: Take) -> None:
    flow = """
    from typing import NewType, TypeVar
    class Model:
        def fit(self): return 1
    T = TypeVar("T", bound=Model)
    Trained = NewType("Trained", Model)
    def step(x: {hint}): return x
    """
    for hint in ("T", "Trained"):
        old = take(flow.format(hint=hint))
        new = take(flow.format(hint=hint).replace("return 1", "return 2"))
        assert changes(old, new) == ("flow.Model.fit changed",)


def test_names_that_only_a_type_checker_knows_are_no_parts(take: Take) -> None:
    fingerprint = take("def step(x: 'DataFrame', y: 'no expression') -> 'list[int]': return x")
    assert fingerprint.parts.keys() == {"flow.step", "python"}


def test_l3_a_method_that_calls_super_counts_with_the_bases(take: Take) -> None:
    flow = """
    class Base:
        def fit(self): return 1
    class Model(Base):
        def fit(self): return super().fit()
    step = Model.fit
    """
    old = take(flow)
    assert old.parts.keys() == {"flow.Model", "flow.Model.fit", "flow.Base", "flow.Base.fit", "python"}
    assert changes(old, take(flow.replace("return 1", "return 2"))) == ("flow.Base.fit changed",)


def test_installed_packages_count_by_version_and_the_standard_library_with_python(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = """
    import json, os.path, numpy.linalg
    from numpy import add
    from collections import Counter
    def step(x):
        import textwrap, xml.dom.minidom
        return json.dumps(x), os.path.join(x), numpy.linalg.norm(x), add(x, x), Counter(x)
    """
    old = take(flow)
    assert {"flow.step", "numpy", "python", "flow.add"} >= old.parts.keys()
    monkeypatch.setattr("numpy.__version__", "99.1")
    version = old.parts["numpy"].removeprefix("==")
    assert changes(old, take(flow)) == (f"numpy {version} -> 99.1",)


def test_a_package_without_a_version_of_its_own_counts_by_its_distribution(take: Take) -> None:
    metadata = importlib.import_module("importlib.metadata")
    fingerprint = take("import iniconfig\ndef step(x): return iniconfig.IniConfig(x)")
    assert fingerprint.parts["iniconfig"] == f"=={metadata.version('iniconfig')}"


def test_an_unimported_package_counts_by_its_distribution(take: Take) -> None:
    metadata = importlib.import_module("importlib.metadata")
    fingerprint = take("def step(x):\n    import sortedcontainers.sortedlist as s\n    return s")
    assert fingerprint.parts["sortedcontainers"] == f"=={metadata.version('sortedcontainers')}"


def test_anabranch_itself_counts_by_version(take: Take) -> None:
    fingerprint = take("import anabranch.errors as e\ndef step(x): raise e.UserMistake(x)")
    assert fingerprint.parts.keys() == {"flow.step", "anabranch", "python"}
    assert fingerprint.parts["anabranch"].startswith("==")


CLASSES = """
import functools
class Origin:
    def start(self): return 1
class Model(Origin):
    rate = 2
    def fit(self): return 3
    @property
    def half(self): return 4
    @staticmethod
    def plain(): return 5
    @classmethod
    def make(cls): return 6
    @functools.cached_property
    def kept(self): return 7
    def __private(self): return 8
    class Inner:
        def deep(self): return 9
def unused(): return 10
"""


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (1, "models.Origin.start"),
        (2, "models.Model"),
        (3, "models.Model.fit"),
        (4, "models.Model.half"),
        (5, "models.Model.plain"),
        (6, "models.Model.make"),
        (7, "models.Model.kept"),
        (8, "models.Model"),
        (9, "models.Model.Inner.deep"),
    ],
)
@pytest.mark.parametrize(
    "flow",
    [
        "from models import Model\ndef step(x): return Model()",
        "import models\ndef step(x): return models.Model.fit(x)",
        "from models import Model\nMODEL = Model()\ndef step(x): return MODEL.fit()",
        "from models import Model\ndef step(x: Model): return x.fit()",
        "from models import Model\ndef step(x: 'list[Model]'): return x[0].fit()",
        "from __future__ import annotations\nfrom models import Model\ndef step(x: Model): return x.fit()",
        "from models import Model\ndef step(x: list['Model']): return x[0].fit()",
        "from typing import Optional\nfrom models import Model\ndef step(x: Optional['Model']): return x.fit()",
        "from models import Model\ndef step(x) -> list[Model]: return x",
        "from models import Model\nstep = Model().fit",
        "from models import Model\nclass Own(Model): pass\ndef step(x): return Own()",
    ],
)
def test_l3_everything_in_a_class_of_the_project_counts(
    take: Take, flow: str, number: int, part: str
) -> None:
    old = take(flow, models=CLASSES)
    for label in ("return", "rate ="):
        new = take(flow, models=CLASSES.replace(f"{label} {number}\n", f"{label} 99\n"))
        if new != old:
            assert changes(old, new) == (f"{part} changed",)
            break
    else:
        pytest.fail("the change does not show")
    assert changes(old, take(flow, models=CLASSES.replace("return 10", "return 11"))) == ()


def test_l3_another_base_changes_the_class(take: Take) -> None:
    flow = """
    class A: pass
    class B: pass
    class C(A): pass
    def step(x): return A(), B(), C()
    """
    assert changes(take(flow), take(flow.replace("C(A)", "C(B)"))) == ("flow.C changed",)


def test_l3_a_metaclass_counts(take: Take) -> None:
    flow = """
    class Meta(type):
        def __call__(cls): return 1
    class C(metaclass=Meta): pass
    def step(x): return C()
    """
    assert changes(take(flow), take(flow.replace("return 1", "return 2"))) == (
        "flow.Meta.__call__ changed",
    )


def test_class_docstrings_and_the_order_of_methods_do_not_matter(take: Take) -> None:
    flow = """
    class C:
        def a(self): return 1
        def b(self): return 2
    def step(x): return C()
    """
    other = """
    def step(x): return C()
    class C:
        '''A class.'''

        def b(self):
            "A method."
            return 2

        def a(self): return 1
    """
    assert changes(take(flow), take(other)) == ()


def test_l3_dataclass_fields_and_their_defaults_count(take: Take) -> None:
    flow = """
    from dataclasses import dataclass, field
    @dataclass
    class Config:
        rate: int = 1
        names: list[str] = field(default_factory=lambda: [2])
    def step(x): return Config()
    """
    old = take(flow)
    assert set(old.parts) == {"flow.step", "flow.Config", "python"}
    for before, after in (
        ("= 1", "= 9"),
        ("[2]", "[9]"),
        ("rate: int", "rate: float"),
        ("rate", "speed"),
        ("@dataclass\n", "@dataclass(frozen=True)\n"),
    ):
        assert changes(old, take(flow.replace(before, after))) == ("flow.Config changed",)


def test_l3_enums_count_by_name_and_value(take: Take) -> None:
    flow = """
    from enum import Enum, Flag
    class Colour(Enum):
        RED = 1
        GREEN = [2]
    class Mode(Flag):
        READ = 1
        WRITE = 2
    MODE = Mode.READ | Mode.WRITE
    def step(x, colour=Colour.RED): return MODE
    """
    old = take(flow)
    assert changes(old, take(flow)) == ()
    assert changes(old, take(flow.replace("[2]", "[3]"))) == ("flow.Colour changed",)
    assert changes(old, take(flow.replace("colour=Colour.RED", "colour=Colour.GREEN"))) == (
        "flow.step default colour changed",
    )
    assert changes(old, take(flow.replace("READ | Mode.WRITE", "READ"))) == (
        "constant flow.MODE changed",
    )


def test_a_flag_that_was_combined_while_running_is_still_the_same_class(load: Load) -> None:
    flow = load(
        """
        from enum import Flag
        class Mode(Flag):
            READ = 1
            WRITE = 2
        def step(x): return Mode
        """
    )
    old = Fingerprinter().of(flow.step)
    assert flow.Mode.READ | flow.Mode.WRITE
    assert Fingerprinter().of(flow.step) == old


def test_l3_pydantic_fields_validators_and_methods_count(take: Take) -> None:
    flow = """
    import pydantic
    class Model(pydantic.BaseModel):
        rate: int = 1
        name: str = pydantic.Field("a", max_length=2)
        @pydantic.field_validator("name")
        def check(cls, value): return value * 3
        def used(self): return 4
    def step(x): return Model(rate=x)
    """
    old = take(flow)
    assert changes(old, take(flow)) == ()
    for before, after in (
        ("int = 1", "int = 9"),
        ("length=2", "length=9"),
        ("* 3", "* 9"),
        ("return 4", "return 9"),
        ("rate: int", "rate: float"),
    ):
        lines = changes(old, take(flow.replace(before, after)))
        assert lines
        assert all(line.startswith("flow.Model") for line in lines)


def test_a_pydantic_model_has_the_same_fingerprint_after_use(load: Load) -> None:
    flow = load(
        """
        import pydantic
        class Model(pydantic.BaseModel):
            rate: int = 1
            next: "Model | None" = None
        def step(x): return Model(rate=x)
        """
    )
    old = Fingerprinter().of(flow.step)
    flow.Model(rate=1, next=flow.Model()).model_dump_json()
    flow.Model.model_json_schema()
    assert Fingerprinter().of(flow.step) == old


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


def test_l3_a_compiled_module_of_the_project_counts_by_its_bytes(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = load("import fast\ndef step(x): return fast.run(x)", fast="def run(x): return x")
    binary = tmp_path / "fast.so"
    binary.write_bytes(b"one")
    ending = importlib.import_module("importlib.machinery").EXTENSION_SUFFIXES[-1]
    assert ending == ".so"
    monkeypatch.setattr(sys.modules["fast"], "__file__", str(binary))
    old = Fingerprinter().of(flow.step)
    binary.write_bytes(b"two")
    assert [line.partition(" ")[0] for line in changes(old, Fingerprinter().of(flow.step))] == [
        "fast"
    ]


def test_a_lazy_attribute_of_a_module_counts_by_the_function_that_makes_it(take: Take) -> None:
    flow = "import lazy\ndef step(x): return lazy.thing"
    source = "def __getattr__(name): return 1"
    for name in ("lazy", "lazy.__init__"):
        old, new = (take(flow, **{name: each}) for each in (source, source.replace("1", "2")))
        assert changes(old, new) == ("lazy.__getattr__ changed",)


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


FRESH = """
import sys
import anabranch.engine.fingerprints
heavy = {"pydantic", "asyncio", "logging", "importlib.metadata"} & set(sys.modules)
sys.exit(f"imports {heavy}" if heavy else 0)
"""


def test_importing_fingerprints_loads_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=60)
