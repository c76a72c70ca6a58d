"""The graph of a run as it came to be: what was called, and what waited for what.

A map is one node with a count, however many items it has; a child pipeline encloses its own calls. Pure: from a run's
state to a `Graph`, and from that to text, Mermaid, Graphviz or JSON.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from anabranch.console.documents import Document, in_order, map_counts
from anabranch.console.marks import MARKS, Marks
from anabranch.journal.fold import InvocationState, MapState, RunState
from anabranch.model.ids import ROOT_SCOPE, InvocationId

Kind = Literal["step", "pipeline", "map"]
Format = Literal["text", "mermaid", "dot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """A call or a map. `count` is the number of a map's items; `after` the vertices that it waited for."""

    id: InvocationId
    label: str
    kind: Kind
    scope: InvocationId
    status: str
    count: int | None = None
    after: tuple[InvocationId, ...] = ()

    @property
    def title(self) -> str:
        """The label, with the number of items of a map."""
        return self.label if self.count is None else f"{self.label} [{self.count:,}]"


Graph: TypeAlias = Mapping[InvocationId, Vertex]
"""All vertices by id, in the order of their creation; an enclosed one comes after its child pipeline."""


def graph_of(state: RunState) -> Graph:
    """The graph, items folded into their maps."""
    map_of = {k.invocation: k.map for k in state.invocations.values() if k.map in state.maps}
    tallies = {known.map: tally for known, tally in map_counts(state)}
    entries = in_order(state)
    ids = {_id(entry) for entry in entries}
    graph: dict[InvocationId, Vertex] = {}
    for entry in entries:
        folded = dict.fromkeys(map_of.get(upstream) or upstream for upstream in entry.after)
        after = tuple(id for id in folded if id in ids and id != _id(entry))
        graph[_id(entry)] = _vertex(entry, after, tallies)
    return graph


def _id(entry: InvocationState | MapState) -> InvocationId:
    return entry.map if isinstance(entry, MapState) else entry.invocation


def _vertex(
    entry: InvocationState | MapState,
    after: tuple[InvocationId, ...],
    tallies: Mapping[InvocationId, Mapping[str, int]],
) -> Vertex:
    kind: Kind
    count: int | None
    if isinstance(entry, MapState):
        kind, status, count = "map", _status(tallies[entry.map]), entry.count
    else:
        kind, status, count = "pipeline" if entry.pipeline else "step", entry.status, None
    return Vertex(
        id=_id(entry),
        label=entry.display,
        kind=kind,
        scope=entry.scope,
        status=status,
        count=count,
        after=after,
    )


def _status(tally: Mapping[str, int]) -> str:
    """Of a map, from its items."""
    if any(tally.get(status) for status in ("pending", "running", "retrying")):
        return "running"
    return "failed" if tally.get("failed") else "completed"


def render(graph: Graph, form: Format, marks: Marks = MARKS) -> str:
    """The graph in one of the forms, without a newline at its end."""
    return "\n".join(_FORMS[form](graph, marks))


def graph_document(graph: Graph) -> Document:
    """`anabranch runs graph --json`."""
    return {
        "nodes": [
            {
                "id": vertex.id,
                "label": vertex.label,
                "kind": vertex.kind,
                "scope": vertex.scope or None,
                "status": vertex.status,
                "count": vertex.count,
            }
            for vertex in graph.values()
        ],
        "edges": [[upstream, vertex.id] for vertex in graph.values() for upstream in vertex.after],
    }


# --- the forms ---------------------------------------------------------------------------------------------------


def _text(graph: Graph, marks: Marks) -> Iterator[str]:
    """A line for each vertex, `name ← what it waited for`; a child's calls are indented below it."""
    width = min(40, max((len(v.title) + 2 * _depth(graph, v) for v in graph.values()), default=0))
    for depth, vertex in _nested(graph):
        name = f"{'  ' * depth}{marks[vertex.status]} {vertex.title}"
        upstreams = ", ".join(graph[id].label for id in vertex.after)
        arrow = f"  {marks['from']} {upstreams}" if upstreams else ""
        yield f"{name:<{width + 2}}{arrow}" if arrow else name


