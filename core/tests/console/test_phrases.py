import pytest

from anabranch.console.phrases import brief, counts, duration, next_command, size
from anabranch.model.records import Failure


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0.00 s"),
        (0.124, "0.12 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11_220, "3 h 07 min"),
        (2 * 86_400 + 4 * 3600, "2 d 04 h"),
    ],
)
def test_a_duration_has_three_digits_or_two_units(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (1023, "1023 B"), (1234, "1.2 KiB"), (10 * 1024, "10 KiB"), (1 << 40, "1.0 TiB")],
)
def test_a_size_has_a_unit_that_keeps_it_short(count, told):
    assert size(count) == told


def test_counts_leave_out_what_nobody_is_in():
    assert counts({"running": 6, "failed": 0, "completed": 4500}) == "4,500 completed · 6 running"


def test_a_failure_is_told_in_the_first_line_of_its_message():
    failure = Failure(type="my.app:BadRow", message="\nrow 3 is bad\nand so on", traceback="")

    assert brief(failure) == "BadRow: row 3 is bad"


def test_a_failure_without_a_message_is_told_by_its_name():
    assert brief(Failure(type="builtins:KeyError", message="", traceback="")) == "KeyError"


def test_a_long_message_is_cut():
    told = brief(Failure(type="builtins:ValueError", message="x" * 1000, traceback=""))

    assert len(told) < 330
    assert told.endswith("…")


@pytest.mark.parametrize("status", ["failed", "interrupted", "lost", "completed_with_failures"])
def test_what_can_be_resumed_says_how(status):
    assert next_command(status, "R") == "resume it: anabranch resume R"


def test_what_is_completed_can_be_seen():
    assert next_command("completed", "R") == "see it: anabranch runs show R"
