"""The command line. What a command does is loaded once the command has been chosen.

`anabranch --help` answers in a few hundredths of a second, and `anabranch run` pays for the engine and for nothing
else. So `grammar` knows what can be typed, and this table where the work is done.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.cli.program import main as main

__getattr__ = lazy(
    __name__,
    {
        "main": "anabranch.cli.program",
        # commands, by the names that `grammar` gives them
        "run": "anabranch.cli.running",
        "resume": "anabranch.cli.running",
        "answer": "anabranch.cli.messages",
        "runs_cancel": "anabranch.cli.messages",
        "rerun": "anabranch.cli.running",
        "explain": "anabranch.cli.explaining",
        "resume_plan": "anabranch.cli.planning",
        "runs_ls": "anabranch.cli.looking",
        "runs_show": "anabranch.cli.looking",
        "runs_graph": "anabranch.cli.looking",
        "runs_logs": "anabranch.cli.logs",
        "runs_diff": "anabranch.cli.comparing",
        "runs_delete": "anabranch.cli.housekeeping",
        "runs_export": "anabranch.cli.exporting",
        "gc": "anabranch.cli.housekeeping",
        "stack_ls": "anabranch.cli.surroundings",
        "stack_show": "anabranch.cli.surroundings",
        "stack_check": "anabranch.cli.surroundings",
        "plugins": "anabranch.cli.surroundings",
        "doctor": "anabranch.cli.health",
        "version": "anabranch.cli.health",
    },
)
