"""Law L3: how a fingerprint reaches from module to module, however they are imported."""

import importlib
import subprocess
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
        "import helpers, functools as t\nf = t.partial(helpers.wide, n=helpers.LIMIT)\ndef step(x): return f(x)",
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


FRESH = """
import sys
import anabranch.engine.fingerprints
heavy = {"pydantic", "asyncio", "logging", "importlib.metadata"} & set(sys.modules)
sys.exit(f"imports {heavy}" if heavy else 0)
"""


def test_importing_fingerprints_loads_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=60)
