"""Mistakes are told in three lines, before any work has been done for them (law L11).

What happened, to what, what to do. Those in a decorator are told when the module is imported, those of a pipeline's
arguments before there is a run, those of a call in the body when it is made: no step has run then, and the run's record
says what stopped it.
"""

# The calls here are wrong on purpose.
# mypy: disable-error-code="arg-type,call-arg,call-overload,dict-item,list-item,unused-awaitable"

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import pytest

from anabranch import (
    ArtifactConfig,
    Resources,
    Retry,
    Run,
    as_completed,
    context,
    log_metadata,
    pipeline,
    step,
    unmapped,
    wait_any,
)
from anabranch.authoring.runs import resume as resume_run
from anabranch.errors import (
    AnabranchError,
    CallError,
    CapabilityMissing,
    CycleError,
    DefinitionError,
    DuplicateId,
    LengthMismatch,
    NotMappable,
    NotSerializable,
    OutputMismatch,
    RunNotFound,
    RunNotResumable,
    StackError,
    TemplateError,
    UnknownOption,
)

pytestmark = pytest.mark.usefixtures("project")

RAN: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_has_run() -> None:
    RAN.clear()


@step
def one() -> int:
    RAN.append("one")
    return 1


@step
def number(value: int, other: int = 0) -> int:
    RAN.append("number")
    return value + other


@step
def pair() -> tuple[int, int]:
    RAN.append("pair")
    return 1, 2


@step
def many(*values: int, **named: int) -> int:
    RAN.append("many")
    return sum(values)


@step
def nothing() -> None:
    RAN.append("nothing")


def told(error: BaseException, kind: type[AnabranchError], *words: str) -> None:
    """Exactly this class, exactly three lines, and the words that a user needs are in them."""
    text = str(error)
    assert type(error) is kind, f"{type(error).__name__}: {text}"
    lines = text.splitlines()
    assert len(lines) == 3, text
    assert lines[1].startswith("  in: "), text
    assert lines[2].startswith("  do: "), text
    assert all(line.partition(":")[2].strip() for line in lines[1:]), text
    for word in words:
        assert word in text, f"{word!r} is not in:\n{text}"


# --- in a decorator --------------------------------------------------------------------------------------------


def plain(value: int) -> int:
    return value


def yields() -> Iterator[int]:
    yield 1


async def yields_async() -> AsyncIterator[int]:
    yield 1


class Owner:
    """For methods."""

    def method(self, value: int) -> int:
        return value


def same_names() -> tuple[
    Annotated[int, ArtifactConfig(name="a")], Annotated[int, ArtifactConfig(name="a")]
]:
    return 1, 2


Mistake = tuple[Callable[[], object], type[AnabranchError], list[str]]

