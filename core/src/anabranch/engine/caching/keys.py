"""What two calls must have in common for one to take the outcome of the other, in another run (law L3).

The key is a digest of the step's name, the names of its outputs, the content of its inputs, and its code. A call's
place in the body is not in it, so that the same work is found from wherever it is asked for. What a `Cache` leaves out
is left out because its user has vouched for it.
"""

import inspect
from hashlib import blake2b
from pathlib import Path

from anabranch import engine
from anabranch.engine.current import current
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.engine.identity import SIZE, content
from anabranch.engine.nodes import CacheKey, Invocation
from anabranch.engine.scopes import Scope
from anabranch.errors import CallError
from anabranch.model.caching import Cache
from anabranch.model.options import PipelineOptions, StepOptions

_PLAIN = Cache()


def policy_of(options: StepOptions | PipelineOptions, scope: Scope) -> Cache | None:
    """What applies to a call in this scope; `None` if it is to have no part in caching."""
    if not isinstance(options, StepOptions):
        return None
    chosen = options.enable_cache
    if chosen is None:
        chosen = scope.caches or options.cache is not None
    return (options.cache or _PLAIN) if chosen else None


class Keys:
    """Makes the keys of one life of a run, whose code is in `project`."""

    def __init__(self, fingerprints: Fingerprinter, project: Path) -> None:
        self._fingerprints, self._project = fingerprints, project
        self._version: str | None = None

    def of(self, node: Invocation, policy: Cache) -> CacheKey:
        """Asked once the inputs are there. Raises what loading them or the user's own `key` function raises."""
        definition = node.definition
        parts = ["1", definition.name, *(spec.name for spec in definition.returns.outputs)]
        inputs = None
        if policy.key is not None:
            parts += ["key", _custom(node, policy)]
        elif policy.inputs:
            inputs = content(node.inputs or {})
            parts += ["inputs", inputs]
        if policy.code:
            parts += ["code", self._fingerprints.of(definition.function).digest]
        if policy.source_version:
            parts += ["source", self.source_version()]
        return CacheKey(_digest(parts), inputs)

    def source_version(self) -> str:
        """What git says of the project, asked once. Raises `CallError`."""
        if self._version is None:
            self._version = engine.source_version(self._project)
        return self._version


def _custom(node: Invocation, policy: Cache) -> str:
    if not callable(policy.key):
        return policy.key or ""
    given = {name: value.load() for name, value in (node.inputs or {}).items()}
    parameters = inspect.signature(node.definition.function).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }
    token = current.set(None)  # this thread may be the body's, or be writing the journal
    try:
        found = policy.key(**{**defaults, **given})
    finally:
        current.reset(token)
    if not isinstance(found, str):
        raise CallError(
            f"the key function returned {found!r}, which is not a text",
            f"cache=Cache(key=...) of {node.name}",
            "return a text that tells calls with different results apart",
        )
    return found


def _digest(parts: list[str]) -> str:
    """Each part with its length, so that no two lists of parts look alike."""
    total = blake2b(digest_size=SIZE)
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        total.update(len(encoded).to_bytes(8, "big") + encoded)
    return total.hexdigest()
