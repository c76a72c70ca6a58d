import pytest

from anabranch.cli.parameters import arguments, plugin_options
from anabranch.errors import UserMistake


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n=3", 3),
        ("n=0.5", 0.5),
        ("n=true", True),
        ("n=null", None),
        ('n=["a", 1]', ["a", 1]),
        ("n=hello", "hello"),
        ('n="3"', "3"),
        ("n=", ""),
        ("n=a=b", "a=b"),
        ("n={broken", "{broken"),
    ],
)
def test_a_value_is_json_or_else_text(text, value):
    assert arguments([text]) == {"n": value}


@pytest.mark.parametrize("text", ["rows", "=3", "a-b=3", "no rows=1"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(UserMistake, match="is not NAME=VALUE"):
        arguments([text])


def test_an_argument_that_is_given_twice_is_refused():
    with pytest.raises(UserMistake, match="given twice"):
        arguments(["n=1", "n=2"])


def test_plugins_are_left_out_with_the_same_letter():
    given = ["n=1", "no:kubernetes"]

    assert arguments(given) == {"n": 1}
    assert plugin_options(given) == ["no:kubernetes"]
