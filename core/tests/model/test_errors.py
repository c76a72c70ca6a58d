"""Every error has its three lines, and survives pickling with its text."""

import pickle

import pytest

from anabranch import errors
from anabranch.errors import AnabranchError, Signal, StepFailed, suggestion

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, AnabranchError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_says_what_to_what_and_what_to_do(kind: type[AnabranchError]) -> None:
    error = kind("it broke", "the thing", "mend it")

    assert str(error) == "it broke\n  in: the thing\n  do: mend it"
    assert str(kind("it broke")) == "it broke"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_class_and_text(kind: type[AnabranchError]) -> None:
    error = kind("it broke", "the thing", "mend it")

    found = pickle.loads(pickle.dumps(error))

    assert type(found) is kind
    assert str(found) == str(error)
    assert (found.what, found.to, found.do) == (error.what, error.to, error.do)


def test_the_stand_in_for_a_foreign_exception_keeps_its_name_and_traceback() -> None:
    error = StepFailed("ValueError: no", type_name="flow:Odd", traceback_text="Traceback ...")

    found = pickle.loads(pickle.dumps(error))

    assert (found.type_name, found.traceback_text) == ("flow:Odd", "Traceback ...")


def test_errors_are_one_tree_and_every_one_says_when_it_is_raised() -> None:
    assert all(kind.__doc__ for kind in KINDS)
    assert len(KINDS) > 20


def test_a_signal_is_not_caught_by_except_exception() -> None:
    assert not issubclass(Signal, Exception)


def test_a_suggestion_names_what_is_near_or_all_there_is() -> None:
    assert suggestion("retries", ["retry", "timeout"]) == "did you mean 'retry'?"
    assert suggestion("zzz", ["b", "a"]) == "known: a, b"
    assert suggestion("zzz", []) == "there are none"
