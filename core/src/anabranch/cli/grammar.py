"""What can be typed: commands, options, and the help for both.

On argparse, because it costs a hundredth of a second where typer costs four tenths of one: typer 0.29 loads pydantic
to read the first argument of any command. A mistake here is a `UserMistake` in three lines like any other, with the
nearest word that would have been right.
"""

import argparse
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from anabranch.cli.exits import MEANINGS
from anabranch.errors import UserMistake, suggestion
from anabranch.model.caching import CacheUse

_BAD_CHOICE = re.compile(r"argument (?P<argument>\S+): invalid choice: '(?P<word>.*?)' \(choose")


@dataclass(slots=True)
class Request(argparse.Namespace):
    """What was typed. Only the fields of the chosen command are filled in."""

    parser: "Parser"
    command: str | None = None
    json: bool = False
    target: str = ""
    parameters: list[str] = field(default_factory=list)
    stack: str | None = None
    config: str | None = None
    caching: CacheUse = "use"
    run: str = ""
    from_step: str = ""
    step: str | None = None
    follow: bool = False
    wait: bool = True
    limit: int = 20
    whole: bool = False
    format: str = "text"
    name: str | None = None
    value: str | None = None
    resume: bool = True
    runs: list[str] = field(default_factory=list)
    other: str = ""
    older_than: str | None = None
    agreed: bool = False
    rehearsal: bool = False
    file: str | None = None
    replaces: bool = False


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are ours, and that knows its words for suggestions."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **settings)
        self.words: list[str] = []
        self._branches: argparse._SubParsersAction[Parser] | None = None

    def option(self, *names: str, **settings: object) -> None:
        """An option, or an argument if its name begins with no dash."""
        self.words += [name for name in names if name.startswith("-")]
        self.add_argument(*names, **settings)  # type: ignore[arg-type]

    def branch(self, name: str, summary: str, details: str = "", command: str = "") -> "Parser":
        """A subcommand. `command` is the name of what does its work in `anabranch.cli`."""
        if self._branches is None:
            self._branches = self.add_subparsers(title="commands", metavar="COMMAND")
        description = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
        made = self._branches.add_parser(name, help=summary, description=description)
        self.words.append(name)
        made.set_defaults(parser=made, command=command or None)
        made.option("--json", action="store_true", default=argparse.SUPPRESS, help=_JSON)
        return made

    def error(self, message: str) -> NoReturn:
        """Raises `UserMistake` for what argparse has found."""
        bad = _BAD_CHOICE.search(message)
        if bad and bad["argument"] == "COMMAND":
            commands = [word for word in self.words if not word.startswith("-")]
            raise self.mistake(
                f"unknown command {bad['word']!r}", suggestion(bad["word"], commands)
            )
        raise self.mistake(message)

    def mistake(self, what: str, hint: str = "") -> UserMistake:
        """In this command's name."""
        return UserMistake(what, self.prog, f"{hint} See: {self.prog} --help".strip())

    def refuse(self, rest: Sequence[str]) -> NoReturn:
        """Raises `UserMistake` for words that no argument has taken."""
        option = next((word for word in rest if word.startswith("-")), None)
        if option is None:
            raise self.mistake(f"unexpected argument {rest[0]!r}")
        name = option.partition("=")[0]
        options = [word for word in self.words if word.startswith("-")]
        raise self.mistake(f"unknown option {name!r}", suggestion(name, options))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal up to a line that is good to read."""

    def __init__(self, prog: str) -> None:
        width = min(100, shutil.get_terminal_size().columns)
        super().__init__(prog, max_help_position=30, width=width)


_JSON = "print one JSON document on standard output"
_RUN = "a run's id, its beginning, or 'latest'"
_AGES = "30d, 12h, 90min, 10s, 2w"
_CACHING = (
    ("--force", "force", "compute anew what steps would take from other runs, and keep it"),
    ("--no-cache", "off", "take nothing from other runs, and keep nothing for later ones"),
)
_STACK = "the stack to use instead of the active one"
_DESCRIPTION = """\
Dynamic pipelines in ordinary Python, journaled and resumable.

  anabranch run train.py            run the pipeline in train.py
  anabranch runs show latest        see what it did
  anabranch resume latest           go on where it stopped"""


def grammar() -> Parser:
    """All of it."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in MEANINGS.items())
    top = Parser(prog="anabranch", description=_DESCRIPTION, epilog=f"exit codes:\n{codes}")
    top.set_defaults(parser=top)
    top.option("--json", action="store_true", help=_JSON)
    top.option(
        "--version", action="store_const", dest="command", const="version", help="print the version"
    )
    _starting(top)
    _going_on(top)
    _asking(top)
    runs = top.branch("runs", "look at runs", "They are kept in the journal of the stack.")
    _looking(runs)
    _keeping(top, runs)
    _stacks(top.branch("stack", "look at stacks", "A stack says where a run happens and is kept."))
    plugins = top.branch(
        "plugins", "list the installed plugins and what they bring", command="plugins"
    )
    _plugin_option(plugins)
    doctor = top.branch(
        "doctor", "look for what is wrong with this installation and project", command="doctor"
    )
    doctor.option("--stack", metavar="NAME", help=_STACK)
    _plugin_option(doctor)
    top.branch("version", "print the version", command="version")
    return top


