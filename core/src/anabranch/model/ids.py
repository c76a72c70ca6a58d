"""Names of things. Identities are computed and never drawn; run ids are drawn and never computed."""

import os
import time
from typing import NewType

RunId = NewType("RunId", str)
"""Sortable by start, short enough to type: `20261124-035512-k7qf3m`. A child run's id is `PARENT~IDENTITY`."""

InvocationId = NewType("InvocationId", str)
"""32 hex characters computed from scope, step name and inputs: the same in every life of a run."""

ROOT_SCOPE = InvocationId("")
"""The scope of calls in the body of the run itself; a child's calls have the child's identity as scope."""

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"


def new_run_id(now: float | None = None) -> RunId:
    """A fresh run id. `now` is in unix seconds (UTC in the id); `None` means the present."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    drawn = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(6))
    return RunId(f"{stamp}-{drawn}")


def child_run_id(root: RunId, invocation: InvocationId) -> RunId:
    """The id under which a child run is shown."""
    return RunId(f"{root}~{invocation[:10]}")
