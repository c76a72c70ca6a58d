"""What the two processes of a crash test say to each other: JSON, a line each."""

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from anabranch.journal.events import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One driver life. `run` is empty for a new run; `kill_at` is the moment of its death, 0 if it is to live."""

    folder: str
    life: int
    run: str = ""
    kill_at: int = 0

    @property
    def diary(self) -> Path:
        return Path(self.folder) / f"life-{self.life}.jsonl"

    @property
    def printed(self) -> Path:
        """What the process writes to its standard output and error."""
        return Path(self.folder) / f"life-{self.life}.txt"

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The first word to the other process: the pipeline by its entry, its pickled arguments, and where to import."""

    entry: dict[str, Json]
    arguments: bytes
    path: tuple[str, ...]

    def line(self) -> str:
        arguments = base64.b64encode(self.arguments).decode()
        return json.dumps({"entry": self.entry, "arguments": arguments, "path": self.path}) + "\n"


def read_order(line: bytes) -> Order:
    """What `Order.line` has written."""
    return Order(**json.loads(line))


def read_greeting(line: bytes) -> Greeting:
    """What `Greeting.line` has written."""
    found = json.loads(line)
    return Greeting(
        entry=found["entry"],
        arguments=base64.b64decode(found["arguments"]),
        path=tuple(found["path"]),
    )