DEFINITIONS: dict[str, Mistake] = {
    "unknown step option": (lambda: step(retries=3), UnknownOption, ["'retries'", "'retry'"]),
    "unknown pipeline option": (
        lambda: pipeline(enable_cach=False),
        UnknownOption,
        ["'enable_cach'", "'enable_cache'"],
    ),
    "option far from any": (lambda: step(xyzzy=1), UnknownOption, ["'xyzzy'", "known: "]),
    "unknown option later": (
        lambda: one.with_options(time_out=3),
        UnknownOption,
        ["'time_out'", "'timeout'", "one"],
    ),
    "retry below 1": (lambda: step(retry=0), DefinitionError, ["retry=0"]),
    "retry of True": (lambda: step(retry=True), DefinitionError, ["retry=True"]),
    "retry as text": (lambda: step(retry="3"), DefinitionError, ["retry='3'"]),
    "no attempts": (lambda: Retry(max_attempts=0), DefinitionError, ["max_attempts=0"]),
    "negative delay": (lambda: Retry(delay=-1), DefinitionError, ["delay=-1"]),
    "unknown part of retry": (
        lambda: step(retry={"attempts": 3}),
        UnknownOption,
        ["'attempts'", "max_attempts"],
    ),
    "timeout of zero": (lambda: step(timeout=0), DefinitionError, ["timeout=0"]),
    "negative timeout": (
        lambda: step(timeout=timedelta(seconds=-1)),
        DefinitionError,
        ["timeout=", "above 0"],
    ),
    "timeout as text": (lambda: step(timeout="5m"), DefinitionError, ["timeout='5m'"]),
    "unknown runtime": (lambda: step(runtime="docker"), DefinitionError, ["'docker'", "inline"]),
    "unknown mode": (
        lambda: pipeline(execution_mode="FAIL_SLOW"),
        DefinitionError,
        ["FAIL_SLOW", "FAIL_FAST"],
    ),
    "no concurrency": (lambda: pipeline(max_concurrency=0), DefinitionError, ["max_concurrency=0"]),
    "hook that is none": (lambda: step(on_success="notify"), DefinitionError, ["on_success="]),
    "empty name": (lambda: step(name=" "), DefinitionError, ["name=' '"]),
    "substitutions in a row": (
        lambda: step(substitutions=["a"]),
        DefinitionError,
        ["substitutions=['a']"],
    ),
    "unknown resource": (
        lambda: step(resources={"gpus": 1}),
        UnknownOption,
        ["'gpus'", "'gpu'"],
    ),
    "parameter that is none": (
        lambda: step(parameters={"vlaue": 1})(plain),
        CallError,
        ["'vlaue'", "'value'"],
    ),
    "parameter of a pipeline that is none": (
        lambda: pipeline(parameters={"vlaue": 1})(plain),
        CallError,
        ["'vlaue'", "value"],
    ),
    "parameter later that is none": (
        lambda: number.with_options(parameters={"vlaue": 1}),
        CallError,
        ["'vlaue'", "'value'"],
    ),
    "generator": (lambda: step(yields), DefinitionError, ["generator", "yields"]),
    "async generator": (lambda: step(yields_async), DefinitionError, ["generator"]),
    "generator as a pipeline": (lambda: pipeline(yields), DefinitionError, ["generator"]),
    "class": (lambda: step(Owner), DefinitionError, ["functions"]),
    "step twice": (lambda: step(one), DefinitionError, ["once"]),
    "pipeline of a step": (lambda: pipeline(one), DefinitionError, ["once"]),
    "static method": (lambda: step(staticmethod(plain)), DefinitionError, ["staticmethod"]),
    "no function": (lambda: step(3), DefinitionError, ["int"]),
    "method": (
        lambda: type("C", (), {"run": step(Owner.method)})().run,
        DefinitionError,
        ["method", "hidden input"],
    ),
    "two outputs of one name": (lambda: step(same_names), DefinitionError, ["same name"]),
    "static pipeline": (lambda: pipeline(dynamic=False), DefinitionError, ["dynamic"]),
    "depends_on of something else": (
        lambda: pipeline(depends_on=[plain])(plain),
        DefinitionError,
        ["depends_on"],
    ),
}


@pytest.mark.parametrize(
    ("make", "kind", "words"), list(DEFINITIONS.values()), ids=list(DEFINITIONS)
)
def test_a_mistake_in_a_definition_is_told_when_it_is_defined(
    project: Any, make: Callable[[], object], kind: type[AnabranchError], words: list[str]
) -> None:
    with pytest.raises(AnabranchError) as caught:
        make()

    told(caught.value, kind, *words)
    assert not (project.folder / ".anabranch").exists()


# --- before there is a run -------------------------------------------------------------------------------------


@pipeline
def sized(size: int, *, name: str = "x") -> None:
    one()


@step(runtime="isolated")
def isolated() -> None:
    RAN.append("isolated")


@step(resources=Resources(memory="1Gi"))
def greedy() -> None:
    RAN.append("greedy")


@pipeline
def reaches_isolated() -> None:
    one()
    if one().load() > 1:
        isolated()


@pipeline
def reaches_greedy_in_a_child() -> None:
    one()
    calls_greedy()


@pipeline
def calls_greedy() -> None:
    greedy()


@pipeline(timeout=60)
def hurried() -> None:
    one()


