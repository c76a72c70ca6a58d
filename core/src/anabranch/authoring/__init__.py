"""What user code touches: the decorators, and what a pipeline's body may call.

What only a started run needs is loaded when one is started.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.authoring.mistakes import quiet_tracebacks as quiet_tracebacks
    from anabranch.authoring.reaching import signatures_within as signatures_within
    from anabranch.authoring.runs import Run as Run
    from anabranch.authoring.starting import start_run as start_run
    from anabranch.authoring.templates import read_template as read_template
    from anabranch.engine.recording import Observer as Observer

__getattr__ = lazy(
    __name__,
    {
        "Observer": "anabranch.engine.recording",
        "Run": "anabranch.authoring.runs",
        "quiet_tracebacks": "anabranch.authoring.mistakes",
        "read_template": "anabranch.authoring.templates",
        "signatures_within": "anabranch.authoring.reaching",
        "start_run": "anabranch.authoring.starting",
    },
)
