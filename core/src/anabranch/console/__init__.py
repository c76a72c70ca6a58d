"""Shows runs to people: while they go on, and afterwards.

This room only draws. It knows what was recorded (events, states) and not who records it; its observers are handed to
the engine as plain callables. Importing it loads nothing: rich costs a tenth of a second, and a run whose output goes
to a file, or whose state is asked for as JSON, never pays for it.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.console.choosing import observer as observer
    from anabranch.console.live import LiveTree as LiveTree
    from anabranch.console.observing import Display as Display
    from anabranch.console.plain import PlainLines as PlainLines
    from anabranch.console.tables import runs_table as runs_table
    from anabranch.console.trees import run_tree as run_tree

__getattr__ = lazy(
    __name__,
    {
        "Display": "anabranch.console.observing",
        "LiveTree": "anabranch.console.live",
        "PlainLines": "anabranch.console.plain",
        "observer": "anabranch.console.choosing",
        "run_tree": "anabranch.console.trees",
        "runs_table": "anabranch.console.tables",
    },
)
