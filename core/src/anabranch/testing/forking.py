"""The process that driver lives are forked from: `python -m anabranch.testing.forking`.

It imports the pipeline and the engine once, so that a life costs what it does and not what Python costs to start. It
starts no thread, for a fork would lose it. Its parent gives it a number of connections, each of which is served by a
process of its own: an order comes as a line, and is answered with the id of the process that was forked for it, and
then with how that ended.
"""

import gc
import json
import os
import pickle
import socket
import sys
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from anabranch import engine
from anabranch.artifacts import cloud_pickles, pickles
from anabranch.authoring.entries import entry_of, reload_pipeline
from anabranch.authoring.reaching import refuse_unsupported_steps
from anabranch.engine.definitions import PipelineDefinition
from anabranch.engine.launching import launch, relaunch
from anabranch.errors import AnabranchError
from anabranch.model.ids import RunId
from anabranch.stacks import Stack, open_stack
from anabranch.stacks.places import HOME_VARIABLE
from anabranch.testing.diaries import Diary, watch_steps
from anabranch.testing.moments import Moments, marked
from anabranch.testing.orders import Greeting, Order, read_greeting, read_order

_EARLY = (engine.AsyncSteps, pickles, cloud_pickles)
"""Loaded once and here, and not in every life that has async steps, or exceptions."""


def main() -> None:
    """Answers to the greeting, and then serves until all connections to it have ended."""
    warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # of threads that imports begin
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the user's modules print is no answer
    greeting = read_greeting(sys.stdin.buffer.readline())
    try:
        definition, arguments = _made_ready(greeting)
    except BaseException as error:  # noqa: BLE001  (a user's module may raise anything when it is imported)
        answer: dict[str, object] = {"error": _lines_of(error)}
    else:
        answer = {"module": definition.function.__module__}
    answers.write(json.dumps(answer) + "\n")
    answers.close()
    if "module" in answer:
        gc.freeze()  # what is here is shared with all that are forked, and none of them need look through it
        _split(definition, arguments)


def open_apart(folder: str) -> Stack:
    """The user's active stack, but that what is kept in the project's `.anabranch/` is kept in `folder`."""
    return open_stack(environ={**os.environ, HOME_VARIABLE: folder})


def _made_ready(greeting: Greeting) -> tuple[PipelineDefinition, Mapping[str, object]]:
    """The module of the pipeline may have another name here; what was pickled in it finds it by both."""
    sys.path[:] = greeting.path
    definition = reload_pipeline(greeting.entry)._definition
    module = sys.modules[definition.function.__module__]
    sys.modules.setdefault(str(greeting.entry["module"]), module)
    open_apart(os.devnull).close()  # the plugins are imported
    return definition, pickle.loads(greeting.arguments)  # noqa: S301  (our own parent has pickled it)


def _split(definition: PipelineDefinition, arguments: Mapping[str, object]) -> None:
    """A process for each connection, so that as many lives go on at once; they need import nothing."""
    connections = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    for mine in connections:
        if os.fork() == 0:
            for other in connections:
                if other is not mine:
                    other.close()
            _serve(mine, definition, arguments)
            os._exit(0)
    for connection in connections:
        connection.close()
    for _ in connections:
        os.wait()


def _serve(
    connection: socket.socket, definition: PipelineDefinition, arguments: Mapping[str, object]
) -> None:
    for line in connection.makefile("rb"):
        order = read_order(line)
        process = os.fork()
        if process == 0:
            _live(order, definition, arguments)
        connection.sendall(b"%d\n" % process)
        connection.sendall(b"%d\n" % os.waitpid(process, 0)[1])


def _live(
    order: Order, definition: PipelineDefinition, arguments: Mapping[str, object]
) -> NoReturn:
    """The forked process, from its beginning to its end."""
    code = 1
    try:
        _redirect(order.printed)
        _drive(order, definition, arguments)
        code = 0
    except BaseException:  # noqa: BLE001  (it is told to whoever reads what was printed)
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _redirect(printed: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(printed, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)


def _drive(order: Order, definition: PipelineDefinition, arguments: Mapping[str, object]) -> None:
    diary = Diary(order.diary)
    moments = Moments(order.kill_at, diary)
    watch_steps(diary)
    with open_apart(order.folder) as plain:
        stack = marked(plain, moments, diary)
        refuse_unsupported_steps(definition, stack.lacks, stack.name)
        if order.run:
            relaunch(RunId(order.run), definition, stack)
        else:
            launch(definition, arguments, entry_of(definition), stack)
    diary.ends(moments.count)


def _lines_of(error: BaseException) -> list[str]:
    if isinstance(error, AnabranchError):
        return [error.what, error.to, error.do]
    said = "".join(traceback.format_exception_only(error)).strip()
    return [f"the pipeline cannot be imported in a process of its own: {said}", "", ""]


if __name__ == "__main__":
    main()
