"""`wait_for`: a run that needs an answer from outside, from a person or a program, and costs nothing while it waits."""

import time
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from typing import Any, TypeVar, overload

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from anabranch import engine
from anabranch.authoring.bodies import body_for
from anabranch.engine.current import Asked, BodyRun, Question, current
from anabranch.errors import CallError
from anabranch.model.durations import seconds_of

T = TypeVar("T")


class Answer(Awaitable[T]):
    """What `wait_for` gives in an `async def` body: await it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __await__(self) -> Generator[Any, None, T]:
        yield from engine.paused(self._asked).__await__()
        return self._asked.value  # type: ignore[return-value]


@overload
def wait_for(
    name: str,
    schema: type[T],
    question: str = ...,
    timeout: float | timedelta = ...,
) -> T: ...
@overload
def wait_for(
    name: str, schema: Any = ..., question: str = ..., timeout: float | timedelta = ...
) -> Any: ...
def wait_for(
    name: str, schema: Any = Any, question: str = "", timeout: float | timedelta = 0
) -> Any:
    """Waits for the answer called `name`, and returns it; in an `async def` body, `await` it.

    `schema` is any type that pydantic knows: the answer, which is JSON, is made into it, and refused if it does not
    fit. `question` is shown to whoever is to answer: `anabranch answer RUN NAME VALUE`, or `anabranch.answer`. Once
    nothing but waits has been going on for `timeout` (seconds or a timedelta), the driver leaves, and the run is
    `paused`; an answer brings it back. After a resume the answer is the same (law L8). Raises `CallError` outside a
    body, and for a schema that is none.
    """
    linger = seconds_of(timeout)
    if linger is None or linger < 0:
        raise CallError(
            f"{timeout!r} is no duration",
            f"wait_for({name!r})",
            "pass seconds, from 0, or a timedelta",
        )
    if not isinstance(name, str) or not name or "/" in name:
        raise CallError(
            f"{name!r} is no name for a wait", "wait_for()", "pass a text without a slash"
        )
    home, scope = body_for("wait_for()")
    adapter = _adapter(name, schema)
    asked = home.ask(
        scope,
        Question(
            name=name,
            text=question,
            schema=_json_schema(adapter),
            fits=_fitting(adapter),
            linger_seconds=linger,
        ),
    )
    here = current.get()
    if isinstance(here, BodyRun) and here.is_async:
        return Answer(asked)
    while (left := asked()) > 0:
        time.sleep(left)
    return asked.value


def _adapter(name: str, schema: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(schema)
    except Exception as error:  # noqa: BLE001  (pydantic raises many kinds, and those of a name that it looks up)
        raise CallError(
            f"{schema!r} is no type that an answer can have: {str(error).splitlines()[0]}",
            f"wait_for({name!r})",
            "pass a type such as bool, str, list[int], an Enum or a pydantic model",
        ) from None


def _json_schema(adapter: TypeAdapter[Any]) -> Any:
    """For whoever shows the question; `None` for a type that JSON schema cannot describe."""
    try:
        return adapter.json_schema()
    except PydanticUserError:
        return None


def _fitting(adapter: TypeAdapter[Any]) -> Callable[[bytes], object]:
    def fits(data: bytes) -> object:
        try:
            return adapter.validate_json(data)
        except ValidationError as error:
            raise ValueError(_told(error)) from None

    return fits


def _told(error: ValidationError) -> str:
    """`size: Input should be greater than 0; name: Field required`, in one line."""
    found = []
    for each in error.errors(include_url=False, include_context=False):
        place = ".".join(map(str, each["loc"]))
        found.append(f"{place}: {each['msg']}" if place else each["msg"])
    return "; ".join(found)
