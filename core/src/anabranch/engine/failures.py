"""Exceptions as they are recorded, and back again with their class (law L10).

What a user sees of a traceback is their own: the engine's frames are left out, theirs are never shortened.
"""

import reprlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from anabranch.artifacts.codecs import Codecs
from anabranch.artifacts.interface import MemorySource
from anabranch.errors import StepFailed
from anabranch.model.records import Failure

_OURS = str(Path(__file__).parent.parent) + "/"
_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = 200


class RecordedTraceback(Exception):
    """Printed as the cause of an exception that comes out of the journal: the traceback of when it happened."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def own_frames(tb: TracebackType | None) -> TracebackType | None:
    """The traceback without the engine's frames; as it is if it has none but those."""
    frames = []
    while tb is not None:
        if not tb.tb_frame.f_code.co_filename.startswith(_OURS):
            frames.append(tb)
        tb = tb.tb_next
    kept: TracebackType | None = None
    for frame in reversed(frames):
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def printed(error: BaseException) -> str:
    """What Python would print, the engine's frames left out, causes included."""
    return "".join(traceback.format_exception(type(error), error, own_frames(error.__traceback__)))


def recorded(error: BaseException, codecs: Codecs) -> tuple[Failure, bytes]:
    """The failure for the journal, and the exception's bytes; none if not even its class can travel.

    An exception that cannot be pickled whole keeps its class; in its arguments and attributes, what cannot travel is
    replaced by the text of its repr.
    """
    kind = type(error)
    failure = Failure(
        type=f"{kind.__module__}:{kind.__qualname__}",
        message=_message(error),
        traceback=printed(error),
    )
    for content in (lambda: error, lambda: _taken_apart(error, codecs)):
        try:
            data = _encoded(content(), codecs)
            if type(_decoded(data, codecs)) is kind:
                return failure, data
        except Exception:  # noqa: BLE001, S112  (the user's class may do anything while it is rebuilt)
            continue
    return failure, b""


def rebuilt(failure: Failure, data: bytes, codecs: Codecs) -> BaseException:
    """The exception as the body will see it: its own class, or `StepFailed` where that cannot be had."""
    error: BaseException | None = None
    if data:
        try:
            found = _decoded(data, codecs)
            error = found if isinstance(found, BaseException) else None
        except Exception:  # noqa: BLE001  (its class is gone or has changed; the text remains)
            error = None
    if error is None:
        name = failure.type.rpartition(":")[2]
        error = StepFailed(
            f"{name}: {failure.message}",
            type_name=failure.type,
            traceback_text=failure.traceback,
        )
    error.__cause__ = RecordedTraceback(failure.traceback)
    return error


def left_by(error: BaseException, name: str) -> StepFailed:
    """`sys.exit()` in a step ends the step `name`. Raised in the body, it would be taken for the end of the driver."""
    kind = type(error)
    failed = StepFailed(
        f"the step was left by {kind.__name__}: {_message(error)}",
        name,
        "raise an exception to fail the step, or return",
        type_name=f"{kind.__module__}:{kind.__qualname__}",
        traceback_text=printed(error),
    )
    failed.__cause__ = error
    return failed


@dataclass(frozen=True, slots=True)
class _Parts:
    """An exception that cannot be pickled as a whole."""

    kind: type[BaseException]
    args: tuple[object, ...]
    attributes: dict[str, object]

    def joined(self) -> BaseException:
        """`__init__` is not called: it need not take what the exception was made from."""
        error = self.kind.__new__(self.kind, *self.args)
        error.args = self.args
        error.__dict__.update(self.attributes)
        return error


def _taken_apart(error: BaseException, codecs: Codecs) -> _Parts:
    return _Parts(
        type(error),
        tuple(_portable(part, codecs) for part in error.args),
        {name: _portable(part, codecs) for name, part in vars(error).items()},
    )


def _portable(part: object, codecs: Codecs) -> object:
    """The part itself if it can travel, else what it looks like."""
    try:
        _decoded(_encoded(part, codecs), codecs)
    except Exception:  # noqa: BLE001  (anything may be in an exception)
        return _REPR.repr(part)  # which survives a broken __repr__
    return part


def _encoded(value: object, codecs: Codecs) -> bytes:
    encoded = codecs.encode(value)
    return encoded.codec.encode() + b"\0" + b"".join(map(bytes, encoded.payload.chunks()))


def _decoded(data: bytes, codecs: Codecs) -> object:
    name, _, body = data.partition(b"\0")
    found = codecs.decode(name.decode(), MemorySource(body))
    return found.joined() if isinstance(found, _Parts) else found


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (a broken __str__ must not hide the failure itself)
        return f"<{type(error).__name__} that cannot be printed>"