def _starting(top: Parser) -> None:
    run = top.branch(
        "run",
        "run a pipeline",
        "While it runs, a terminal shows a live tree and anything else plain lines; both are on standard\n"
        "error. ANABRANCH_CONSOLE=live|plain|quiet decides otherwise.",
        command="run",
    )
    run.option(
        "target", metavar="TARGET", help="file.py, file.py:pipeline or package.module:pipeline"
    )
    _argument_option(run)
    run.option("--stack", metavar="NAME", help=_STACK)
    run.option("--config", metavar="FILE", help="a YAML template with parameters and options")
    either = run.add_mutually_exclusive_group()
    for name, use, summary in _CACHING:
        run.words.append(name)
        either.add_argument(
            name, dest="caching", action="store_const", const=use, default="use", help=summary
        )


def _going_on(top: Parser) -> None:
    resume = top.branch(
        "resume",
        "go on with a run that failed or was interrupted",
        "The body is executed again; what is recorded and still holds is not.",
        command="resume",
    )
    resume.option("run", metavar="RUN", help=_RUN)
    resume.option(
        "--no-wait",
        dest="wait",
        action="store_false",
        help="fail at once if another process drives the run, instead of waiting for it",
    )
    resume.option(
        "--plan",
        dest="command",
        action="store_const",
        const="resume_plan",
        help="run nothing, and print what would be done with each call, and why",
    )
    rerun = top.branch(
        "rerun",
        "start a new run that reuses what another did before a step",
        "The step and all that depends on it run again, with the code as it is now.",
        command="rerun",
    )
    rerun.option("run", metavar="RUN", help=_RUN)
    rerun.option(
        "--from",
        dest="from_step",
        metavar="STEP",
        required=True,
        help="a step's name, a call of it (train_2, tune/train_2), or a child pipeline",
    )
    _argument_option(rerun)
    for parser in (resume, rerun):
        parser.option("--stack", metavar="NAME", help=_STACK)
    _plugin_option(resume)


def _asking(top: Parser) -> None:
    explain = top.branch(
        "explain",
        "say why each call of a run ran or was reused, and what an edit since has changed",
        command="explain",
    )
    explain.option("run", metavar="RUN", help=_RUN)
    explain.option("step", nargs="?", metavar="STEP", help="only this step, or this call of it")
    answer = top.branch(
        "answer",
        "give a run the answer that it waits for",
        "A paused run is then resumed here. Without NAME: list what the run waits for.",
        command="answer",
    )
    answer.option("run", metavar="RUN", help=_RUN)
    answer.option("name", nargs="?", metavar="NAME", help="the wait's name")
    answer.option("value", nargs="?", metavar="VALUE", help="as JSON, or else as text")
    answer.option(
        "--no-resume",
        dest="resume",
        action="store_false",
        help="leave a paused run to whoever resumes it next",
    )
    for parser in (explain, answer):
        parser.option("--stack", metavar="NAME", help=_STACK)
        _plugin_option(parser)


