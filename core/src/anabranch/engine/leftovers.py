"""Removes from an artifact store what no run refers to any more, in any of the journals whose runs use it.

A driver puts a value into the store and then records it; in between nothing refers to it. So what is younger than a
moment that lies well back stays in any case, and the store itself makes sure that what is put again is young.

First it is listed what is old, then every run is read, then what nobody named is removed. So an artifact that is
recorded meanwhile is either seen in its run or too young, and memory is bounded by what the store has, not by what the
journal says. If one run cannot be read, nothing is removed.
"""

from collections.abc import Iterator, Sequence

from anabranch.artifacts.interface import ArtifactStore, Stored
from anabranch.errors import RunNotFound
from anabranch.journal.interface import Journal
from anabranch.journal.references import WITHOUT_REFERENCES, stored_digests
from anabranch.model.ids import RunId


def leftovers(journals: Sequence[Journal], store: ArtifactStore, before: float) -> list[Stored]:
    """What was last put before `before` (unix seconds) and belongs to no run. Raises what `Journal.read` does."""
    old = {each.digest: each for each in store.stored() if each.at < before}
    for journal in journals if old else ():
        for summary in journal.runs(None):
            for digest in _needed(journal, summary.run):
                old.pop(digest, None)
    return list(old.values())


def remove(store: ArtifactStore, found: Sequence[Stored], before: float) -> list[Stored]:
    """Those of `found` that nobody has put again since: they are gone."""
    return [each for each in found if store.delete(each.digest, before)]


def _needed(journal: Journal, run: RunId) -> Iterator[str]:
    try:
        for _, event in journal.read(run, without=WITHOUT_REFERENCES):
            yield from stored_digests(event)
    except RunNotFound:
        return  # it was deleted meanwhile
