"""What no run needs goes, what a run needs stays: whatever was run, failed, resumed and deleted before."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from anabranch import pipeline, step
from anabranch.artifacts.interface import Buffers, digest_of
from anabranch.engine.leftovers import leftovers, remove
from anabranch.errors import JournalError
from anabranch.journal.events import LogWritten
from anabranch.journal.references import WITHOUT_REFERENCES, stored_digests

SIZE = 40_000  # more than an event takes


@step
def grow(seed: int) -> bytes:
    return bytes([seed]) * SIZE


@step
def join(parts: list[bytes], given: bytes) -> list[bytes]:
    return [*parts, given]


@step
def deliver(parts: list[bytes], flag: str) -> bytes:
    if os.path.exists(flag):
        raise ValueError("not now")
    return b"".join(parts)[1:]


@pipeline
def inner(seed: int) -> Any:
    return grow(seed + 100)


@pipeline
def outer(seeds: list[int], given: bytes, flag: str) -> Any:
    parts = grow.map(seeds)
    below = inner(seeds[0])
    delivered = deliver(join(parts, given), flag)
    return delivered, below, b"plain" * SIZE


def expected(seeds: list[int], given: bytes) -> tuple[bytes, bytes, bytes]:
    delivered = b"".join([bytes([seed]) * SIZE for seed in seeds] + [given])[1:]
    return delivered, bytes([seeds[0] + 100]) * SIZE, b"plain" * SIZE


@dataclass
class World:
    """A journal and a store, what was run, and what it should have come to."""

    lab: Any
    folder: Path
    runs: dict[str, tuple[Any, list[int], bytes]] = field(default_factory=dict)
    started: int = 0

    def start(self, seeds: list[int], fails: bool) -> None:
        given = bytes([seeds[-1] + 50]) * SIZE
        self.started += 1
        flag = self.folder / f"flag{self.started}"
        if fails:
            flag.touch()
        run = self.lab.start(outer, seeds, given, str(flag))
        assert run.status == ("failed" if fails else "completed")
        self.runs[run.id] = (run, seeds, given)

    def resume(self, place: int, still_fails: bool) -> None:
        failed = [run for run, _, _ in self.runs.values() if run.status == "failed"]
        if not failed:
            return
        old = failed[place % len(failed)]
        flag = Path(self.argument(old, "flag"))
        if not still_fails:
            flag.unlink()
        run = self.lab.resume(old, outer)
        assert run.status == ("failed" if still_fails else "completed")
        assert self.lab.executed(run) == ["deliver"]
        self.runs[run.id] = (run, *self.runs[run.id][1:])

    def delete(self, place: int) -> None:
        if self.runs:
            run = list(self.runs)[place % len(self.runs)]
            self.lab.stack.journal.delete(run)
            del self.runs[run]

    def collect(self) -> None:
        """As if all were old."""
        store = self.lab.stack.store
        found = leftovers([self.lab.stack.journal], store, math.inf)
        assert remove(store, found, math.inf) == found
        assert {each.digest for each in store.stored()} == self.needed()

    def needed(self) -> set[str]:
        journal = self.lab.stack.journal
        events = [event for run in self.runs for _, event in journal.read(run)]
        return {digest for event in events for digest in stored_digests(event)}

    def argument(self, run: Any, name: str) -> Any:
        """What a run was called with, as a resume would read it."""
        [output] = [each for each in run.state.created.arguments if each.name == name]
        return run._values.load(output, 1)

    def check(self) -> None:
        """Every run that is left has all that it ever had."""
        for run, seeds, given in self.runs.values():
            assert self.argument(run, "given") == given
            for place, seed in enumerate(seeds):
                assert run.artifact(f"grow[{place}]").load() == bytes([seed]) * SIZE
            assert run.artifact("join").load()[-1] == given
            if run.status == "completed":
                assert run.load() == expected(seeds, given)

    def finish(self) -> None:
        """What failed can still be resumed, without making anything anew."""
        while any(run.status == "failed" for run, _, _ in self.runs.values()):
            self.resume(0, still_fails=False)
        self.check()


places = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("start"), st.lists(st.integers(0, 3), min_size=1, max_size=3), st.booleans()),
    st.tuples(st.just("resume"), places, st.booleans()),
    st.tuples(st.just("delete"), places),
    st.tuples(st.just("collect")),
)


@hypothesis.settings(deadline=None, database=None, max_examples=40)
@hypothesis.given(st.lists(steps, min_size=1, max_size=12))
def test_every_run_that_is_left_has_all_it_needs_and_nothing_else_is_left(
    lab_in: Callable[[Path], Any],
    tmp_path_factory: pytest.TempPathFactory,
    story: list[tuple[Any, ...]],
) -> None:
    """Over any sequence of runs, failures, resumes, deletions and collections."""
    folder = tmp_path_factory.mktemp("world")
    world = World(lab_in(folder), folder)
    with world.lab.stack:
        for act, *details in story:
            getattr(world, act)(*details)
            world.check()
        world.collect()
        world.finish()


def test_what_is_young_stays_for_it_may_be_recorded_in_a_moment(stack) -> None:
    payload = Buffers((b"about to be recorded",))
    stack.store.put(digest_of(payload), payload)

    assert leftovers([stack.journal], stack.store, time.time() - 60) == []
    assert [each.size for each in leftovers([stack.journal], stack.store, math.inf)] == [20]


def test_what_a_run_put_again_after_the_look_around_stays(lab, stack) -> None:
    """A driver makes the value that was a leftover just now, and records it before the removal."""
    first = lab.start(outer, [1], b"x" * SIZE, "")
    stack.journal.delete(first.id)
    for each in stack.store.stored():
        os.utime(stack.store.open(each.digest).path(), (0, 0))
    before = time.time() - 60
    found = leftovers([stack.journal], stack.store, before)
    assert len(found) == len(list(stack.store.stored()))

    second = lab.start(outer, [1], b"x" * SIZE, "")

    assert remove(stack.store, found, before) == []
    assert second.load() == expected([1], b"x" * SIZE)


def test_what_a_discarded_outcome_made_stays_with_its_run(lab, stack) -> None:
    def flow_of(data: bytes, error: Exception | None) -> Any:
        """Two versions of one file: another value, and an error that was mended."""

        @step
        def made() -> bytes:
            return data * SIZE

        @step
        def last(x: bytes) -> None:
            if error is not None:
                raise error

        @pipeline
        def flow() -> None:
            last(made())

        return flow

    failed = lab.start(flow_of(b"one", ValueError("not yet")))
    old = failed.artifact("made").digest
    run = lab.resume(failed, flow_of(b"two", None))

    assert run.status == "completed"
    assert run.artifact("made").digest != old
    assert len(list(stack.store.stored())) == 2
    assert leftovers([stack.journal], stack.store, math.inf) == []


def test_log_text_that_is_too_long_for_the_journal_stays_with_its_run(lab, stack) -> None:
    run = lab.start(outer, [1], b"", "")
    payload = Buffers((b"a long log",))
    stack.store.put(digest_of(payload), payload)
    writer = stack.journal.acquire(run.id, "me", 60.0)
    writer.append([LogWritten(at=1.0, invocation="a", attempt=1, blob=digest_of(payload))])
    writer.release()

    assert leftovers([stack.journal], stack.store, math.inf) == []


def test_the_runs_of_every_journal_count(lab, stack, lab_in, tmp_path) -> None:
    other = lab_in(tmp_path / "other")
    shared = World(lab, tmp_path)
    shared.start([1], fails=False)

    with other.stack:
        assert leftovers([other.stack.journal, stack.journal], stack.store, math.inf) == []
        assert leftovers([other.stack.journal], stack.store, math.inf) != []


def test_nothing_goes_while_one_run_cannot_be_read(lab, stack) -> None:
    lab.start(outer, [1], b"x" * SIZE, "")
    payload = Buffers((b"a leftover",))
    stack.store.put(digest_of(payload), payload)
    with stack.journal._file.transaction() as db:
        db.execute("UPDATE segments SET crc = crc + 1 WHERE count > 1")

    with pytest.raises(JournalError):
        leftovers([stack.journal], stack.store, math.inf)


def test_kinds_that_are_passed_over_refer_to_nothing() -> None:
    """No field of theirs could hold a digest of the store."""
    names = {name for kind in WITHOUT_REFERENCES for name in kind.__slots__}

    assert names.isdisjoint({"outputs", "arguments", "blob", "data"})
