"""What other runs may use of a run, and who computes it just now: the same in every home of the journal."""

import sqlite3
from pathlib import Path

import pytest

from anabranch.errors import LeaseLost
from anabranch.journal.holders import this_holder
from anabranch.model.ids import RunId

LONG = 60.0
PAST = -1.0
NOBODY = "elsewhere:1"


def test_an_outcome_with_a_cache_key_is_found_under_it_with_its_data(
    journal, created, call, outcome
) -> None:
    writer = journal.create(created(), NOBODY, LONG)
    ended = outcome("a", cache="key", data=b"small")
    writer.append([call("a"), ended])

    kept = journal.kept("key")

    assert kept is not None
    assert (kept.run, kept.number, kept.outcome) == (created().run, 3, ended)
    assert journal.kept("another") is None


def test_an_outcome_without_a_key_is_found_by_nobody(journal, created, call, outcome) -> None:
    journal.create(created(), NOBODY, LONG).append([call("a"), outcome("a")])

    assert journal.kept("") is None


def test_of_two_outcomes_under_one_key_the_newer_is_found(journal, created, call, outcome) -> None:
    journal.create(created("one"), NOBODY, LONG).append([call("a"), outcome("a", cache="key")])
    journal.create(created("two"), NOBODY, LONG).append([call("a"), outcome("a", cache="key")])

    assert journal.kept("key").run == "two"


def test_an_outcome_that_could_not_be_written_is_not_found(
    journal, file: Path, created, call, outcome
) -> None:
    """The entry and the outcome are one transaction: there is never one without the other."""
    old = journal.create(created(), NOBODY, PAST)
    journal.acquire(created().run, "successor", LONG)

    with pytest.raises(LeaseLost):
        old.append([call("a"), outcome("a", cache="key")])

    assert journal.kept("key") is None


def test_an_entry_that_leads_to_something_else_counts_as_none(
    journal, file: Path, created, call, outcome
) -> None:
    journal.create(created(), NOBODY, LONG).append([call("a"), outcome("a", cache="key")])
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO kept VALUES ('elsewhere', 1, 2), ('nowhere', 7, 3)")
        other.execute("INSERT INTO kept VALUES ('beyond', 1, 99), ('another', 1, 3)")
    other.close()

    assert [journal.kept(key) for key in ("elsewhere", "nowhere", "beyond", "another")] == [
        None
    ] * 4


def test_what_a_deleted_run_kept_or_claimed_goes_with_it(
    journal, file: Path, created, call, outcome
) -> None:
    """Also where another run gets its number."""
    writer = journal.create(created("one"), NOBODY, LONG)
    writer.append([call("a"), outcome("a", cache="key")])
    writer.claim("claimed")
    with sqlite3.connect(file) as other:
        other.executescript("DELETE FROM runs; DELETE FROM segments;")
    other.close()
    two = journal.create(created("two"), NOBODY, LONG)

    assert journal.kept("key") is None
    assert two.claim("claimed") is None


# --- claims ------------------------------------------------------------------------------------------------------


def test_of_two_runs_that_claim_a_key_the_second_is_told_of_the_first(journal, created) -> None:
    one = journal.create(created("one"), NOBODY, LONG)
    two = journal.create(created("two"), NOBODY, LONG)

    assert one.claim("key") is None
    assert two.claim("key") == "one"
    assert two.claim("another") is None
    assert one.claim("key") is None


def test_a_claim_that_is_given_up_can_be_had(journal, created) -> None:
    one = journal.create(created("one"), NOBODY, LONG)
    two = journal.create(created("two"), NOBODY, LONG)
    one.claim("key")
    two.give_up("key")
    assert two.claim("key") == "one"

    one.give_up("key")

    assert two.claim("key") is None
    assert one.claim("key") == "two"


@pytest.mark.parametrize("end", ["release", "expiry", "successor"])
def test_a_claim_ends_with_the_lease_that_its_run_held(journal, created, end: str) -> None:
    """However that ends; a driver that takes the run up has not claimed what the last one was at."""
    one = journal.create(created("one"), NOBODY, PAST if end == "expiry" else LONG)
    two = journal.create(created("two"), NOBODY, LONG)
    assert one.claim("key") is None
    if end == "release":
        one.release()
    elif end == "successor":
        journal.acquire(RunId("one"), "successor", LONG, dead_epoch=one.epoch)

    assert two.claim("key") is None


def test_the_claim_of_a_process_that_was_killed_on_this_machine_is_void_at_once(
    journal, created, other_process
) -> None:
    gone = other_process("")
    gone.communicate()
    host = this_holder().replace(f":{this_holder().rpartition(':')[2].partition('@')[0]}", ":PID")
    one = journal.create(created("one"), host.replace("PID", str(gone.pid)), LONG)
    two = journal.create(created("two"), NOBODY, LONG)
    assert one.claim("key") is None

    assert two.claim("key") is None


def test_a_driver_that_has_lost_its_run_can_claim_nothing(journal, created, three_lines) -> None:
    old = journal.create(created("one"), NOBODY, PAST)
    journal.acquire(RunId("one"), "successor", LONG)

    with pytest.raises(LeaseLost) as caught:
        old.claim("key")
    three_lines(caught.value)