def _looking(runs: Parser) -> None:
    listing = runs.branch("ls", "list runs, the newest first", command="runs_ls")
    listing.option(
        "--limit", type=int, default=20, metavar="N", help="at most N runs (default: 20)"
    )
    show = runs.branch(
        "show", "show one run: its calls, times, outputs and errors", command="runs_show"
    )
    show.option("run", metavar="RUN", help=_RUN)
    show.option(
        "--all", dest="whole", action="store_true", help="every call, and every item of maps"
    )
    logs = runs.branch("logs", "print what the steps of a run have printed", command="runs_logs")
    logs.option("run", metavar="RUN", help=_RUN)
    logs.option(
        "step", nargs="?", metavar="STEP", help="only this step, or this call of it (train_2)"
    )
    logs.option("-f", "--follow", action="store_true", help="go on until the run has ended")
    graph = runs.branch(
        "graph", "print the graph of a run: what waited for what", command="runs_graph"
    )
    graph.option("run", metavar="RUN", help=_RUN)
    graph.option(
        "--format",
        choices=["text", "mermaid", "dot"],
        default="text",
        metavar="FORMAT",
        help="text, mermaid or dot (default: text)",
    )
    cancel = runs.branch(
        "cancel", "end a run for good: it cannot be resumed", command="runs_cancel"
    )
    cancel.option("run", metavar="RUN", help=_RUN)
    diff = runs.branch(
        "diff", "compare two runs: arguments, calls, outcomes and code", command="runs_diff"
    )
    diff.option("run", metavar="A", help=_RUN)
    diff.option("other", metavar="B", help="the run to compare it with")
    for parser in (listing, show, logs, graph, cancel, diff):
        parser.option("--stack", metavar="NAME", help=_STACK)
        _plugin_option(parser)


def _keeping(top: Parser, runs: Parser) -> None:
    delete = runs.branch(
        "delete",
        "remove runs from the journal for good",
        "Their artifacts go with the next: anabranch gc",
        command="runs_delete",
    )
    delete.option("runs", nargs="*", metavar="RUN", help=_RUN)
    delete.option("--older-than", metavar="AGE", help=f"all that ended before that: {_AGES}")
    delete.option("--yes", dest="agreed", action="store_true", help="do not ask")
    export = runs.branch(
        "export", "write a run, its events and artifacts into one zip file", command="runs_export"
    )
    export.option("run", metavar="RUN", help=_RUN)
    export.option("-o", "--output", dest="file", metavar="FILE", help="default: RUN.zip, here")
    export.option("--force", dest="replaces", action="store_true", help="replace a file")
    gc = top.branch(
        "gc", "remove artifacts that belong to no run of the journal any more", command="gc"
    )
    gc.option("--dry-run", dest="rehearsal", action="store_true", help="say what, remove nothing")
    gc.option("--older-than", metavar="AGE", help=f"only what is older (default: 1d): {_AGES}")
    for parser in (delete, export, gc):
        parser.option("--stack", metavar="NAME", help=_STACK)
        _plugin_option(parser)


def _stacks(stack: Parser) -> None:
    listing = stack.branch("ls", "list the stacks that can be chosen here", command="stack_ls")
    show = stack.branch("show", "show what a stack consists of", command="stack_show")
    check = stack.branch(
        "check", "reach every component of a stack and say what it can do", command="stack_check"
    )
    for parser in (show, check):
        parser.option("name", nargs="?", metavar="NAME", help="the stack (default: the active one)")
    for parser in (listing, show, check):
        _plugin_option(parser)


def _argument_option(parser: Parser) -> None:
    parser.option(
        "-p",
        "--param",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the pipeline, as JSON or else as text; -p no:NAME leaves a plugin out",
    )


def _plugin_option(parser: Parser) -> None:
    parser.option(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="no:NAME",
        help="leave the plugin NAME out",
    )
