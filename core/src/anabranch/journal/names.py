"""What people call the calls of a run: a step's name, a display id, or a path through child runs, `tune/train_2`."""

from anabranch.errors import UserMistake, suggestion
from anabranch.journal.fold import InvocationState, MapState, RunState
from anabranch.model.ids import ROOT_SCOPE, InvocationId


def paths_of(state: RunState) -> dict[InvocationId, str]:
    """The path of each call and each map."""
    paths = {ROOT_SCOPE: ""}
    for known in state.invocations.values():
        paths[known.invocation] = _below(paths.get(known.scope, ""), known.display)
    for found in state.maps.values():
        paths[found.map] = _below(paths.get(found.scope, ""), found.display)
    del paths[ROOT_SCOPE]
    return paths


def called(state: RunState, word: str) -> set[InvocationId]:
    """The calls and maps that a word stands for; a map's name stands for its items too.

    Raises `UserMistake` if there are none.
    """
    paths = paths_of(state)
    found: set[InvocationId] = set()
    words: set[str] = set()
    entries: list[tuple[InvocationId, InvocationState | MapState]] = [
        *state.maps.items(),
        *state.invocations.items(),
    ]
    for id, entry in entries:
        map = None if isinstance(entry, MapState) else entry.map
        names = (entry.step, entry.display, paths[id])
        if word in names or map in found:
            found.add(id)
        words.update(names if map is None else ())
    if not found:
        raise UserMistake(
            f"the run has no step or call {word!r}",
            f"run {state.run}",
            f"{suggestion(word, words)} See: anabranch runs show {state.run}",
        )
    return found


def _below(around: str, display: str) -> str:
    return f"{around}/{display}" if around else display