BEFORE: dict[str, Mistake] = {
    "no argument": (sized, CallError, ["'size'", "sized"]),
    "unknown argument": (lambda: sized(1, nmae="y"), CallError, ["'nmae'", "'name'"]),
    "argument twice": (lambda: sized(1, size=2), CallError, ["'size' twice"]),
    "too many": (lambda: sized(1, 2), CallError, ["positional"]),
    "argument that cannot be kept": (
        lambda: sized(threading.Lock()),
        NotSerializable,
        ["lock", "sized"],
    ),
    "isolated step": (reaches_isolated, CapabilityMissing, ["runtime='isolated'", "isolated"]),
    "isolated step by option": (
        pipeline(lambda: isolated.with_options(name="x")),
        CapabilityMissing,
        ["runtime='isolated'"],
    ),
    "resources in a child": (reaches_greedy_in_a_child, CapabilityMissing, ["resources", "greedy"]),
    "unknown stack": (
        lambda: sized.start({"size": 1}, stack="locla"),
        StackError,
        ["'locla'", "'local'"],
    ),
    "unknown run": (
        lambda: resume_run("20200101-000000-aaaaa"),
        RunNotFound,
        ["no runs yet", "anabranch run"],
    ),
    "submit outside": (one.submit, CallError, ["one.submit()", "outside a run"]),
    "map outside": (lambda: number.map([1]), CallError, ["number.map()", "outside a run"]),
    "product outside": (lambda: number.product([1]), CallError, ["number.product()"]),
    "child submitted outside": (hurried.submit, CallError, ["hurried.submit()"]),
    "embedded outside": (hurried.embed, CallError, ["hurried.embed()"]),
    "as_completed outside": (lambda: list(as_completed([])), CallError, ["as_completed()"]),
    "context outside": (context, CallError, ["no run here"]),
    "metadata outside": (lambda: log_metadata(a=1), CallError, ["no run here"]),
}


@pytest.mark.parametrize(("make", "kind", "words"), list(BEFORE.values()), ids=list(BEFORE))
def test_a_mistake_that_is_known_before_a_run_leaves_no_run(
    project: Any, make: Callable[[], object], kind: type[AnabranchError], words: list[str]
) -> None:
    with pytest.raises(AnabranchError) as caught:
        make()

    told(caught.value, kind, *words)
    assert RAN == []
    assert recorded_runs(project) == 0


def recorded_runs(project: Any) -> int:
    """How many runs the project's journal has."""
    from anabranch.stacks import open_stack

    if not (project.folder / ".anabranch").exists():
        return 0
    with open_stack() as stack:
        return len(stack.journal.runs())


# --- a call in a body ------------------------------------------------------------------------------------------


@dataclass
class Node:
    """May contain itself."""

    next: object = None


def cyclic_list() -> list[object]:
    value: list[object] = [1]
    value.append(value)
    return value


def cyclic_dict() -> dict[str, object]:
    value: dict[str, object] = {}
    value["self"] = [value]
    return value


def cyclic_dataclass() -> Node:
    value = Node()
    value.next = [value]
    return value


def tuple_of_cycle() -> object:
    return (cyclic_list(), one)


