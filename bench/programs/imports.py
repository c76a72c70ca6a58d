"""Imports what every pipeline file imports, and uses the names so that they load; times the import alone."""

import json
import time

started = time.perf_counter()
from anabranch import pipeline, step  # noqa: E402

print(
    json.dumps(
        {"seconds": time.perf_counter() - started, "loaded": [step.__name__, pipeline.__name__]}
    )
)
