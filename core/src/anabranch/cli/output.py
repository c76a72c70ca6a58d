"""Where a command's words go: results to standard output, everything else to standard error.

With `--json`, standard output carries one document and nothing else; what steps print while a run goes on is then
sent to standard error, from subprocesses too.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

from anabranch.errors import AnabranchError

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


class Output:
    """One command's. `is_json` says that a document is wanted."""

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json

    def document(self, document: Mapping[str, object]) -> None:
        """The one document of this command."""
        print(json_text(document))

    def note(self, text: str) -> None:
        """Something to know besides the result; where both go to one place, after what was said before."""
        sys.stdout.flush()
        print(text, file=sys.stderr)

    def warn(self, problems: Iterable[str]) -> None:
        """Lines about plugins that are left out, and the like."""
        for problem in problems:
            self.note(f"warning: {problem}")

    def error(self, error: AnabranchError, code: int, where: str = "") -> None:
        """Three lines, after the line of the user's code that it comes `where` from; a document, if one is expected."""
        if where:
            print(where, file=sys.stderr)
        first, *rest = str(error).splitlines()
        if _has_colour():
            first = f"{_RED}{first}{_PLAIN}"
        print("\n".join([first, *rest]), file=sys.stderr)
        if self.is_json:
            told = {
                "type": type(error).__name__,
                "what": error.what,
                "in": error.to or None,
                "do": error.do or None,
                "exit_code": code,
            }
            self.document({"error": told})

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keeps standard output free for the document while user code runs."""
        if not self.is_json:
            yield
            return
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 1)
            os.close(kept)


def json_text(document: Mapping[str, object]) -> str:
    """A document as every command writes it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def _has_colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