CALLS: dict[str, Mistake] = {
    "missing argument": (number, CallError, ["'value'", "number"]),
    "unknown argument": (
        lambda: number(1, othr=2),
        CallError,
        ["'othr'", "'other'"],
    ),
    "argument twice": (lambda: number(1, value=2), CallError, ["'value' twice"]),
    "too many arguments": (lambda: number(1, 2, 3), CallError, ["positional"]),
    "wrong submit": (number.submit, CallError, ["'value'"]),
    "wrong map": (lambda: number.map(valeu=[1]), CallError, ["'valeu'", "'value'"]),
    "list that contains itself": (lambda: number(cyclic_list()), CycleError, ["itself", "'value'"]),
    "dict that contains itself": (lambda: number(cyclic_dict()), CycleError, ["itself"]),
    "object that contains itself": (
        lambda: number(cyclic_dataclass()),
        CycleError,
        ["itself"],
    ),
    "cycle deep inside": (lambda: number({"k": [cyclic_list()]}), CycleError, ["itself"]),
    "cycle in a map": (lambda: number.map([1, cyclic_list()]), CycleError, ["itself", "value[1]"]),
    "value that cannot be kept": (
        lambda: number(threading.Lock()),
        NotSerializable,
        ["lock", "'value' of number"],
    ),
    "value deep inside that cannot be kept": (
        lambda: number({"rows": [(i for i in range(3))]}),
        NotSerializable,
        ["'value' of number"],
    ),
    "map of a number": (lambda: number.map(3), NotMappable, ["int", "'value' of number.map"]),
    "map of a text": (lambda: number.map("abc"), NotMappable, ["str"]),
    "map of a dict": (lambda: number.map({"a": 1}), NotMappable, ["dict", ".items()"]),
    "map of None": (lambda: number.map(None), NotMappable, ["NoneType"]),
    "map of nothing": (nothing.map, NotMappable, ["nothing to map over"]),
    "map of unmapped alone": (
        lambda: number.map(unmapped([1, 2])),
        NotMappable,
        ["nothing to map over", "unmapped"],
    ),
    "product of a number": (lambda: number.product([1], 3), NotMappable, ["int", "'other'"]),
    "lengths that differ": (
        lambda: number.map([1, 2], [1, 2, 3]),
        LengthMismatch,
        ["value has 2", "other has 3", "product"],
    ),
    "items for *args": (lambda: many.map([1, 2]), CallError, ["*values", "many"]),
    "items for **kwargs": (lambda: many.product(x=[1, 2]), CallError, ["**named", "many"]),
    "unmapped in a call": (lambda: number(unmapped([1])), CallError, ["unmapped()", "'value'"]),
    "unmapped in a submit": (lambda: number.submit(unmapped([1])), CallError, ["unmapped()"]),
    "no concurrency": (
        lambda: number.map([1], max_concurrency=0),
        CallError,
        ["max_concurrency=0"],
    ),
    "no chunk": (lambda: number.map([1], chunk_size=0), CallError, ["chunk_size=0"]),
    "unknown on_error": (
        lambda: number.map([1], on_error="ignore"),
        CallError,
        ["on_error='ignore'", "collect"],
    ),
    "id that is no text": (lambda: one.submit(id=3), CallError, ["id=3"]),
    "id that is empty": (lambda: one.submit(id=""), CallError, ["id=''"]),
    "after something else": (lambda: one.submit(after=3), CallError, ["after=", "int"]),
    "unknown option": (
        lambda: one.with_options(enable_cahce=True)(),  # noqa: PLW0108
        UnknownOption,
        ["'enable_cahce'", "'enable_cache'"],
    ),
    "isolated by option": (
        lambda: one.with_options(runtime="isolated")(),  # noqa: PLW0108
        CapabilityMissing,
        ["runtime='isolated'", "one"],
    ),
    "as_completed of values": (lambda: list(as_completed([1])), CallError, ["int"]),
    "wait_any of nothing": (lambda: wait_any([]), CallError, ["nothing to wait for"]),
    "metadata that is no JSON": (lambda: log_metadata(a=object()), CallError, ["object", "a="]),
    "child without its argument": (sized, CallError, ["'size'"]),
    "child that is submitted without its argument": (sized.submit, CallError, ["'size'"]),
    "embed without its argument": (sized.embed, CallError, ["'size'"]),
}


@pytest.mark.parametrize(("make", "kind", "words"), list(CALLS.values()), ids=list(CALLS))
def test_a_mistake_in_a_call_is_told_at_the_call_and_runs_nothing(
    make: Callable[[], object], kind: type[AnabranchError], words: list[str]
) -> None:
    @pipeline
    def flow() -> None:
        make()

    run = flow.start()

    assert run.error is not None
    told(run.error, kind, *words)
    assert RAN == []
    assert run.status == run.state.status == "failed"
    assert run.state.counts() == {}
    assert run.state.failure is not None
    assert run.state.failure.type == f"anabranch.errors:{kind.__name__}"
    assert run.state.failure.message == str(run.error)


@pytest.mark.parametrize(("make", "kind", "words"), list(CALLS.values()), ids=list(CALLS))
def test_a_mistake_in_a_call_can_be_handled_and_the_run_goes_on(
    make: Callable[[], object], kind: type[AnabranchError], words: list[str]
) -> None:
    @pipeline
    def flow() -> Any:
        try:
            make()
        except kind:
            return one()

    run = flow()
    assert (run.load(), RAN) == (1, ["one"])


def test_what_cannot_be_done_is_refused_however_often_it_is_asked_for() -> None:
    """L7. Options that are made in a loop are judged each time, also where those before them are forgotten."""

    @pipeline
    def flow() -> int:
        ran = 0
        for _ in range(50):
            with suppress(CycleError):
                number.with_options(tags=["a"])(cyclic_list())
            with suppress(CapabilityMissing):
                one.with_options(runtime="isolated")()
                ran += 1
        return ran

    assert (flow().load(), RAN) == (0, [])


def test_the_same_id_for_two_calls_of_a_step_is_refused_at_the_second() -> None:
    @pipeline
    def flow() -> None:
        number(1, id="mine")
        number(2, id="mine")

    run = flow.start()
    assert run.error is not None
    told(run.error, DuplicateId, "'mine'", "number")
    assert RAN == ["number"]


