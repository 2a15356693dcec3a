"""How the layers of a network are shared out: in this process, over several, over a cluster.

An engine is a function that measures layers and yields each as it is done, in any order. The
figures are the same: every layer has random generators of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module

from infoflow.errors import SelectionError
from infoflow.measuring import Measured, Measurer
from infoflow.nearest import nearest
from infoflow.request import Request

Job = tuple[int, str]
"""A layer: its place among the selected ones, and its name."""

Engine = Callable[[Request, Sequence[Job], int], Iterator[tuple[int, Measured]]]
"""From a request, the layers to measure (costliest first) and a number of workers."""

ENGINES: Mapping[str, str] = {
    "processes": "infoflow.engines.processes",
    "ray": "infoflow.engines.ray_cluster",
}
"""The module of each engine, which has a function ``run``; where an engine is added."""


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        SelectionError: There is none.
    """
    if name not in ENGINES:
        raise SelectionError(f"No engine is called {name!r}; {nearest(name, list(ENGINES))}.")
    run: Engine = import_module(ENGINES[name]).run
    return run


def in_this_process(measurer: Measurer, jobs: Sequence[Job]) -> Iterator[tuple[int, Measured]]:
    """One layer after the other, with the network that is open already."""
    for index, name in jobs:
        yield index, measurer.measure(index, name)
