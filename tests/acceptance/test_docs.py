"""Every Python example of the README and of `docs/` is run, page by page, as its reader would run it.

A page says what is what by means that its reader sees, or by an HTML comment above the block:

* A ```` ```python ```` block is code. The blocks of a page are one script, run from the top.
* A block with a `title="flow.py"` is that file, whatever its language. A Python file is also imported.
* `<!-- run -->` above a `console` or `bash` block: it is run in bash. `<!-- run fails -->`: and must not exit with 0.
* `<!-- output -->` above a `text` block: that is what the block before it prints, `...` standing for anything. Times
  and run ids may differ, and so may the spaces between words.

Files and commands are taken in the order of the page; the script comes after them.
"""

import itertools
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()
]

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,}) *(?P<language>[\w-]*)(?P<rest>[^\n`]*)\n"
    r"(?P<text>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--\s*([^>]*?)\s*-->\s*\Z")
_TITLE = re.compile(r'title="([^"]+)"')
_VARYING = (
    (re.compile(r"\b\d{8}-\d{6}-\w{6}\b"), "RUN"),
    (re.compile(r"\b\d+(\.\d+)? (s|ms)\b"), "TIME"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" ?\n"), "\n"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """`line` is that of its first line of text, from 1; `comment` is empty if there is none above it."""

    language: str
    text: str
    line: int
    title: str
    comment: str

    @property
    def is_script(self) -> bool:
        return self.language in ("python", "py") and not self.title

    @property
    def is_command(self) -> bool:
        return self.language in ("console", "bash") and self.comment in ("run", "run fails")

    @property
    def is_output(self) -> bool:
        return self.comment == "output"


def blocks_of(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, from the top."""
    for found in _FENCE.finditer(page):
        comment = _COMMENT.search(page[: found.start()])
        title = _TITLE.search(found["rest"])
        yield Block(
            language=found["language"],
            text=textwrap.dedent(found["text"]),
            line=page.count("\n", 0, found.start()) + 2,
            title=title[1] if title else "",
            comment=comment[1] if comment else "",
        )


class Reader:
    """Somebody who does in `folder` what a page says. What each block printed is kept by its line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.printed: dict[int, str] = {}

    def follow(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            if block.title:
                self._write(block)
            elif block.is_command:
                self._type(block)
        script = [block for block in blocks if block.is_script]
        if script:
            self._run_script(script)

    def _write(self, block: Block) -> None:
        path = self._folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if path.suffix == ".py":
            self._run(
                "python", "-c", f"import runpy; runpy.run_path({block.title!r}, run_name='page')"
            )

    def _type(self, block: Block) -> None:
        lines = [line.removeprefix("$ ") for line in block.text.splitlines()]
        told = self._run("bash", "-c", "\n".join(lines), fails=block.comment == "run fails")
        self.printed[block.line] = told

    def _run_script(self, script: Sequence[Block]) -> None:
        """Line *n* of the script is line *n* of the page, so that a traceback points into it."""
        lines: list[str] = []
        for block in script:
            lines += [""] * (block.line - 2 - len(lines))
            lines.append(f"print({_mark(block)!r}, flush=True)")
            lines += block.text.splitlines()
        (self._folder / "page.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
        told = self._run("python", "page.py", with_errors=False)
        for block in script:
            self.printed[block.line] = told.partition(_mark(block) + "\n")[2].partition("\0")[0]

    def _run(self, *command: str, fails: bool = False, with_errors: bool = True) -> str:
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env=_environment(self._folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        assert (ended.returncode != 0) is fails, f"{ended.stdout}\n{ended.stderr or ''}"
        return ended.stdout


def _mark(block: Block) -> str:
    return f"\0{block.line}"


def _environment(folder: Path) -> dict[str, str]:
    """That of a newcomer: no stack chosen, nothing configured, the project's Python first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    bin_folder = str(Path(sys.executable).parent)
    return kept | {
        "HOME": str(folder.parent / "home"),
        "XDG_CONFIG_HOME": str(folder.parent / "home" / ".config"),
        "PATH": bin_folder + os.pathsep + os.environ.get("PATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "ANABRANCH_CONSOLE": "plain",
    }


def agrees(shown: str, printed: str) -> bool:
    """Whether what the page shows is what was printed, but for what may differ."""
    pattern = ".*".join(re.escape(part) for part in _settled(shown).split("..."))
    return re.fullmatch(pattern, _settled(printed), re.DOTALL) is not None


def _settled(text: str) -> str:
    text = textwrap.dedent(text).strip() + "\n"
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """Code runs, files import, marked commands end as the page says, and shown output is what is printed."""
    folder = tmp_path / "project"
    folder.mkdir()
    blocks = list(blocks_of(page.read_text(encoding="utf-8")))
    reader = Reader(folder)

    reader.follow(blocks)

    for before, block in itertools.pairwise(blocks):
        if block.is_output:
            printed = reader.printed[before.line]
            assert agrees(block.text, printed), f"{page.name}:{block.line} prints:\n{printed}"


def test_output_that_differs_is_noticed() -> None:
    """A run id and a time may differ; a word, a line too many and a line too few may not."""
    shown = "run 20260101-000000-abcde7 completed in 0.04 s\n...\nend\n"

    assert agrees(shown, "run 20270202-111111-zzzzz7   completed in 12 s\nanything\nend\n")
    assert not agrees(shown, "run 20270202-111111-zzzzz7 failed in 12 s\nanything\nend\n")
    assert not agrees(shown, "run 20270202-111111-zzzzz7 completed in 12 s\nanything\nend\nmore\n")
    assert not agrees(shown, "run 20270202-111111-zzzzz7 completed in 12 s\nend\n")


def test_a_block_knows_its_language_title_comment_and_line() -> None:
    """Indented blocks, as in lists and tabs, are taken like any other."""
    page = 'Text.\n\n<!-- run -->\n```console\n$ ls\n```\n\n* Item\n\n    ```python title="a.py"\n    x = 1\n    ```\n'

    command, file = blocks_of(page)

    assert command == Block("console", "$ ls\n", 5, "", "run")
    assert file == Block("python", "x = 1\n", 11, "a.py", "")