# --- artifacts and futures used as what they are not -----------------------------------------------------------

MISUSES: dict[str, Mistake] = {
    "iterating an artifact": (lambda: list(one()), CallError, ["iterated", "load()"]),
    "truth of an artifact": (lambda: bool(one()), CallError, ["truth", "load()"]),
    "truth of a future": (lambda: bool(one.submit()), CallError, ["truth", "done()"]),
    "unpacking one output": (
        lambda: [*one.submit()],
        CallError,
        ["unpacked", "tuple[A, B]"],
    ),
    "length of a number": (lambda: len(one()), NotMappable, ["no length", "int"]),
    "item of a number": (lambda: one().chunk(0), NotMappable, ["int"]),
    "map of a number's artifact": (lambda: number.map(one()), NotMappable, ["int"]),
    "map of several outputs": (
        lambda: number.map(pair.submit()).result(),
        CallError,
        ["several outputs", "future[0]"],
    ),
    "map of a number's future": (lambda: number.map(one.submit()).result(), NotMappable, ["int"]),
}


@pytest.mark.parametrize(("make", "kind", "words"), list(MISUSES.values()), ids=list(MISUSES))
def test_a_handle_that_is_taken_for_its_value_says_what_to_do(
    make: Callable[[], object], kind: type[AnabranchError], words: list[str]
) -> None:
    @pipeline
    def flow() -> None:
        make()

    run = flow.start()
    assert run.error is not None
    told(run.error, kind, *words)
    assert "number" not in RAN


def test_an_item_that_is_not_there_is_refused_with_the_count() -> None:
    @step
    def three() -> list[int]:
        return [1, 2, 3]

    @pipeline
    def flow() -> None:
        three().chunk(3)

    run = flow.start()
    assert run.error is not None
    told(run.error, CallError, "no item 3", "3 item(s)")


def test_a_future_of_an_output_that_does_not_exist_is_an_index_error() -> None:
    """As of a tuple, so that unpacking and loops end where they should."""

    @pipeline
    def flow() -> None:
        pair.submit()[2]

    assert isinstance(flow.start().error, IndexError)


# --- what a step returns ---------------------------------------------------------------------------------------


@step
def three_for_two() -> tuple[int, int]:
    return 1, 2, 3  # type: ignore[return-value]


@step
def one_for_two() -> tuple[int, int]:
    return 1  # type: ignore[return-value]


@step
def some_for_none() -> None:
    return 5  # type: ignore[return-value]


@step
def lock() -> Any:
    return threading.Lock()


@step
def lock_inside() -> Any:
    return {"a": [1, threading.Lock()]}


@step
def yields_within() -> Any:
    return (i for i in range(3))


@step
def unfilled() -> Annotated[int, ArtifactConfig(name="score_{suffix}")]:
    return 1


RETURNS: dict[str, tuple[Any, type[AnabranchError], list[str]]] = {
    "three for two": (three_for_two, OutputMismatch, ["2 outputs", "tuple of 3", "three_for_two"]),
    "one for two": (one_for_two, OutputMismatch, ["2 outputs", "int"]),
    "something for nothing": (some_for_none, OutputMismatch, ["nothing", "int"]),
    "lock": (lock, NotSerializable, ["lock"]),
    "lock inside": (lock_inside, NotSerializable, ["lock", "['a'][1]"]),
    "generator": (yields_within, NotSerializable, ["generator"]),
    "name without a word": (unfilled, OutputMismatch, ["{suffix}", "substitutions"]),
}


@pytest.mark.parametrize("verb", ["call", "submit", "map"])
@pytest.mark.parametrize(("made", "kind", "words"), list(RETURNS.values()), ids=list(RETURNS))
def test_an_output_that_cannot_be_kept_fails_its_step(
    made: Any, kind: type[AnabranchError], words: list[str], verb: str
) -> None:
    @pipeline
    def flow() -> None:
        if verb == "call":
            made()
        elif verb == "submit":
            made.submit().result()
        else:
            number.submit(made.submit())

    run = flow.start()
    assert run.error is not None
    told(run.error, kind, *words)
    assert RAN == []
    assert next(iter(run.state.invocations.values())).status == "failed"


# --- templates -------------------------------------------------------------------------------------------------


