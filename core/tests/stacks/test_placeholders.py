"""Placeholders are filled in when a stack opens, and what they bring in is never shown (law L13)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.errors import StackError
from anabranch.stacks import check_stack, describe_stack, open_stack

Write = Callable[[str, str], Path]

CANARY = "canary-5ecret-value"


@pytest.fixture(autouse=True)
def canary(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    (project / "token").write_text(f"{CANARY}\n")


def journal_path(text: str, write: Write) -> str:
    write("stacks/s.toml", text)
    with open_stack("s") as stack:
        return str(stack.journal.path)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("journal = './${env:TOKEN}.db'", f"{CANARY}.db"),
        ("journal = './${file:token}/${env:TOKEN}'", f"{CANARY}/{CANARY}"),
        ("journal = { location = './${file:./token}' }", CANARY),
        ("journal = './$${env:TOKEN}'", "${env:TOKEN}"),
        ("journal = './$5{x}'", "$5{x}"),
    ],
)
def test_a_placeholder_is_filled_in(text: str, path: str, project: Path, write: Write) -> None:
    assert journal_path(text, write) == f"{project}/{path}"


def test_a_number_may_come_from_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE", "40")
    write("stacks/s.toml", "journal = { lease_seconds = '${env:LEASE}' }")

    with open_stack("s") as stack:
        assert stack.lease_seconds == 40


@pytest.mark.parametrize(
    ("value", "what", "remedy"),
    [
        (
            "${env:MISSING}",
            "environment variable 'MISSING' is not set",
            "set it: export MISSING=...",
        ),
        ("${env:}", "environment variable '' is not set", "set it"),
        (
            "${file:nowhere}",
            "file 'nowhere' cannot be read: No such file or directory",
            "that file",
        ),
        ("${file:.git}", "file '.git' cannot be read: it is not a regular file", "that file"),
        ("${file:/dev/zero}", "cannot be read: it is not a regular file", "that file"),
        ("${file:~nobody-at-all/x}", "cannot be read: it is not a text file", "that file"),
        ("${file:binary}", "file 'binary' cannot be read: it is not a text file", "that file"),
        ("${file:large}", "file 'large' cannot be read: it is larger than 1 MiB", "that file"),
        ("${enf:X}", "'${enf:X}' is no known placeholder", "did you mean 'env'?"),
        ("${TOKEN}", "'${TOKEN}' is no known placeholder", "did you mean ${env:TOKEN}?"),
        ("${env:TOKEN", "a placeholder has no end", "close ${ with }, or write $${ for ${"),
        ("${env:${env:TOKEN}}", "a placeholder has no end", "close ${ with }"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_in_is_told_with_its_line(
    value: str, what: str, remedy: str, project: Path, write: Write
) -> None:
    (project / "binary").write_bytes(b"\xff")
    (project / "large").write_text("x" * (2**20 + 1))
    write("stacks/s.toml", f"orchestrator = 'local'\njournal = '{value}'\n")

    with pytest.raises(StackError) as caught:
        open_stack("s")

    assert what in caught.value.what
    assert caught.value.to == "stacks/s.toml, line 2"
    assert remedy in caught.value.do


def test_a_description_shows_placeholders_and_not_what_they_stand_for(write: Write) -> None:
    text = """
        journal = "postgres://me:${env:TOKEN}@host/db"
        artifact_store = "./${file:token}"
    """
    write("stacks/s.toml", text)

    described = describe_stack("s")

    shown = {row.key: row.value for row in described.rows}
    assert shown["artifact_store"] == "./${file:token}"
    assert CANARY not in str(described)


def test_a_password_that_stands_in_the_file_is_struck_out(write: Write) -> None:
    write("stacks/s.toml", "journal = 'postgres://me:pa55word@host/db'")

    described = describe_stack("s")

    assert ("journal", "postgres://me:***@host/db") in [(r.key, r.value) for r in described.rows]
    assert "pa55word" not in str(described)


TOY_WITH_TOKEN = """
    orchestrator = "toy"
    [toy]
    namespace = "ml"
"""


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    "text",
    [
        f"{TOY_WITH_TOKEN}\n    token = '${{env:TOKEN}}'",
        f"{TOY_WITH_TOKEN}\n    level = '${{env:TOKEN}}'",
        f"{TOY_WITH_TOKEN}\n    pool = {{ size = '${{file:token}}' }}",
        "journal = 'bomb://${env:TOKEN}@host'",
        "artifact_store = 'bomb://${file:token}'",
        "artifact_store = 'unknown://${file:token}'",
        "artifact_store = '${file:token}://x'",
        "orchestrator = '${file:token}'",
        "journal = '${env:TOKEN}'",
        "journal = { lease_seconds = '${env:TOKEN}' }",
    ],
)
def test_no_error_shows_what_a_placeholder_stands_for(text: str, write: Write) -> None:
    write("stacks/s.toml", text)

    report = check_stack("s") if "lease" not in text else None
    with pytest.raises(StackError) as caught:
        open_stack("s")

    assert report is None or not report.is_ok
    assert CANARY not in str(report)
    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in f"{error!r} {error}"
        error = error.__cause__ if error.__suppress_context__ else error.__context__


def test_a_short_value_is_no_secret_and_spoils_no_text(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "is")
    write("stacks/s.toml", "journal = '${env:ONE}'")

    with pytest.raises(StackError, match="no installed plugin has a journal called 'is'"):
        open_stack("s")
