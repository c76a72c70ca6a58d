"""Options are checked when they are asked for, and laid over each other without surprises."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.errors import DefinitionError, UnknownOption
from anabranch.model.caching import Cache
from anabranch.model.options import (
    PipelineOptions,
    Resources,
    Retry,
    StepOptions,
    merge,
    parse,
)


def of_step(**given: Any) -> StepOptions:
    return parse(StepOptions, given, "step 'train'")


def in_a_mapping(**given: Any) -> StepOptions:
    return of_step(cache=given)


def of_pipeline(**given: Any) -> PipelineOptions:
    return parse(PipelineOptions, given, "pipeline 'flow'")


GOOD: list[tuple[str, Any, Any]] = [
    ("name", "train", "train"),
    ("retry", 3, Retry(max_attempts=3)),
    ("retry", Retry(delay=2.0), Retry(delay=2.0)),
    ("retry", {"max_attempts": 2, "delay": 1}, Retry(max_attempts=2, delay=1)),
    ("retry", None, None),
    ("timeout", 5, 5.0),
    ("timeout", timedelta(minutes=2), 120.0),
    ("enable_step_logs", False, False),
    ("resources", {"cpu": 2}, Resources(cpu=2)),
    ("tags", ["a", "b"], ("a", "b")),
    ("tags", "a", ("a",)),
    ("tags", None, ()),
    ("parameters", {"x": 1}, {"x": 1}),
    ("parameters", None, {}),
    ("secrets", ("one",), ("one",)),
    ("runtime", "inline", "inline"),
    ("enable_cache", True, True),
    ("cache", Cache(ttl=timedelta(days=1)), Cache(ttl=timedelta(days=1))),
    ("cache", {"ttl": 60, "key": "one"}, Cache(ttl=60, key="one")),
    ("cache", None, None),
    ("step_operator", "k8s", "k8s"),
]

BAD: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "  "),
    ("name", 3),
    ("retry", 0),
    ("retry", -1),
    ("retry", True),
    ("retry", 1.5),
    ("retry", "often"),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", True),
    ("timeout", "soon"),
    ("timeout", timedelta(0)),
    ("timeout", math.nan),
    ("timeout", math.inf),
    ("enable_step_logs", 1),
    ("enable_step_logs", "yes"),
    ("resources", 4),
    ("tags", [1]),
    ("parameters", [1]),
    ("parameters", {1: 2}),
    ("runtime", "remote"),
    ("enable_cache", "yes"),
    ("cache", True),
    ("cache", 60),
    ("on_start", "print"),
    ("secrets", 5),
]


@pytest.mark.parametrize(("name", "value", "kept"), GOOD)
def test_what_makes_sense_is_kept(name: str, value: Any, kept: Any) -> None:
    options = of_step(**{name: value})

    assert getattr(options, {"step_operator": "executor"}.get(name, name)) == kept


@pytest.mark.parametrize(("name", "value"), BAD)
def test_L11_what_makes_no_sense_is_refused_in_three_lines(name: str, value: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        of_step(**{name: value})

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert name in lines[0]
    assert "train" in lines[1]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("retries", "retry"),
        ("time_out", "timeout"),
        ("tag", "tags"),
        ("enable_cahce", "enable_cache"),
    ],
)
def test_L11_an_option_that_does_not_exist_is_refused_with_the_one_that_was_meant(
    name: str, meant: str
) -> None:
    with pytest.raises(UnknownOption, match=f"did you mean '{meant}'"):
        of_step(**{name: 1})


@pytest.mark.parametrize("value", [0, -3, 1.5, True, "many"])
def test_L11_a_limit_is_a_whole_number_from_1(value: Any) -> None:
    with pytest.raises(DefinitionError):
        of_pipeline(max_concurrency=value)


@pytest.mark.parametrize("value", ["FAIL_FAST", "fail_fast", "Stop_On_Failure"])
def test_execution_modes_are_written_in_any_case(value: str) -> None:
    assert of_pipeline(execution_mode=value).execution_mode == value.upper()


def test_L11_an_execution_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DefinitionError, match="FAIL_SLOW"):
        of_pipeline(execution_mode="FAIL_SLOW")


def test_later_options_are_laid_over_earlier_ones() -> None:
    first = of_step(retry=2, tags=["a"], parameters={"x": 1, "y": 1}, timeout=5)

    second = merge(first, {"retry": 3, "tags": ["b", "a"], "parameters": {"y": 2}}, "step")

    assert second.retry == Retry(max_attempts=3)
    assert second.tags == ("a", "b")
    assert second.parameters == {"x": 1, "y": 2}
    assert second.timeout == 5
    assert first.parameters == {"x": 1, "y": 1}


given_options = st.fixed_dictionaries(
    {},
    optional={
        "retry": st.integers(1, 5),
        "timeout": st.integers(1, 9),
        "tags": st.lists(st.sampled_from("abc"), unique=True),
        "parameters": st.dictionaries(st.sampled_from("xyz"), st.integers(), max_size=2),
        "enable_step_logs": st.booleans(),
    },
)


@given(given_options)
def test_laying_options_over_nothing_or_over_themselves_changes_nothing(
    given_: dict[str, Any],
) -> None:
    options = of_step(**given_)

    assert merge(StepOptions(), given_, "step") == options
    assert merge(options, given_, "step") == options
    assert merge(options, {}, "step") is options


@given(given_options, given_options, given_options)
def test_options_may_be_laid_over_each_other_in_steps_or_at_once(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    by_one = merge(merge(of_step(**one), two, "step"), three, "step")
    expected: dict[str, Any] = {**one, **two, **three}

    assert by_one.retry == of_step(**{k: v for k, v in expected.items() if k == "retry"}).retry
    assert by_one.parameters == {
        **one.get("parameters", {}),
        **two.get("parameters", {}),
        **three.get("parameters", {}),
    }
    assert set(by_one.tags) == {*one.get("tags", ()), *two.get("tags", ()), *three.get("tags", ())}
    assert len(by_one.tags) == len(set(by_one.tags))


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": "ValueError"},
        {"on": [ValueError, "x"]},
        {"never_on": (int,)},
        {"on": 3},
        {"delay": math.nan},
        {"delay": math.inf},
        {"backoff": math.nan},
        {"max_attempts": True},
    ],
)
def test_L11_a_retry_for_what_is_no_exception_or_no_number_is_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(**wrong)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("on", [ValueError, (ValueError,), [ValueError, KeyError]])
def test_the_exceptions_of_a_retry_may_be_one_or_several(on: Any) -> None:
    retry = Retry(max_attempts=2, on=on)

    assert retry.allows(ValueError(), 1)
    assert not retry.allows(TypeError(), 1)
    assert not retry.allows(ValueError(), 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("ttl", value) for value in (0, -1, True, "soon", timedelta(0), math.nan, math.inf)],
        *[("key", value) for value in ("", " ", 3, b"bytes")],
        *[(name, 1) for name in ("inputs", "code", "source_version", "force")],
    ],
)
@pytest.mark.parametrize("make", [Cache, in_a_mapping])
def test_L11_a_cache_is_checked_when_it_is_made_or_given(field: str, value: Any, make: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        make(**{field: value})

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert field in lines[0]


def test_L11_an_unknown_option_of_a_cache_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownOption, match="unknown option 'tll' of cache"):
        of_step(cache={"tll": 60})


@pytest.mark.parametrize(
    ("ttl", "age", "is_fresh"),
    [(None, 1e9, True), (60, 60, True), (60, 60.5, False), (timedelta(minutes=1), 59, True)],
)
def test_an_outcome_counts_up_to_its_ttl(ttl: Any, age: float, is_fresh: bool) -> None:
    assert Cache(ttl=ttl).is_fresh(age) is is_fresh
