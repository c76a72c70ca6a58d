"""Runs pipelines: the graph as it grows, the journal as it is written, replay as it is asked for.

Read `driving` for how the parts work together. Only `awaiting` knows asyncio, and it is loaded when an async step or
body is first used.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.engine.awaiting import AsyncSteps as AsyncSteps
    from anabranch.engine.awaiting import in_thread as in_thread
    from anabranch.engine.awaiting import is_leaving as is_leaving
    from anabranch.engine.awaiting import paused as paused
    from anabranch.engine.awaiting import run_body as run_body
    from anabranch.engine.awaiting import until_done as until_done
    from anabranch.engine.awaiting import within as within
    from anabranch.engine.caching.sources import source_version as source_version

__getattr__ = lazy(
    __name__,
    {
        "AsyncSteps": "anabranch.engine.awaiting",
        "until_done": "anabranch.engine.awaiting",
        "in_thread": "anabranch.engine.awaiting",
        "is_leaving": "anabranch.engine.awaiting",
        "paused": "anabranch.engine.awaiting",
        "run_body": "anabranch.engine.awaiting",
        "source_version": "anabranch.engine.caching.sources",
        "within": "anabranch.engine.awaiting",
    },
)
