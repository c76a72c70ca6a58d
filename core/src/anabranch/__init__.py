"""Dynamic pipelines in plain Python, durable on any cloud.

```python
from anabranch import pipeline, step
```

Names load when they are first used, so that importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

__version__ = "0.1.0"

if TYPE_CHECKING:
    from anabranch.authoring.bodies import as_completed as as_completed
    from anabranch.authoring.bodies import gather as gather
    from anabranch.authoring.bodies import wait_all as wait_all
    from anabranch.authoring.bodies import wait_any as wait_any
    from anabranch.authoring.draws import now as now
    from anabranch.authoring.draws import random as random
    from anabranch.authoring.draws import uuid4 as uuid4
    from anabranch.authoring.messages import answer as answer
    from anabranch.authoring.messages import cancel as cancel
    from anabranch.authoring.naps import sleep as sleep
    from anabranch.authoring.pipelines import Pipeline as Pipeline
    from anabranch.authoring.pipelines import pipeline as pipeline
    from anabranch.authoring.reruns import rerun as rerun
    from anabranch.authoring.runs import Run as Run
    from anabranch.authoring.runs import resume as resume
    from anabranch.authoring.steps import Step as Step
    from anabranch.authoring.steps import step as step
    from anabranch.authoring.steps import unmapped as unmapped
    from anabranch.authoring.waits import wait_for as wait_for
    from anabranch.engine.artifacts import Artifact as Artifact
    from anabranch.engine.contexts import Context as Context
    from anabranch.engine.contexts import checkpoint as checkpoint
    from anabranch.engine.contexts import context as context
    from anabranch.engine.contexts import log_metadata as log_metadata
    from anabranch.engine.definitions import ArtifactConfig as ArtifactConfig
    from anabranch.engine.futures import MapFuture as MapFuture
    from anabranch.engine.futures import StepFuture as StepFuture
    from anabranch.model.caching import Cache as Cache
    from anabranch.model.options import Resources as Resources
    from anabranch.model.options import Retry as Retry

_NAMES = {
    "as_completed": "anabranch.authoring.bodies",
    "gather": "anabranch.authoring.bodies",
    "wait_all": "anabranch.authoring.bodies",
    "wait_any": "anabranch.authoring.bodies",
    "now": "anabranch.authoring.draws",
    "random": "anabranch.authoring.draws",
    "uuid4": "anabranch.authoring.draws",
    "answer": "anabranch.authoring.messages",
    "cancel": "anabranch.authoring.messages",
    "sleep": "anabranch.authoring.naps",
    "Pipeline": "anabranch.authoring.pipelines",
    "pipeline": "anabranch.authoring.pipelines",
    "rerun": "anabranch.authoring.reruns",
    "Run": "anabranch.authoring.runs",
    "resume": "anabranch.authoring.runs",
    "Step": "anabranch.authoring.steps",
    "step": "anabranch.authoring.steps",
    "unmapped": "anabranch.authoring.steps",
    "wait_for": "anabranch.authoring.waits",
    "Artifact": "anabranch.engine.artifacts",
    "Context": "anabranch.engine.contexts",
    "checkpoint": "anabranch.engine.contexts",
    "context": "anabranch.engine.contexts",
    "log_metadata": "anabranch.engine.contexts",
    "ArtifactConfig": "anabranch.engine.definitions",
    "MapFuture": "anabranch.engine.futures",
    "StepFuture": "anabranch.engine.futures",
    "Cache": "anabranch.model.caching",
    "Resources": "anabranch.model.options",
    "Retry": "anabranch.model.options",
}

__all__ = [*_NAMES]  # noqa: PLE0604  (the names are strings, read from the table above)
__getattr__ = lazy(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
