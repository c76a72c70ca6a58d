"""Law L3: constants count by value, whatever they are, and strangers' objects do no harm."""

import itertools
import re
import sys
from random import Random
from textwrap import dedent
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.engine.fingerprints import Fingerprint, Fingerprinter
from anabranch.model.code_parts import difference

COUNT = itertools.count()


def taken(value: object, **names: object) -> Fingerprint:
    """The fingerprint of a function whose global `VALUE` is the value."""
    variables = {"__name__": "flow", "VALUE": value, **names}
    exec("def step(x): return VALUE", variables)
    step = variables["step"]
    assert callable(step)
    return Fingerprinter().of(step)


def evaluated(source: str) -> Fingerprint:
    """The fingerprint of a function whose global `VALUE` is what the source leaves there."""
    module = ModuleType("flow")
    sys.modules["flow"] = module
    try:
        exec(dedent(source) + "\ndef step(x): return VALUE", vars(module))
        return Fingerprinter().of(module.step)
    finally:
        del sys.modules["flow"]


PRELUDE = """
import array, collections, dataclasses, datetime, decimal, enum, fractions, functools, operator
import pathlib, random, re, types, uuid
import numpy as np
class Colour(enum.Enum):
    RED = 1
    BLUE = 2
@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    rate: float
    names: tuple[str, ...] = ()
@dataclasses.dataclass
class Plain:
    rate: float
class Point(collections.namedtuple("Point", "x y")): pass
class Text(str): pass
class Own:
    def __init__(self, **values): self.__dict__.update(values)
def helper(x): return x
"""