@pipeline(depends_on=[number])
def templated() -> None:
    number()


TEMPLATES = {
    "unknown step": ("steps: {nmuber: {retry: 2}}", ["'nmuber'", "'number'"]),
    "unknown option of a step": ("steps: {number: {retrry: 2}}", ["'retrry'", "'retry'"]),
    "unknown option of the pipeline": ("tag: [a]", ["'tag'", "'tags'"]),
    "bad value": ("steps: {number: {retry: 0}}", ["retry=0"]),
    "steps in a row": ("steps: [number]", ["steps:", "mapping"]),
    "a step that is a number": ("steps: {number: 3}", ["'number'", "mapping"]),
    "no mapping": ("- a\n- b", ["list", "mapping"]),
    "no YAML": ("steps: {number: [", ["not YAML"]),
    "no file": (None, ["cannot be read"]),
}


@pytest.mark.parametrize(("text", "words"), list(TEMPLATES.values()), ids=list(TEMPLATES))
def test_a_mistake_in_a_template_is_told_with_the_file(
    project: Any, text: str | None, words: list[str]
) -> None:
    path = project.folder / "config.yaml"
    if text is not None:
        project.write(text, "config.yaml")

    with pytest.raises(AnabranchError) as caught:
        templated.with_options(config_path=path)

    told(caught.value, TemplateError, *words, "config.yaml")
    assert recorded_runs(project) == 0


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("parameters: {size: 3}", CallError, ["'size'", "templated"]),
        ("max_concurrency: 0", DefinitionError, ["max_concurrency=0"]),
        ("steps: {number: {parameters: {vlaue: 3}}}", TemplateError, ["'vlaue'", "'value'"]),
    ],
    ids=["unknown parameter", "bad value of the pipeline", "unknown parameter of a step"],
)
def test_a_value_in_a_template_that_fits_nothing_is_refused(
    project: Any, text: str, kind: type[AnabranchError], words: list[str]
) -> None:
    path = project.write(text, "config.yaml")

    with pytest.raises(AnabranchError) as caught:
        templated.with_options(config_path=path)()

    told(caught.value, kind, *words)
    assert recorded_runs(project) == 0


# --- runs ------------------------------------------------------------------------------------------------------


@pipeline
def whole() -> Any:
    return one()


def test_a_run_that_is_over_is_not_resumed() -> None:
    run = whole()
    with pytest.raises(AnabranchError) as caught:
        resume_run(run.id, observers=())

    told(caught.value, RunNotResumable, "completed", run.id)
    assert RAN == ["one"]


def test_an_artifact_that_nobody_made_is_not_found() -> None:
    run: Run = whole()
    with pytest.raises(AnabranchError) as caught:
        run.artifact("two")

    told(caught.value, RunNotFound, "'two'", run.id)


# --- on the terminal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("    number.map(3)", "NotMappable", ["number.map(3)", "int cannot be mapped over"]),
        ("    number(cycle)", "CycleError", ["number(cycle)", "contains itself"]),
        ("    other.submit()", "CapabilityMissing", ["runtime='isolated'"]),
    ],
)
def test_a_mistake_is_shown_as_its_line_and_its_three_lines_without_a_traceback(
    project: Any, line: str, kind: str, words: list[str]
) -> None:
    script = project.write(
        "from anabranch import pipeline, step\n"
        "cycle = []\ncycle.append(cycle)\n"
        "@step\ndef number(value: int) -> int:\n    print('ran')\n    return value\n"
        "@step(runtime='isolated')\ndef other() -> None: ...\n"
        f"@pipeline\ndef flow():\n{line}\n"
        "if __name__ == '__main__':\n    flow()\n"
    )
    done = project.python(script)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert f"{kind}: " in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_mistake_in_a_decorator_is_shown_with_the_line_of_the_decorator(project: Any) -> None:
    """The import fails before there is a run, so Python shows it; its last three lines are ours."""
    script = project.write(
        "from anabranch import pipeline, step\n@step(retries=3)\ndef number() -> int:\n    return 1\n"
    )
    done = project.python(script)

    assert done.returncode == 1
    assert "@step(retries=3)" in done.stderr
    last = done.stderr.rstrip().splitlines()[-3:]
    assert last[0].endswith("UnknownOption: unknown option 'retries'")
    assert "did you mean 'retry'?" in last[2]
