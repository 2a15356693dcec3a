"""The computation graph of one forward pass, from the operations that were really carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from infoflow.capture.keeping import written
from infoflow.capture.nesting import tensors_of
from infoflow.graph.values import Memory, owner

SOURCE = 0

_OVERWRITES = {"aten::copy_", "aten::fill_", "aten::zero_", "aten::normal_", "aten::uniform_"}
"""Operations in place whose result does not depend on what was there."""


@dataclass
class Graph:
    """Values that depend on the input, in the order in which they were computed.

    Node 0 is the source; every edge leads from a lower number to a higher one, so that the
    numbers are a topological order.

    Args:
        successors: For each node the nodes computed from it.
    """

    successors: list[list[int]] = field(default_factory=lambda: [[]])

    def add(self, predecessors: Iterable[int]) -> int:
        """A node computed from others."""
        node = len(self.successors)
        self.successors.append([])
        for predecessor in predecessors:
            self.successors[predecessor].append(node)
        return node


class Computation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the graph while the mode is on.

    Views are no nodes: reading one reads the memory it looks at. An operation of one result is
    one node; of several, a node and one more for each result.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = Graph()
        self.memory = Memory()
        self.escaped: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """As of `Keeping`: what runs here is never compiled."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry the operation out and record it."""
        kwargs = kwargs or {}
        given = [tensor for _, tensor in tensors_of((args, kwargs))]
        changed = written(func, args, kwargs)
        ignored = _ignored(func, changed)
        reads = frozenset[int]().union(
            *(self.memory.read(tensor) for tensor in given if id(tensor) not in ignored)
        )
        output = func(*args, **kwargs)
        self._record(reads, given, changed, output)
        return output

    def _record(
        self, reads: frozenset[int], given: list[Tensor], changed: list[Tensor], output: Any
    ) -> None:
        held = {owner(tensor)[0] for tensor in given}
        produced = [tensor for _, tensor in tensors_of(output)]
        fresh = [tensor for tensor in produced if owner(tensor)[0] not in held]
        results = [*changed, *fresh]
        if not reads:
            for tensor in changed:
                self.memory.write(tensor, None)
        elif results:
            operation = self.graph.add(reads)
            for tensor in results:
                alone = len(results) == 1
                self.memory.write(tensor, operation if alone else self.graph.add([operation]))
        elif not produced:
            self.escaped |= reads  # a number for Python: item, a condition

    def escape(self, tensor: Tensor) -> None:
        """The tensor's numbers went to Python: who knows what is done with them."""
        self.escaped |= self.memory.read(tensor)

    def mark(self, tensor: Tensor) -> int | None:
        """The node of a tensor; one that stands for it alone is made where there is none yet.

        None where the tensor does not depend on the input.
        """
        value = self.memory.whole(tensor)
        if value is not None:
            return value
        reads = self.memory.read(tensor)
        if not reads:
            return None
        # Part of a value, or put together from several: whoever reads it from now on reads this.
        value = self.graph.add(reads)
        self.memory.write(tensor, value)
        return value


def _ignored(func: Any, changed: list[Tensor]) -> set[int]:
    """Tensors that are written without being read."""
    name = func._schema.name
    if name in _OVERWRITES or func._schema.overload_name.endswith("out"):
        return {id(tensor) for tensor in changed}
    return set()