def _mermaid(graph: Graph, marks: Marks) -> Iterator[str]:
    names = {id: f"n{index}" for index, id in enumerate(graph)}
    inside = _inside(graph)
    yield "flowchart TD"
    yield from _mermaid_scope(ROOT_SCOPE, inside, names, 1)
    for vertex in graph.values():
        for upstream in vertex.after:
            yield f"  {names[upstream]} --> {names[vertex.id]}"
    for status, colour in _COLOURS.items():
        classed = [names[v.id] for v in graph.values() if v.status == status]
        if classed:
            yield f"  classDef {status} stroke:{colour},stroke-width:2px"
            yield f"  class {','.join(classed)} {status}"


def _mermaid_scope(
    scope: InvocationId,
    inside: Mapping[InvocationId, list[Vertex]],
    names: Mapping[InvocationId, str],
    depth: int,
) -> Iterator[str]:
    indent = "  " * depth
    for vertex in inside.get(scope, ()):
        label = vertex.title.replace('"', "#quot;")
        if vertex.kind == "pipeline" and vertex.id in inside:
            yield f'{indent}subgraph {names[vertex.id]}["{label}"]'
            yield from _mermaid_scope(vertex.id, inside, names, depth + 1)
            yield f"{indent}end"
        else:
            left, right = ("[[", "]]") if vertex.kind == "map" else ("[", "]")
            yield f'{indent}{names[vertex.id]}{left}"{label}"{right}'


def _dot(graph: Graph, marks: Marks) -> Iterator[str]:
    names = {id: f"n{index}" for index, id in enumerate(graph)}
    yield "digraph run {"
    yield '  node [shape=box, style=rounded, fontname="sans-serif"];'
    yield from _dot_scope(ROOT_SCOPE, _inside(graph), names, 1)
    for vertex in graph.values():
        for upstream in vertex.after:
            yield f"  {names[upstream]} -> {names[vertex.id]};"
    yield "}"


def _dot_scope(
    scope: InvocationId,
    inside: Mapping[InvocationId, list[Vertex]],
    names: Mapping[InvocationId, str],
    depth: int,
) -> Iterator[str]:
    """A child pipeline is a cluster that holds a node of its own, for Graphviz knows no edges to clusters."""
    indent = "  " * depth
    for vertex in inside.get(scope, ()):
        name, label = names[vertex.id], vertex.title.replace("\\", "\\\\").replace('"', '\\"')
        shape = {"map": ", shape=box3d", "pipeline": ", shape=component"}.get(vertex.kind, "")
        colour = f', color="{_COLOURS[vertex.status]}"' if vertex.status in _COLOURS else ""
        node = f'{name} [label="{label}"{shape}{colour}];'
        if vertex.id not in inside:
            yield f"{indent}{node}"
            continue
        yield f"{indent}subgraph cluster_{name} {{"
        yield f"{indent}  {node}"
        yield from _dot_scope(vertex.id, inside, names, depth + 1)
        yield f"{indent}}}"


_FORMS: dict[Format, Callable[[Graph, Marks], Iterator[str]]] = {
    "text": _text,
    "mermaid": _mermaid,
    "dot": _dot,
}
_COLOURS = {
    "completed": "#2e7d32",
    "running": "#1565c0",
    "failed": "#c62828",
    "skipped": "#9e9e9e",
    "cancelled": "#ef6c00",
}


def _inside(graph: Graph) -> dict[InvocationId, list[Vertex]]:
    """The vertices of each scope; a scope that is not in the graph is taken for the run's own."""
    inside: dict[InvocationId, list[Vertex]] = {}
    for vertex in graph.values():
        scope = vertex.scope if vertex.scope in graph else ROOT_SCOPE
        inside.setdefault(scope, []).append(vertex)
    return inside


def _nested(graph: Graph) -> Iterator[tuple[int, Vertex]]:
    """Depth first; a child's calls come below it."""
    inside = _inside(graph)
    waiting = [(0, vertex) for vertex in reversed(inside.get(ROOT_SCOPE, []))]
    while waiting:
        depth, vertex = waiting.pop()
        yield depth, vertex
        waiting.extend((depth + 1, below) for below in reversed(inside.get(vertex.id, [])))


def _depth(graph: Graph, vertex: Vertex) -> int:
    depth, scope = 0, vertex.scope
    while scope in graph:
        depth, scope = depth + 1, graph[scope].scope
    return depth
