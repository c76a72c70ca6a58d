"""Arguments are bound as Python binds them, for every signature and every call."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch import step
from anabranch.engine.definitions import Signature
from anabranch.errors import CallError, DefinitionError

NAMES = ["a", "b", "c", "d", "e"]

settings.register_profile("authoring", deadline=None, database=None, max_examples=300)
settings.load_profile("authoring")


@st.composite
def functions(draw: st.DrawFn) -> Callable[..., Any]:
    """A function of any signature that gives back all that it was called with."""
    names = list(NAMES[: draw(st.integers(0, 5))])
    only, free = sorted((draw(st.integers(0, len(names))), draw(st.integers(0, len(names)))))
    parts, after_default = [], False
    for place, name in enumerate(names):
        if place == free and draw(st.booleans()):
            parts.append("*rest" if draw(st.booleans()) else "*")
        is_keyword = any(part.startswith("*") for part in parts)
        has_default = draw(st.booleans()) if is_keyword or not after_default else True
        after_default = after_default or (has_default and not is_keyword)
        parts.append(f"{name}='default {name}'" if has_default else name)
        if place + 1 == only and not is_keyword:
            parts.append("/")
    if parts and parts[-1] == "*":
        parts.pop()
    if draw(st.booleans()):
        parts.append("**more")
    made: dict[str, Any] = {}
    exec(f"def made({', '.join(parts)}): return locals()", made)
    return made["made"]  # type: ignore[no-any-return]


arguments = st.lists(st.integers(), max_size=6)
keywords = st.dictionaries(st.sampled_from([*NAMES, "f", "g"]), st.integers(), max_size=4)


@given(functions(), arguments, keywords)
def test_a_call_is_bound_and_made_as_python_would(
    function: Callable[..., Any], args: list[int], kwargs: dict[str, int]
) -> None:
    signature = Signature.of(function, "made")
    try:
        expected = function(*args, **kwargs)
    except TypeError:
        if kwargs.keys() & set(signature.names[: signature.positional_only]):
            return  # names that Python hides may be given here: a run is started by names alone
        with pytest.raises(CallError) as caught:
            signature.bind(args, kwargs)
        assert len(str(caught.value).splitlines()) == 3
    else:
        assert signature.call(function, signature.bind(args, kwargs)) == expected


@given(functions(), st.data())
def test_whatever_is_given_by_name_arrives_under_its_name(
    function: Callable[..., Any], data: st.DataObject
) -> None:
    """Also what Python would only take by its place: a run is started, and resumed, by names alone."""
    signature = Signature.of(function, "made")
    chosen = data.draw(st.sets(st.sampled_from(signature.names or ("none",))))
    given_ = {name: f"given {name}" for name in signature.names if name in chosen}
    if signature.keywords is not None or not signature.required <= given_.keys():
        return

    made = signature.call(function, signature.bind((), given_))

    assert made == {
        **{name: given_.get(name, f"default {name}") for name in signature.names},
        **({signature.rest: ()} if signature.rest else {}),
    }


@given(functions(), arguments, keywords, keywords)
def test_defaults_of_options_stand_in_for_what_a_call_leaves_out(
    function: Callable[..., Any],
    args: list[int],
    kwargs: dict[str, int],
    defaults: dict[str, int],
) -> None:
    signature = Signature.of(function, "made")
    try:
        bound = signature.bind(args, kwargs, defaults)
    except CallError:
        return
    given_ = set(signature.names[: len(args)]) | set(kwargs)
    for name in signature.names:
        if name in defaults and name not in given_:
            assert bound[name] == defaults[name]


@pytest.mark.parametrize(
    "wrong",
    [
        (3, "function"),
        (type("Class", (), {}), "function"),
        (staticmethod(lambda: 1), "function"),
        (classmethod(lambda cls: 1), "function"),
    ],
    ids=["number", "class", "static method", "class method"],
)
def test_L11_what_is_no_function_cannot_be_a_step(wrong: tuple[Any, str]) -> None:
    with pytest.raises(DefinitionError, match=wrong[1]) as caught:
        step(wrong[0])
    assert len(str(caught.value).splitlines()) == 3


def test_L11_a_generator_cannot_be_a_step() -> None:
    def produce() -> Any:
        yield 1

    async def aproduce() -> Any:
        yield 1

    for function in (produce, aproduce):
        with pytest.raises(DefinitionError, match="generator"):
            step(function)


def test_a_step_is_its_function_outside_a_run() -> None:
    @step
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    assert add(1) == 3  # type: ignore[comparison-overlap]
    assert add.__wrapped__(1, 1) == 2
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
