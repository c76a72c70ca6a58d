"""Which stacks have their artifacts in one place: what one no longer needs, another may."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import sharing_stacks

Write = Callable[[str, str], Path]


def test_the_built_in_stack_alone_shares_with_nobody() -> None:
    assert sharing_stacks() == []


def test_stacks_that_say_nothing_of_a_store_share_that_of_the_project(write: Write) -> None:
    write("stacks/one.toml", "journal = './one.db'")
    write("stacks/two.toml", "[artifact_store]\nsynced = true")
    write("stacks/apart.toml", "artifact_store = './apart'")

    assert sharing_stacks() == ["one", "two"]
    assert sharing_stacks("one") == ["local", "two"]
    assert sharing_stacks("apart") == []


def test_a_place_is_the_same_in_a_table_and_alone(write: Write) -> None:
    write("stacks/one.toml", "artifact_store = './kept'")
    write("stacks/two.toml", "[artifact_store]\nlocation = './kept'\nsynced = true")

    assert sharing_stacks("one") == ["two"]


def test_a_stack_that_cannot_be_read_may_be_one_of_them(write: Write) -> None:
    write("stacks/bad.toml", "x = ")

    with pytest.raises(StackError, match="'bad' cannot be read") as caught:
        sharing_stacks()
    assert len(str(caught.value).splitlines()) == 3
    assert "stacks/bad.toml" in str(caught.value)


def test_a_stack_that_does_not_exist_is_told_as_such(write: Write) -> None:
    with pytest.raises(StackError, match="nowhere"):
        sharing_stacks("nowhere")
