"""The parent's side of the process that driver lives are forked from."""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from anabranch.errors import EntryError, NotSerializable
from anabranch.journal.events import Json
from anabranch.testing.orders import Greeting, Order


class Nursery:
    """Use it in `with`. `printed` is where the process writes what nobody asked it."""

    def __init__(
        self, entry: dict[str, Json], arguments: Mapping[str, object], printed: Path
    ) -> None:
        self._entry, self._arguments, self._printed = entry, arguments, printed
        self._process: subprocess.Popen[bytes] | None = None
        self._module = ""

    def __enter__(self) -> "Nursery":
        """Raises `EntryError` or `NotSerializable` if the pipeline or its arguments cannot be had there."""
        greeting = Greeting(
            entry=self._entry,
            arguments=_pickled(self._arguments),
            path=tuple(entry or os.getcwd() for entry in sys.path),
        )
        with self._printed.open("wb") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "anabranch.testing.forking"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                bufsize=0,
            )
        try:
            self._send(greeting.line())
            self._module = self._greeted()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *of_error: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:  # closes its pipes and waits
                pass

    def live(self, order: Order, seconds: float | None) -> int | None:
        """A driver life, from its beginning to its end: how it ended, as of `os.waitpid`.

        `None` if it had not ended after `seconds`, and was killed for it; `seconds=None` waits for ever.
        """
        self._send(order.line())
        process, in_time = self._answer()["process"], True
        if not select.select([self._answers], [], [], seconds)[0]:
            in_time = False
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        status: int = self._answer()["status"]
        return status if in_time else None

    @contextmanager
    def module_alike(self) -> Iterator[None]:
        """Here too, the pipeline's module goes by the name that it has there: what was pickled there needs it."""
        here = sys.modules[str(self._entry["module"])]
        is_alias = (
            sys.modules.setdefault(self._module, here) is here and here.__name__ != self._module
        )
        try:
            yield
        finally:
            if is_alias:
                sys.modules.pop(self._module)

    @property
    def _pipes(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "use it in with"
        return self._process

    @property
    def _answers(self) -> IO[bytes]:
        assert self._pipes.stdout is not None
        return self._pipes.stdout

    def _send(self, line: str) -> None:
        assert self._pipes.stdin is not None
        with suppress(BrokenPipeError):  # the answer that does not come is an error of its own
            self._pipes.stdin.write(line.encode())

    def _greeted(self) -> str:
        answer = self._answer()
        if "error" in answer:
            what, to, do = answer["error"]
            where = to or str(self._entry["file"] or self._entry["module"])
            raise EntryError(what, where, do or f"import it alone: {sys.executable} {where}")
        return str(answer["module"])

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            last = self._printed.read_text(errors="replace").strip().splitlines()[-1:]
            raise EntryError(
                f"the process that drivers are forked from has ended: {' '.join(last)}",
                str(self._entry["file"] or self._entry["module"]),
                "see whether its import ends the process, or starts threads",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def _pickled(arguments: Mapping[str, object]) -> bytes:
    try:
        return pickle.dumps(dict(arguments))
    except Exception as error:
        raise NotSerializable(
            f"the arguments cannot be sent to another process: {error}",
            "crash_everywhere()",
            "pass values that pickle",
        ) from error
