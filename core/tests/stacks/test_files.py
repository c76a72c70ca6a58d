"""What is wrong with a stack file is said in three lines, with the line in the file (law L11)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import describe_stack, open_stack

Write = Callable[[str, str], Path]


def refused(name: str = "bad") -> StackError:
    with pytest.raises(StackError) as caught:
        open_stack(name)
    assert len(str(caught.value).splitlines()) == 3
    return caught.value


@pytest.mark.parametrize(
    ("text", "what", "line", "remedy"),
    [
        (
            "\norchestrater = 'local'",
            "a stack has no key 'orchestrater'",
            2,
            "did you mean 'orchestrator'?",
        ),
        ("a = 1\n[x]\n", "a stack has no key 'a'", 1, "known: "),
        ("\n\n[lokal]\nx = 1", "[lokal] configures nothing: this stack uses local", 3, "'local'?"),
        (
            "orchestrator = 3",
            "orchestrator is not a printable text",
            1,
            'write orchestrator = "..."',
        ),
        ("orchestrator = ' '", "orchestrator is not a printable text", 1, "write"),
        ("# hm\njournal = '''a\nb'''", "journal is not a printable text", 2, "write"),
        ("[artifact_store]\n\nlocation = 1", "artifact_store.location is not", 3, "write"),
        ("executors = 'toy'", "executors is not a list of names", 1, 'executors = ["NAME"]'),
        ("executors = [1]", "executors is not a list of names", 1, 'executors = ["NAME"]'),
        ("executors = ['a']\na = 1", "'a' is not a table", 2, "write [a]"),
        ("local = 1", "'local' is not a table", 1, "write [local]"),
        (
            "[local]\nthreads = 3",
            "orchestrator 'local' has no settings, and so no 'threads'",
            2,
            "remove",
        ),
        (
            "[journal]\nlease_seconds = 0",
            "lease_seconds is not a number of at least 1",
            2,
            "such as 15",
        ),
        ("[journal]\nlease_seconds = true", "lease_seconds is not", 2, "such as 15"),
        ("[journal]\nlease_seconds = inf", "lease_seconds is not", 2, "such as 15"),
        ("[journal]\nlease_seconds = nan", "lease_seconds is not", 2, "such as 15"),
        ("[journal]\nlease_seconds = 'soon'", "lease_seconds is not", 2, "such as 15"),
        ("journal.lease_seconds = [1]", "lease_seconds is not", 1, "such as 15"),
        ("[journal]\nsynchronus = 'FULL'", "there is no setting 'synchronus'", 2, "'synchronous'?"),
        (
            "journal = {synchronous = 'full'}",
            "synchronous: Input should be 'NORMAL' or 'FULL'",
            1,
            "power cut",
        ),
        ("x = [", "this is not TOML: ", 0, "mend that line"),
        ("x = 1\nx = 2", "this is not TOML: Cannot overwrite a value (at end", 0, "mend that line"),
        (
            "x = " + "[" * 40 + "]" * 40,
            "tables or lists lie more than 32 deep",
            0,
            "make it flatter",
        ),
        ("x = " + "[" * 9000, "tables or lists lie more than 32 deep", 0, "make it flatter"),
        (
            ".".join("a" * 500) + "= 1",
            "tables or lists lie more than 32 deep",
            0,
            "make it flatter",
        ),
        ("x = " + "1" * 5000, "this is not TOML: Exceeds the limit", 0, "mend that line"),
    ],
)
def test_a_mistake_in_a_stack_file(
    text: str, what: str, line: int, remedy: str, write: Write
) -> None:
    path = write("stacks/bad.toml", "")
    path.write_text(text)

    error = refused()

    assert what in error.what
    assert error.to == ("stacks/bad.toml" + (f", line {line}" if line else ""))
    assert remedy in error.do


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("[tool.anabranch]\nstack = 1", "[tool.anabranch] has no key 'stack'", 2),
        ("[tool.anabranch]\ndefault = 1", "the default stack is not a text", 2),
        ("[tool]\nanabranch = 1", "'tool.anabranch' is not a table", 2),
        ("[tool.anabranch]\nstacks = 1", "'tool.anabranch.stacks' is not a table", 2),
        ("[tool.anabranch.stacks]\n\nbad = 1", "'tool.anabranch.stacks.bad' is not a table", 3),
        ("[tool.anabranch.stacks.bad]\n\norch = 1", "a stack has no key 'orch'", 3),
        ("[tool.anabranch.stacks.bad.local]\nb = 1", "has no settings, and so no 'b'", 2),
    ],
)
def test_a_mistake_in_pyproject(text: str, what: str, line: int, write: Write) -> None:
    write("pyproject.toml", text)

    error = refused()

    assert what in error.what
    assert error.to == f"pyproject.toml, line {line}"


def test_a_pyproject_that_is_no_toml_is_told_if_it_speaks_of_us(write: Write) -> None:
    write("pyproject.toml", "[tool.anabranch\n")

    assert "this is not TOML" in refused("local").what


def test_a_file_that_is_not_text_is_told(project: Path, write: Write) -> None:
    write("stacks/bad.toml", "").write_bytes(b"\xff\xfe")

    assert refused().what == "the file is not UTF-8 text"


def test_a_folder_in_place_of_a_file_is_told(project: Path) -> None:
    (project / "stacks/bad.toml").mkdir(parents=True)

    assert refused().what == "the file cannot be read: Is a directory"


def test_a_key_is_not_taken_for_its_look_alikes(write: Write) -> None:
    """The line is that of the key, not of a comment, a value or a text that has its name."""
    write(
        "stacks/bad.toml",
        '''
        # orchestrater
        artifact_store = """./a
        orchestrater = "no"
        """
        orchestrater = "local"
        ''',
    )

    assert refused().to == "stacks/bad.toml, line 5"


def test_a_key_whose_name_is_written_with_escapes_is_found_by_its_file(write: Write) -> None:
    write("stacks/bad.toml", '"\\u0061b" = 1')

    assert refused().to == "stacks/bad.toml"


def test_a_description_of_a_malformed_file_is_refused_too(write: Write) -> None:
    write("stacks/bad.toml", "x = ")

    with pytest.raises(StackError, match="this is not TOML"):
        describe_stack("bad")
