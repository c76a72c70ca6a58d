"""Stories of runs, told to real journals; `story.py` is shared with the tests of the command line."""

import importlib.util
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, Group
from rich.text import Text

_SPEC = importlib.util.spec_from_file_location("story", Path(__file__).with_name("story.py"))
_STORY = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_STORY)


@pytest.fixture
def tell(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Begin a story: `tell(observers=[...])`; `begin=False` leaves that to the test."""

    stories: list[Any] = []

    def told(*, begin: bool = True, **how: Any) -> Any:
        stories.append(_STORY.Story(tmp_path / "journal.db", **how))
        return stories[-1].begin() if begin else stories[-1]

    yield told
    for story in stories:
        story.journal.close()


@pytest.fixture(scope="session")
def storyteller(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Somebody who makes events and tells them to nobody."""
    return _STORY.Story(tmp_path_factory.mktemp("never") / "journal.db")


@pytest.fixture
def seen() -> Callable[..., str]:
    """What somebody sees of a rich text on a terminal of some width, without colours."""

    def rendered(text: Text, width: int = 100) -> str:
        console = Console(file=io.StringIO(), width=width, highlight=False)
        console.print(Group(text))  # on its own, a text would forget that it does not wrap
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    return rendered
