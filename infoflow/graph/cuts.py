"""Cut points of a directed acyclic graph whose nodes are numbered in topological order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Crossing:
    """Why a node is no cut point: an edge that leads around it.

    Args:
        tail: Where the edge begins, before the node.
        head: Where it ends, after the node.
    """

    tail: int
    head: int


def on_a_path(successors: Sequence[Sequence[int]], source: int, sink: int) -> list[int]:
    """The nodes on some path from source to sink, in order. Linear time.

    >>> on_a_path([[1, 2], [3], [], [], []], source=0, sink=3)
    [0, 1, 3]
    """
    from_source, to_sink = {source}, {sink}
    for node in range(source, sink):
        if node in from_source:
            from_source.update(successors[node])
    for node in reversed(range(source, sink)):
        if not to_sink.isdisjoint(successors[node]):
            to_sink.add(node)
    return [node for node in range(source, sink + 1) if node in from_source and node in to_sink]


def crossings(
    successors: Sequence[Sequence[int]], source: int, sink: int
) -> dict[int, Crossing | None]:
    """For each node on a path: None if every path passes it, else a way round.

    The nodes on a path, in topological order, are a line; each lies on a path, and a path moves
    forwards only. So a node is passed by all paths, that is, it dominates the sink, exactly if no
    edge leads from before it to after it: one sweep that remembers the edge that reaches furthest.

    Args:
        successors: For each node the nodes that its edges lead to, all of higher number.
        source: Where paths begin.
        sink: Where they end.

    >>> crossings([[1, 2], [2], [3], []], source=0, sink=3)
    {0: None, 1: Crossing(tail=0, head=2), 2: None, 3: None}
    """
    relevant = on_a_path(successors, source, sink)
    members = set(relevant)
    furthest: Crossing | None = None
    found: dict[int, Crossing | None] = {}
    for node in relevant:
        found[node] = furthest if furthest is not None and furthest.head > node else None
        head = max((n for n in successors[node] if n in members), default=node)
        if furthest is None or head > furthest.head:
            furthest = Crossing(node, head)
    return found
