"""What an edit of the code has done to calls that are recorded: their step as it is now, against its recorded parts."""

from collections.abc import Iterable, Mapping

from anabranch.engine.definitions import Definition, PipelineDefinition
from anabranch.engine.fingerprints import Fingerprinter
from anabranch.journal.fold import InvocationState
from anabranch.model.code_parts import difference


class Edits:
    """Compares with the steps and pipelines in `definitions`, by name."""

    def __init__(self, definitions: Iterable[Definition], fingerprints: Fingerprinter) -> None:
        self._fingerprints = fingerprints
        self._known: dict[tuple[str, bool], list[Definition]] = {}
        self._changes: dict[tuple[str, bool, str], tuple[str, ...] | None] = {}
        for definition in definitions:
            key = definition.name, isinstance(definition, PipelineDefinition)
            self._known.setdefault(key, []).append(definition)

    def of(
        self, known: InvocationState, codes: Mapping[str, Mapping[str, str]]
    ) -> tuple[str, ...] | None:
        """What has changed since the call's outcome was recorded, a line each; `None` if its step is not found.

        `codes` are the recorded parts. Of several steps with one name, the one that is as it was speaks for all.
        """
        key = known.step, known.pipeline, known.code
        if key not in self._changes:
            self._changes[key] = self._compared(*key, codes.get(known.code, {}))
        return self._changes[key]

    def _compared(
        self, name: str, pipeline: bool, code: str, parts: Mapping[str, str]
    ) -> tuple[str, ...] | None:
        found = [
            self._fingerprints.of(definition.function)
            for definition in self._known.get((name, pipeline), ())
        ]
        if not found:
            return None
        if any(fingerprint.digest == code for fingerprint in found):
            return ()
        return difference(parts, found[0].parts)
