"""No stack file gives a traceback: whatever is in it, the stack opens or the error has three lines (law L11)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anabranch.errors import StackError
from anabranch.stacks import check_stack, describe_stack, list_stacks, open_stack

pytestmark = pytest.mark.usefixtures("toy")

fuzzed = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

KEYS = [
    "orchestrator",
    "executors",
    "artifact_store",
    "journal",
    "location",
    "lease_seconds",
    "local",
]
KEYS += [
    "synchronous",
    "synced",
    "toy",
    "here",
    "namespace",
    "pool",
    "size",
    "token",
    "default",
    "stacks",
]
WORDS = ["local", "sqlite", "toy", "here", "bomb", "./a", "bomb://x", "s3://b", "~x/y", ".", "FULL"]
WORDS += [
    "${env:HOME}",
    "${env:NO}",
    "${file:/}",
    "${",
    "$${x",
    "file://a\\u0000",
    "://",
    "a\\nb",
    "20",
]

texts = st.characters(exclude_characters="/~")  # a check writes: not outside of the project
keys = st.sampled_from(KEYS) | st.text(max_size=4).map(repr)
scalars = st.one_of(
    st.sampled_from(WORDS).map(lambda word: f'"{word}"'),
    st.sampled_from(
        ["1", "-1", "nan", "1e999", "true", "1979-05-27", "07:32:00", "[]", "{}", "0x_"]
    ),
    st.text(texts, max_size=8).map(lambda text: f'"{text}"'),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(keys, inner).map(lambda pair: f"{{ {pair[0]} = {pair[1]} }}"),
    ),
    max_leaves=4,
)
lines = st.one_of(
    st.tuples(keys, values).map(" = ".join),
    st.tuples(keys, keys, values).map(lambda row: f"{row[0]}.{row[1]} = {row[2]}"),
    keys.map("[{}]".format),
    keys.map("[[{}]]".format),
    st.text(max_size=10),
)
files = st.lists(lines, max_size=6).map("\n".join).map(str.encode) | st.binary(max_size=30)


@fuzzed
@given(content=files)
def test_no_stack_file_gives_a_traceback(content: bytes, project: Path) -> None:
    (project / "stacks").mkdir(exist_ok=True)
    (project / "stacks/fuzzed.toml").write_bytes(content)

    list_stacks()
    for act in (describe_stack, check_stack, open_and_close):
        three_lines_at_most(act, "fuzzed")


@fuzzed
@given(
    content=files,
    header=st.sampled_from(["[tool.anabranch]", "[tool.anabranch.stacks.fuzzed]", ""]),
)
def test_no_pyproject_gives_a_traceback(content: bytes, header: str, project: Path) -> None:
    (project / "pyproject.toml").write_bytes(f"# anabranch\n{header}\n".encode() + content)

    three_lines_at_most(lambda _: list_stacks(), "")
    for act in (describe_stack, check_stack, open_and_close):
        three_lines_at_most(act, "fuzzed")
        three_lines_at_most(act, None)


@fuzzed
@given(name=st.text(alphabet=st.characters(exclude_characters="\0"), min_size=1, max_size=10))
def test_no_name_gives_a_traceback(name: str) -> None:
    three_lines_at_most(open_and_close, name)


def open_and_close(name: str | None) -> None:
    open_stack(name).close()


def three_lines_at_most(act: Callable[[str | None], object], name: str | None) -> None:
    assert message_of(act, name).count("\n") <= 2


def message_of(act: Callable[[str | None], object], name: str | None) -> str:
    """What the user is told; empty if all is well."""
    try:
        act(name)
    except StackError as error:
        return str(error)
    return ""
