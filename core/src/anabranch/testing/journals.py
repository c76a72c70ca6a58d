"""Any home of the journal against a plain list of events: whatever is done to it, and in whatever order.

`JournalMachine` plays with two processes at one journal: runs are begun, written, taken over and left, processes die,
zombies write. After every step the journal must tell exactly what was written, and nobody but the last holder of a
run's lease may have written it (law L4). A home of the journal is put through it by a subclass:

    class OurMachine(JournalMachine):
        def open_journal(self) -> Journal:
            return OurJournal(self.place)

    TestOurs = OurMachine.TestCase

Needs `hypothesis`, which a plugin's tests install and the product does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anabranch.errors import JournalCorrupt, JournalError, LeaseLost, RunBusy, RunNotFound
from anabranch.journal.events import (
    DriverEnded,
    DriverStarted,
    Event,
    LogWritten,
    RunCreated,
    RunEnded,
)
from anabranch.journal.fold import RunState, read_state
from anabranch.journal.interface import Journal, Lease, Message, RunSummary, RunWriter
from anabranch.model.ids import InvocationId, RunId
from anabranch.model.records import RunStatus
from anabranch.testing.events import of_kind
from anabranch.testing.histories import fits, histories

LASTING = 3600.0
RUN_OUT = -1.0
"""A lease for this long is over when it is given: so a test needs no hold of the clock of a journal's home."""

_RUNS = 4
_MANY = 300  # more than one segment holds

_holders = st.sampled_from(["machine-a:1", "machine-b:1", "machine-b:2"])
_times_to_live = st.sampled_from([LASTING, RUN_OUT])
_messages = st.builds(
    Message,
    kind=st.sampled_from(["cancel", "answer"]),
    sender=st.text(max_size=5),
    subject=st.text(max_size=5),
    data=st.binary(max_size=20),
)


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a run must be. `state` leaves log text out, as whoever asks for a run's state does."""

    created: RunCreated
    epoch: int
    holder: str | None
    lasts: bool
    events: list[Event] = field(default_factory=list)
    state: RunState = field(default_factory=RunState)
    messages: list[tuple[int, Message]] = field(default_factory=list)
    is_driven: bool = False

    def add(self, event: Event) -> None:
        self.events.append(event)
        if not isinstance(event, LogWritten):
            self.state.apply(len(self.events), event)
        if isinstance(event, DriverStarted | DriverEnded | RunEnded):
            self.is_driven = isinstance(event, DriverStarted)

    def status(self) -> RunStatus:
        """As the list of runs shows it: what the events say, and where they say nothing what the lease says."""
        if self.state.end_number or self.state.status == "paused":
            return self.state.status
        if self.holder is None:
            return "interrupted"
        return "running" if self.lasts else "lost"


@dataclass(slots=True, kw_only=True)
class _Held:
    """A writer, and the process that it lives in: the place of a journal among those that are open."""

    writer: RunWriter
    run: RunId
    epoch: int
    process: int
    lasts: bool


