"""Law L3 over many edits at once: whatever is edited shows, under its name; whatever is not code does not."""

import importlib
import random
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.engine.fingerprints import Fingerprint, Fingerprinter
from anabranch.model.code_parts import difference

HELPERS = ["def deep(x):\n    return x + {helpers_helper}", "def wide(x):\n    return deep(x) * 2"]
FLOW = [
    "import helpers",
    "THRESHOLD = {constant}",
    "class Base:\n    def origin(self):\n        return {base}",
    "class Model(Base):\n    rate = {class_constant}\n\n    def fit(self):\n        return {method}",
    "def scaled(factor):\n    def apply(x):\n        return x * factor\n\n    return apply",
    "double = scaled({closure})",
    "def near(x):\n    return x - {helper}",
    """def step(x, a={default}, *, b={kwdefault}):
    inner = lambda y: [z + {nested} for z in y if z]
    found = near(x), helpers.wide(x), THRESHOLD, double(x), Model().fit(), inner(x)
    return found, {body}""",
]
NAMES = {
    "body": "flow.step changed",
    "nested": "flow.step changed",
    "default": "flow.step default a changed",
    "kwdefault": "flow.step default b changed",
    "helper": "flow.near changed",
    "helpers_helper": "helpers.deep changed",
    "constant": "constant flow.THRESHOLD changed",
    "closure": "flow.double closure factor changed",
    "class_constant": "flow.Model changed",
    "method": "flow.Model.fit changed",
    "base": "flow.Base.origin changed",
}
"""What can be edited, and what `difference` says of it."""

UNEDITED = dict.fromkeys(NAMES, 0)


def laid_out(blocks: list[str], layout: random.Random) -> str:
    """The blocks with comments, blank lines and docstrings, in any order that Python accepts."""
    functions = [each for each in blocks if each.startswith("def ")]
    others = [each for each in blocks if not each.startswith("def ")]
    layout.shuffle(functions)
    first = [each for each in functions if each.startswith("def scaled")]
    rest = [each for each in functions if each not in first]
    middle = [*others, *rest] if layout.random() < 0.5 else [*rest, *others]
    lines = ["'''A module.'''"] * layout.randint(0, 1)
    for block in first + middle:
        lines += ["", "# A comment."] * layout.randint(0, 3)
        for line in block.splitlines():
            lines.append(line.replace("(x), ", "(\n x ), ") if layout.random() < 0.5 else line)
            indent = " " * (len(line) - len(line.lstrip()) + 4)
            if line.rstrip().endswith(":") and layout.random() < 0.5:
                lines += [
                    f"{indent}'''A docstring {layout.random()}.'''",
                    "",
                    f"{indent}# A comment.",
                ]
    return "\n".join(lines)


def taken(values: dict[str, int], layout: random.Random) -> Fingerprint:
    """The fingerprint of `flow.step` in a project with these values, written in this layout."""
    with tempfile.TemporaryDirectory() as folder:
        for name, blocks in {"helpers": HELPERS, "flow": FLOW}.items():
            source = laid_out([block.format(**values) for block in blocks], layout)
            (Path(folder) / f"{name}.py").write_text(source)
        sys.path.insert(0, folder)
        try:
            return Fingerprinter().of(importlib.import_module("flow").step)
        finally:
            sys.path.remove(folder)
            for name in ("flow", "helpers"):
                sys.modules.pop(name, None)
            importlib.invalidate_caches()


LAYOUT = st.randoms(use_true_random=False)


@settings(deadline=None, max_examples=100)
@given(edits=st.sets(st.sampled_from(sorted(NAMES))), before=LAYOUT, after=LAYOUT)
def test_l3_every_edit_shows_under_its_name_and_no_layout_shows(
    edits: set[str], before: random.Random, after: random.Random
) -> None:
    old = taken(UNEDITED, before)
    new = taken(UNEDITED | dict.fromkeys(edits, 1), after)
    assert set(difference(old.parts, new.parts)) == {NAMES[each] for each in edits}
    assert (new.digest == old.digest) == (not edits)


@settings(deadline=None, max_examples=50)
@given(
    one=st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 1))),
    other=st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 1))),
    layout=LAYOUT,
)
def test_l3_two_projects_share_a_digest_only_if_they_are_the_same(
    one: dict[str, int], other: dict[str, int], layout: random.Random
) -> None:
    assert (taken(one, layout).digest == taken(other, layout).digest) == (one == other)
