"""Law L3: classes of the project count with everything in them, wherever they are named."""

import importlib
import pickle
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


def test_a_class_has_the_same_fingerprint_after_one_of_its_instances_was_pickled(
    load: Load,
) -> None:
    flow = load(
        """
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int
        def step(x): return Point(x)
        """
    )
    old = Fingerprinter().of(flow.step)
    pickle.dumps(flow.Point(1))
    assert "__slotnames__" in vars(flow.Point)
    assert Fingerprinter().of(flow.step) == old


def test_l3_a_method_that_calls_super_counts_with_the_bases(take: Take) -> None:
    flow = """
    class Base:
        def fit(self): return 1
    class Model(Base):
        def fit(self): return super().fit()
    step = Model.fit
    """
    old = take(flow)
    assert old.parts.keys() == {
        "flow.Model",
        "flow.Model.fit",
        "flow.Base",
        "flow.Base.fit",
        "python",
    }
    assert changes(old, take(flow.replace("return 1", "return 2"))) == ("flow.Base.fit changed",)


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