PAIRS = [
    ("0", "1"),
    ("2**20_000", "2**20_000 + 1"),
    ("'a'", "'b'"),
    ("'\\ud800'", "'\\ud801'"),
    ("float('nan')", "float('inf')"),
    ("(1, 2)", "(2, 1)"),
    ("(1, (2,))", "((1, 2),)"),
    ("[1, 2]", "[1, 2, 2]"),
    ("['ab', 'c']", "['a', 'bc']"),
    ("[[], []]", "[[[]]]"),
    ("{1, 2, 3}", "{1, 2, 4}"),
    ("{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
    ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ("frozenset({('a', 1)})", "frozenset({('a', 2)})"),
    ("bytearray(b'a')", "bytearray(b'b')"),
    ("range(3)", "range(4)"),
    ("slice(3)", "slice(4)"),
    ("Colour.RED", "Colour.BLUE"),
    ("Slotted(1.0)", "Slotted(2.0)"),
    ("Slotted(1.0, ('a',))", "Slotted(1.0, ('b',))"),
    ("Plain(1.0)", "Plain(2.0)"),
    ("Point(1, 2)", "Point(1, 3)"),
    ("Text('a')", "Text('b')"),
    ("Text('a')", "'a'"),
    ("Own(a=1)", "Own(a=2)"),
    ("Own(a={1, 2})", "Own(a={1, 3})"),
    ("re.compile('a')", "re.compile('b')"),
    ("re.compile('a')", "re.compile('a', re.I)"),
    ("functools.partial(helper, 1)", "functools.partial(helper, 2)"),
    ("functools.partial(helper, k=1)", "functools.partial(helper, k=2)"),
    ("operator.itemgetter(1)", "operator.itemgetter(2)"),
    ("datetime.date(2024, 1, 1)", "datetime.date(2024, 1, 2)"),
    ("datetime.timedelta(1)", "datetime.timedelta(2)"),
    ("decimal.Decimal('1.0')", "decimal.Decimal('1.00')"),
    ("fractions.Fraction(1, 2)", "fractions.Fraction(1, 3)"),
    ("pathlib.PurePosixPath('/a')", "pathlib.PurePosixPath('/b')"),
    ("uuid.UUID(int=1)", "uuid.UUID(int=2)"),
    ("types.SimpleNamespace(a=1)", "types.SimpleNamespace(a=2)"),
    ("types.MappingProxyType({1: 2})", "types.MappingProxyType({1: 3})"),
    ("collections.OrderedDict(a=1)", "collections.OrderedDict(a=2)"),
    ("collections.Counter('aab')", "collections.Counter('abb')"),
    ("collections.defaultdict(list, a=1)", "collections.defaultdict(set, a=1)"),
    ("collections.deque([1, 2])", "collections.deque([2, 1])"),
    ("array.array('i', [1])", "array.array('i', [2])"),
    ("random.Random(1)", "random.Random(2)"),
    ("np.arange(5)", "np.arange(5)[::-1]"),
    ("np.arange(6)", "np.arange(6).reshape(2, 3)"),
    ("np.arange(5, dtype='i4')", "np.arange(5, dtype='i8')"),
    ("np.array([None, 'a'], dtype=object)", "np.array([None, 'b'], dtype=object)"),
    ("np.float64(1)", "np.float32(1)"),
    ("np.dtype('f4')", "np.dtype('f8')"),
    ("np.add", "np.subtract"),
    ("len", "max"),
    ("helper.__get__(1)", "helper.__get__(2)"),
    ("[1].append", "[2].append"),
    ("lambda x: x + 1", "lambda x: x + 2"),
    ("[lambda x: x + 1]", "[lambda x: x + 2]"),
    ("int", "float"),
    ("list[int]", "list[str]"),
    ("int | None", "str | None"),
    ("type('A', (), {'a': 1})", "type('A', (), {'a': 2})"),
    ("ValueError('a')", "ValueError('b')"),
    ("(each for each in ())", "[]"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_l3_values_that_differ_have_different_fingerprints(one: str, other: str) -> None:
    first, again, second = (evaluated(f"{PRELUDE}\nVALUE = {each}") for each in (one, one, other))
    assert again == first
    assert second.digest != first.digest
    assert difference(first.parts, second.parts)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda each: (
        st.lists(each, max_size=4)
        | st.dictionaries(st.text(), each, max_size=4)
        | st.tuples(each, each)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_l3_two_plain_values_share_a_fingerprint_only_if_they_are_written_alike(
    one: object, other: object
) -> None:
    assert (taken(one) == taken(other)) == (repr(one) == repr(other))


@given(st.sets(st.text() | st.integers() | st.tuples(st.text(), st.text())), st.randoms())
def test_sets_have_no_order(items: set[object], random: Random) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert taken(items) == taken(set(shuffled))
    assert taken(frozenset(items)) == taken(frozenset(shuffled))


def test_values_that_contain_themselves_are_fine() -> None:
    source = """
    VALUE = [1]
    VALUE.append(VALUE)
    """
    assert evaluated(source) == evaluated(source)
    assert evaluated(source) != evaluated(source.replace("[1]", "[2]"))
    tree = """
    class Node: pass
    VALUE, child = Node(), Node()
    VALUE.child, child.parent = child, VALUE
    child.rate = 1
    """
    assert evaluated(tree) == evaluated(tree)
    assert evaluated(tree) != evaluated(tree.replace("rate = 1", "rate = 2"))


def test_a_value_of_the_project_that_holds_a_lock_still_counts_by_the_rest() -> None:
    source = """
    import threading
    class Service:
        def __init__(self): self.rate, self.lock = 1, threading.Lock()
    VALUE = Service()
    """
    assert evaluated(source) == evaluated(source)
    assert evaluated(source) != evaluated(source.replace("= 1", "= 2"))


@pytest.mark.parametrize(
    "value",
    [
        "import threading\nVALUE = threading.Lock()",
        "import threading\nVALUE = threading.local()",
        "import queue\nVALUE = queue.Queue()",
        "import sys\nVALUE = sys.stderr",
        "import sys\nVALUE = sys._getframe()",
        "VALUE = (each for each in ())",
        "import weakref\nclass A: pass\nA.a = A()\nVALUE = weakref.ref(A.a)",
        "import contextvars\nVALUE = contextvars.ContextVar('a')",
        "import logging\nVALUE = logging.getLogger(__name__)",
        "import logging\nVALUE = logging.LoggerAdapter(logging.getLogger(__name__), {})",
        "from os import environ as VALUE",
        "import concurrent.futures as f\nVALUE = f.ThreadPoolExecutor()",
        "import sqlite3\nVALUE = sqlite3.connect(':memory:')\nVALUE.close()",
        "VALUE = object()",
        "import types\nVALUE = types.ModuleType('made_here')",
    ],
)
def test_what_does_not_pickle_counts_by_its_type(value: str) -> None:
    assert evaluated(value) == evaluated(value)


ODD = """
class Meta(type):
    def __getattribute__(cls, name): raise RuntimeError(name)
class Broken:
    def _fail(self, *args): raise RuntimeError("no")
    __eq__ = __ne__ = __hash__ = __repr__ = __str__ = __bool__ = __len__ = __iter__ = _fail
    __getattr__ = __getattribute__ = __reduce__ = __reduce_ex__ = __getstate__ = _fail
    __class__ = property(_fail)
class Anything:
    def __getattr__(self, name): return Anything()
class Text(str):
    def __eq__(self, other): raise RuntimeError("no")
    __hash__ = str.__hash__
class Nonsense:
    __module__ = property(lambda self: 1 / 0)
    __wrapped__ = property(lambda self: 1 / 0)
    def __anabranch_fingerprint__(self): raise RuntimeError("no")
class Endless:
    def __reduce_ex__(self, version): return Endless, (Endless(),)
class Wraps:
    def __init__(self): self.__wrapped__ = self
    def __anabranch_fingerprint__(self): raise RuntimeError("no")
class Liar:
    def __reduce_ex__(self, version): return "no such name"
class Worse:
    def __reduce_ex__(self, version): return 3
class Lists:
    def __reduce_ex__(self, version): return Lists, (), None, 5
"""


@pytest.mark.parametrize(
    "value",
    [
        "Broken()",
        "[Broken()]",
        "{'a': Broken()}",
        "Broken",
        "Broken.__dict__['_fail']",
        "Anything()",
        "Meta('Made', (), {})",
        "type.__call__(Meta('Made', (), {}))",
        "Text('a')",
        "{Text('a'): 1}",
        "Nonsense()",
        "Nonsense",
        "Endless()",
        "Wraps()",
        "Liar()",
        "Worse()",
        "Lists()",
        "type('Odd', (), {'__module__': 5})()",
        "type('Odd', (), {'__qualname__': 'a b'})()",
        "type('Odd', (), {'__annotations__': 5})()",
        "type('Odd', (), {'__annotations__': {'a': '1 +'}})()",
    ],
)
def test_odd_objects_never_raise(value: str) -> None:
    source = f"{ODD}\nVALUE = {value}"
    assert evaluated(source) == evaluated(source)


def test_a_function_with_odd_attributes_never_raises() -> None:
    source = """
    class Odd:
        def __getattr__(self, name): raise RuntimeError(name)
    def VALUE(x: "1 +", y: Odd() = Odd()): return x
    VALUE.__annotations__["z"] = "not a name"
    VALUE.__wrapped__ = VALUE
    VALUE.__kwdefaults__ = {"no": 1}
    VALUE.__defaults__ = (1, 2, 3, 4, 5)
    """
    assert evaluated(source) == evaluated(source)


def test_a_deep_value_counts_by_its_type() -> None:
    deep: list[object] = []
    deeper: list[object] = []
    for _ in range(5_000):
        deep, deeper = [deep], [[deeper]]
    assert taken(deep) == taken(deeper)
    assert taken(deep) != taken(())


def test_a_huge_value_counts_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.engine.fingerprinting.values.MOST_ITEMS", 100)
    items = [(each,) for each in range(99)]
    assert taken(items) != taken([*items[:-1], ("other",)])
    items.append((99,))
    assert taken(items) == taken([*items[:-1], ("other",)])
    assert taken({"small": 1}) != taken({"small": 2})


def test_a_large_array_counts_by_its_bytes() -> None:
    array = np.zeros(1_000_000)
    old = taken(array)
    array[-1] = 1e-9
    assert taken(array) != old


def test_no_value_can_be_read_from_a_fingerprint() -> None:
    secret = "correct horse battery staple"
    fingerprint = taken({"token": secret, secret: [secret]})
    assert secret not in repr(fingerprint)


def test_an_address_never_counts() -> None:
    def addresses() -> object:
        return [object(), lambda: [object()], re.compile("a").match("a"), type("A", (), {})()]

    kept = addresses()
    assert taken(kept) == taken(addresses())
