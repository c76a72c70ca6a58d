"""The parent's side of the process that driver lives are forked from, and of its lanes."""

import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from anabranch.errors import EntryError, NotSerializable
from anabranch.journal.events import Json
from anabranch.testing.orders import Greeting, Order


class Lane:
    """One driver life at a time, in a process that another forks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._received = connection, b""

    def live(self, order: Order, seconds: float | None) -> int | None:
        """A driver life, from its beginning to its end: how it ended, as of `os.waitpid`.

        `None` if it had not ended after `seconds`, and was killed for it; `seconds=None` waits for ever.
        """
        try:
            self._connection.sendall(order.line().encode())
            process = self._answer()
            if self._received or select.select([self._connection], [], [], seconds)[0]:
                return self._answer()
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(process, signal.SIGKILL)
            self._answer()
        except ConnectionError as error:
            raise EntryError(
                "a process that drivers are forked from has ended",
                "crash_everywhere()",
                "see whether something on this machine ends processes",
            ) from error
        return None

    def _answer(self) -> int:
        while b"\n" not in self._received:
            received = self._connection.recv(1024)
            if not received:
                raise ConnectionResetError
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        return int(line)


class Nursery:
    """Use it in `with`. `printed` is where the process writes what nobody asked it."""

    def __init__(
        self, entry: dict[str, Json], arguments: Mapping[str, object], printed: Path, count: int
    ) -> None:
        self._entry, self._arguments = entry, arguments
        self._printed, self._count = printed, count
        self._closing = ExitStack()
        self.lanes: list[Lane] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._module = ""

    def __enter__(self) -> "Nursery":
        """Starts the process. Raises `NotSerializable`."""
        greeting = Greeting(
            entry=self._entry,
            arguments=_pickled(self._arguments),
            path=tuple(entry or os.getcwd() for entry in sys.path),
        )
        with ExitStack() as closing:
            ends = [self._lane(closing) for _ in range(self._count)]
            self._process = self._started(greeting, ends, closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *of_error: object) -> None:
        self._closing.close()

    def wait(self) -> None:
        """Until it has imported the pipeline. Raises `EntryError` if it cannot."""
        assert self._process is not None, "use it in with"
        self._module = self._greeted(self._process)

    @contextmanager
    def module_alike(self) -> Iterator[None]:
        """Here too, the pipeline's module goes by the name that it has there: what was pickled there needs it."""
        here = sys.modules[str(self._entry["module"])]
        is_new = sys.modules.setdefault(self._module, here) is here
        try:
            yield
        finally:
            if is_new and here.__name__ != self._module:
                sys.modules.pop(self._module)

    def _lane(self, closing: ExitStack) -> socket.socket:
        """Makes a lane; returns the end of its connection that is for the other process."""
        mine, other = socket.socketpair()
        self.lanes.append(Lane(closing.enter_context(mine)))
        return other

    def _started(
        self, greeting: Greeting, ends: list[socket.socket], closing: ExitStack
    ) -> "subprocess.Popen[bytes]":
        numbers = [end.fileno() for end in ends]
        with self._printed.open("wb") as printed, ExitStack() as given:
            for end in ends:
                given.enter_context(end)
            process = subprocess.Popen(  # noqa: S603  (this very program)
                [sys.executable, "-m", "anabranch.testing.forking", *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                pass_fds=numbers,
            )
        closing.enter_context(process)
        closing.callback(process.kill)
        with suppress(BrokenPipeError):  # that there is no answer tells more
            assert process.stdin is not None
            process.stdin.write(greeting.line().encode())
            process.stdin.flush()
        return process

    def _greeted(self, process: "subprocess.Popen[bytes]") -> str:
        """The name of the pipeline's module there."""
        assert process.stdout is not None
        line = process.stdout.readline()
        place = str(self._entry["file"] or self._entry["module"])
        if not line:
            last = self._printed.read_text(errors="replace").strip().splitlines()[-1:]
            raise EntryError(
                f"a process that imports the pipeline ends at that: {' '.join(last)}",
                place,
                "put what the file does beyond definitions under if __name__ == ...",
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            what, to, do = answer["error"]
            raise EntryError(what, to or place, do or f"try it alone: {sys.executable} {place}")
        return str(answer["module"])


def _pickled(arguments: Mapping[str, object]) -> bytes:
    try:
        return pickle.dumps(dict(arguments))
    except Exception as error:
        raise NotSerializable(
            f"the arguments cannot be sent to another process: {error}",
            "crash_everywhere()",
            "pass values that pickle",
        ) from error
