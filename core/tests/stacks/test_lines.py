"""The line of a key in a TOML text, which `tomllib` does not tell."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.stacks.lines import line_of

TEXT = '''\
# name = 0
name = "a"          # 2
list = [            # 3
  "name",
  "x",
]
dotted.inner.key = 1    # 7
inline = { a = { b = 1 } }    # 8

[table]             # 10
text = """
key = 1
"""
key = 2             # 14

[table."quoted.name"]    # 16
key = 3             # 17

[[many]]            # 19
key = 4
'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["name"], 2),
        (["list"], 3),
        (["dotted"], 7),
        (["dotted", "inner", "key"], 7),
        (["inline", "a", "b"], 8),
        (["table"], 10),
        (["table", "text"], 11),
        (["table", "key"], 14),
        (["table", "quoted.name"], 16),
        (["table", "quoted.name", "key"], 17),
        (["many"], 19),
        (["many", "key"], None),
        (["nowhere"], None),
        (["table", "name"], None),
    ],
)
def test_the_line_of_a_key(keys: list[str], line: int | None) -> None:
    assert line_of(TEXT, keys) == line


def test_line_ends_of_windows_do_not_matter() -> None:
    assert line_of(TEXT.replace("\n", "\r\n"), ["table", "key"]) == 14


@settings(deadline=None, database=None)
@given(st.dictionaries(st.from_regex("[a-z]{1,6}", fullmatch=True), st.integers(), min_size=1))
def test_every_key_of_a_table_is_found_where_it_was_written(table: dict[str, int]) -> None:
    text = "[a]\n" + "".join(f"{key} = {value}\n" for key, value in table.items())

    assert tomllib.loads(text) == {"a": table}
    for number, key in enumerate(table, 2):
        assert line_of(text, ["a", key]) == number