class JournalMachine(RuleBasedStateMachine):
    """Give `open_journal`; a home that can say what a crash of all its processes leaves gives `outlive` too."""

    def open_journal(self) -> Journal:
        """The journal as one more process opens it. It is empty when the machine starts."""
        raise NotImplementedError

    def outlive(self) -> None:
        """All processes have died at this moment: what they had not written is gone, what they had open is theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[RunId, _Run] = {}
        self.held: list[_Held] = []
        self.dead: list[Journal] = []
        self.looks = 0

    @initialize()
    def begin(self) -> None:
        self.journals = [self.open_journal(), self.open_journal()]

    def teardown(self) -> None:
        for journal in (*self.dead, *getattr(self, "journals", ())):
            journal.close()

    # --- the right to write ------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.runs) < _RUNS)
    @rule(
        drawn=of_kind(RunCreated),
        holder=_holders,
        seconds=_times_to_live,
        process=st.integers(0, 1),
    )
    def create(self, drawn: RunCreated, holder: str, seconds: float, process: int) -> None:
        place = len(self.runs) + 1
        run = RunId(f"20260101-0000{place:02}-abcde{place}")
        created = replace(drawn, run=run, at=float(place))
        writer = self.journals[process].create(created, holder, seconds)
        lasts = seconds > 0
        self.runs[run] = _Run(created=created, epoch=writer.epoch, holder=holder, lasts=lasts)
        self.runs[run].add(created)
        self._hold(writer, run, process, lasts)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), process=st.integers(0, 1))
    def create_what_exists(self, data: st.DataObject, process: int) -> None:
        created = self._run(data).created
        with _raises(JournalError):
            self.journals[process].create(created, "machine-c:1", LASTING)

    @precondition(lambda self: self.runs)
    @rule(
        data=st.data(),
        holder=_holders,
        seconds=_times_to_live,
        process=st.integers(0, 1),
        knows_it_dead=st.booleans(),
    )
    def acquire(
        self, data: st.DataObject, holder: str, seconds: float, process: int, knows_it_dead: bool
    ) -> None:
        run = self._run(data)
        name, journal = run.created.run, self.journals[process]
        dead = run.epoch if knows_it_dead else data.draw(st.none() | st.just(run.epoch - 1))
        if run.holder is not None and run.lasts and dead != run.epoch:
            with _raises(RunBusy, run.holder):
                journal.acquire(name, holder, seconds, dead_epoch=dead)
            return
        writer = journal.acquire(name, holder, seconds, dead_epoch=dead)
        assert writer.epoch > run.epoch, "the epoch grows with every change of hands"
        run.epoch, run.holder, run.lasts = writer.epoch, holder, seconds > 0
        self._hold(writer, name, process, run.lasts)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        held, is_current = self._writer(data)
        if is_current:
            held.writer.renew()
            self.runs[held.run].lasts = held.lasts
        else:
            with _raises(LeaseLost):
                held.writer.renew()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Whoever has given the lease back says nothing more; a zombie that gives it back changes nothing."""
        held, is_current = self._writer(data)
        held.writer.release()
        if is_current:
            self.runs[held.run].holder = None
            self.held.remove(held)

    # --- writing -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(data=st.data(), drawn=histories())
    def append(self, data: st.DataObject, drawn: list[Event]) -> None:
        held, is_current = self._writer(data)
        run = self.runs[held.run]
        if not is_current:
            with _raises(LeaseLost):
                held.writer.append(drawn or [run.created])
            return
        first, added = len(run.events) + 1, []
        for event in drawn:
            if fits(event, run.state, run.is_driven):
                run.add(event)
                added.append(event)
        if added:
            assert held.writer.append(added) == first

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def append_many(self, data: st.DataObject) -> None:
        held, is_current = self._writer(data)
        run = self.runs[held.run]
        lines = [
            LogWritten(at=0.0, invocation=InvocationId("a"), attempt=1, data=b"%d" % number)
            for number in range(_MANY)
        ]
        if is_current and len(run.events) < _MANY:
            assert held.writer.append(lines) == len(run.events) + 1
            for line in lines:
                run.add(line)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), message=_messages, process=st.integers(0, 1))
    def post(self, data: st.DataObject, message: Message, process: int) -> None:
        run = self._run(data)
        number = self.journals[process].post(run.created.run, message)
        assert all(number > other for r in self.runs.values() for other, _ in r.messages)
        run.messages.append((number, message))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def look_into_the_inbox(self, data: st.DataObject) -> None:
        held, is_current = self._writer(data)
        if is_current:
            messages = self.runs[held.run].messages
            after = data.draw(st.sampled_from([0, *(number for number, _ in messages)]))
            found = [(number, message) for number, message in messages if number > after]
            assert list(held.writer.inbox(after)) == found

    # --- dying -------------------------------------------------------------------------------------------------

    @rule(process=st.integers(0, 1))
    def one_process_dies(self, process: int) -> None:
        """It closes nothing; another one comes in its place."""
        self.dead.append(self.journals[process])
        self.held = [held for held in self.held if held.process != process]
        self.journals[process] = self.open_journal()

    @rule()
    def all_processes_die(self) -> None:
        self.dead += self.journals
        self.held = []
        self.outlive()
        self.journals = [self.open_journal(), self.open_journal()]

    @rule(process=st.integers(0, 1))
    def close(self, process: int) -> None:
        """A journal that was closed opens again when it is used."""
        self.journals[process].close()

    # --- reading -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), process=st.integers(0, 1))
    def read_from_somewhere(self, data: st.DataObject, process: int) -> None:
        run = self._run(data)
        after = data.draw(st.integers(0, len(run.events) + 1))
        without = data.draw(st.sets(st.sampled_from([type(event) for event in run.events])))
        found = list(self.journals[process].read(run.created.run, after, without))
        numbered = list(enumerate(run.events, 1))[after:]
        assert found == [(n, event) for n, event in numbered if type(event) not in without]

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), process=st.integers(0, 1))
    def read_data(self, data: st.DataObject, process: int) -> None:
        run, journal = self._run(data), self.journals[process]
        number = data.draw(st.integers(1, len(run.events)))
        name, event = run.created.run, run.events[number - 1]
        assert journal.data(name, number) == getattr(event, "data", b"")
        with _raises(JournalCorrupt):
            journal.data(name, len(run.events) + 1)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), process=st.integers(0, 1))
    def find(self, data: st.DataObject, process: int) -> None:
        name, journal = self._run(data).created.run, self.journals[process]
        prefix = name[: data.draw(st.integers(1, len(name)))]
        if sum(other.startswith(prefix) for other in self.runs) == 1:
            assert journal.find(prefix) == name
        else:
            with _raises(RunNotFound):
                journal.find(prefix)
        assert journal.find("latest") == list(self.runs)[-1]

    @rule(process=st.integers(0, 1), message=_messages)
    def ask_for_what_is_not_there(self, process: int, message: Message) -> None:
        journal, nobody = self.journals[process], RunId("20270101-000000-zzzzzz")
        with _raises(RunNotFound):
            journal.acquire(nobody, "machine-a:1", LASTING)
        with _raises(RunNotFound):
            journal.post(nobody, message)
        with _raises(RunNotFound):
            list(journal.read(nobody))
        with _raises(RunNotFound):
            journal.summary(nobody)

    # --- what must hold at every moment ------------------------------------------------------------------------

    @invariant()
    def every_run_is_what_was_written(self) -> None:
        """In order, numbered without a gap, and the same state; asked of either process by turns."""
        self.looks += 1
        journal = self.journals[self.looks % 2]
        for name, run in self.runs.items():
            assert list(journal.read(name)) == list(enumerate(run.events, 1))
            assert read_state(journal, name) == run.state

    @invariant()
    def the_list_of_runs_agrees_with_their_events_and_leases(self) -> None:
        journal = self.journals[self.looks % 2]
        expected = [_without_end(self._summary(run)) for run in reversed(self.runs.values())]
        assert [_without_end(found) for found in journal.runs()] == expected
        assert [_without_end(found) for found in journal.runs(limit=1)] == expected[:1]
        assert [_without_end(journal.summary(run)) for run in reversed(self.runs)] == expected

    # --- parts -------------------------------------------------------------------------------------------------

    def _hold(self, writer: RunWriter, run: RunId, process: int, lasts: bool) -> None:
        epoch = writer.epoch
        self.held.append(_Held(writer=writer, run=run, epoch=epoch, process=process, lasts=lasts))

    def _run(self, data: st.DataObject) -> _Run:
        return self.runs[data.draw(st.sampled_from(list(self.runs)))]

    def _writer(self, data: st.DataObject) -> tuple[_Held, bool]:
        """Some writer, and whether nobody has taken its run over."""
        held = self.held[data.draw(st.integers(0, len(self.held) - 1))]
        return held, held.epoch == self.runs[held.run].epoch

    @staticmethod
    def _summary(run: _Run) -> RunSummary:
        lease = None if run.holder is None else Lease(holder=run.holder, epoch=run.epoch, until=0.0)
        return RunSummary(
            run=run.created.run,
            pipeline=run.created.pipeline,
            created=run.created.at,
            status=run.status(),
            ended=run.state.ended_at if run.state.end_number else None,
            events=len(run.events),
            lease=lease,
        )


def _without_end(summary: RunSummary) -> RunSummary:
    """When a lease ends is told by the clock of the journal's home."""
    lease = None if summary.lease is None else replace(summary.lease, until=0.0)
    return replace(summary, lease=lease)


@contextmanager
def _raises(kind: type[Exception], word: str = "") -> Iterator[None]:
    """The body must raise this, with `word` in its text."""
    text: str | None = None
    try:
        yield
    except kind as error:
        text = str(error)
    assert text is not None, f"{kind.__name__} was to be raised"
    assert word in text
