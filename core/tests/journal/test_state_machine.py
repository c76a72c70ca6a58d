"""The SQLite journal through everything that can be done to a journal, in random orders."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

from anabranch.journal.sqlite import SqliteJournal
from anabranch.testing.journals import JournalMachine


class SqliteMachine(JournalMachine):
    """A journal in a file of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._lives = 0

    @property
    def path(self) -> Path:
        return Path(self._folder.name) / str(self._lives) / "journal.db"

    def open_journal(self) -> SqliteJournal:
        return SqliteJournal(self.path)

    def outlive(self) -> None:
        """What kill -9 leaves: the file and its log as they are now, and nobody who tidies up."""
        before = self.path
        self._lives += 1
        self.path.parent.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            if before.with_name(name).exists():
                shutil.copy(before.with_name(name), self.path.with_name(name))

    def teardown(self) -> None:
        super().teardown()
        self._folder.cleanup()


SqliteMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, database=None
)
TestSqlite = SqliteMachine.TestCase
