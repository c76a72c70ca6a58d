"""What the tests of the laws look at: the journal of the project that they run in."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from anabranch.journal.events import Event, LogWritten, OutcomeDiscarded, OutcomeRecorded
from anabranch.journal.fold import RunState, fold
from anabranch.journal.sqlite import SqliteJournal


@dataclass
class Record:
    """The newest run of a project, as its journal has it."""

    path: Path

    def events(self) -> list[tuple[int, Event]]:
        journal = SqliteJournal(self.path)
        try:
            return list(journal.read(journal.find("latest"), without=(LogWritten,)))
        finally:
            journal.close()

    def state(self) -> RunState:
        """The fold, which itself refuses a second outcome for an invocation that has one (law L1)."""
        return fold(self.events())

    def executed(self) -> list[str]:
        """The calls that were executed in the last driver life, by display id."""
        state = self.state()
        last = [e for _, e in self.events()][self._start_of_last_life() :]
        return [
            state.invocations[e.invocation].display for e in last if isinstance(e, OutcomeRecorded)
        ]

    def reasons(self) -> dict[str, str]:
        """Why recorded outcomes were discarded, by display id."""
        state = self.state()
        return {
            state.invocations[e.invocation].display: e.reason
            for _, e in self.events()
            if isinstance(e, OutcomeDiscarded)
        }

    def standing_outcomes(self) -> dict[str, int]:
        """How many outcomes each invocation has that were not discarded."""
        counts: dict[str, int] = {}
        for _, event in self.events():
            if isinstance(event, OutcomeRecorded):
                counts[event.invocation] = counts.get(event.invocation, 0) + 1
            elif isinstance(event, OutcomeDiscarded):
                counts[event.invocation] -= 1
        return counts

    def _start_of_last_life(self) -> int:
        kinds = [type(e).__name__ for _, e in self.events()]
        return len(kinds) - 1 - kinds[::-1].index("DriverStarted")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "project" / ".anabranch" / "journal.db")
