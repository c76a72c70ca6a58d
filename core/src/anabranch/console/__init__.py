"""Shows runs to people: while they go on, and afterwards.

This room only draws. It knows what was recorded (events, states) and not who records it; its displays are handed to
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
    from anabranch.console.printing import print_difference as print_difference
    from anabranch.console.printing import print_explanation as print_explanation
    from anabranch.console.printing import print_graph as print_graph
    from anabranch.console.printing import print_mark as print_mark
    from anabranch.console.printing import print_plan as print_plan
    from anabranch.console.printing import print_run as print_run
    from anabranch.console.printing import print_runs as print_runs
    from anabranch.console.printing import print_table as print_table
    from anabranch.console.printing import print_waits as print_waits

_NAMES = {
    "Display": "anabranch.console.observing",
    "LiveTree": "anabranch.console.live",
    "PlainLines": "anabranch.console.plain",
    "observer": "anabranch.console.choosing",
    "print_difference": "anabranch.console.printing",
    "print_explanation": "anabranch.console.printing",
    "print_graph": "anabranch.console.printing",
    "print_mark": "anabranch.console.printing",
    "print_plan": "anabranch.console.printing",
    "print_run": "anabranch.console.printing",
    "print_runs": "anabranch.console.printing",
    "print_table": "anabranch.console.printing",
    "print_waits": "anabranch.console.printing",
}

__getattr__ = lazy(__name__, _NAMES)
