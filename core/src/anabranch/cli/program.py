"""From the words of a command line to an exit code.

No traceback of ours reaches anybody: an `AnabranchError` is its three lines, and a fault of our own is told as one,
with its traceback where `ANABRANCH_DEBUG` asks for it.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from anabranch import cli
from anabranch.cli import exits
from anabranch.cli.grammar import Request, grammar
from anabranch.cli.output import Output
from anabranch.cli.parameters import plugin_options
from anabranch.cli.tracebacks import print_users, user_line
from anabranch.errors import AnabranchError, EntryError

DEBUG = "ANABRANCH_DEBUG"
PLUGINS = "ANABRANCH_PLUGINS"

Command = Callable[[Request, Output], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; `None` means the words that this process was started with. Returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(is_json="--json" in words)
    try:
        code = _run(words, output)
        sys.stdout.flush()
    except AnabranchError as error:
        code = exits.of_error(error)
        if isinstance(error, EntryError) and error.__cause__ is not None:
            print_users(error.__cause__)
        output.error(error, code, where=user_line(error.__traceback__))
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left. What is still buffered must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  (the last resort: a fault of ours, told as such)
        code = exits.TROUBLE
        output.error(_fault(error), code)
    return code


def _run(words: list[str], output: Output) -> int:
    parser = grammar()
    request, rest = parser.parse_known_args(words, Request(parser))
    if rest:
        request.parser.refuse(rest)
    if request.command is None:
        request.parser.print_help()
        return exits.COMPLETED
    blocked = plugin_options(request.parameters)
    if blocked:
        os.environ[PLUGINS] = " ".join([os.environ.get(PLUGINS, ""), *blocked]).strip()
    command: Command = getattr(cli, request.command)
    return command(request, output)


def _fault(error: Exception) -> AnabranchError:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    return AnabranchError(
        f"anabranch has a fault: {type(error).__name__}: {error}",
        "its own code, not yours",
        f"report it, with the traceback that {DEBUG}=1 shows",
    )
