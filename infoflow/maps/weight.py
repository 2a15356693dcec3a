"""A weight as the network multiplies with it, and the tensors of the file that hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from infoflow.checkpoints.checkpoint import Checkpoint, StoredTensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAMETRISED = "parametrizations."


@dataclass(frozen=True)
class Role:
    """What one tensor of the file is to a weight that is computed from several.

    Args:
        name: Of the tensor.
        words: What it is, as in a record: ``scale of q_proj.weight``.
        state: Whether it is no parameter of its own (scales, masks, singular vectors).
        parameters: How many weights it holds where several are packed into one number.
    """

    name: str
    words: str = ""
    state: bool = False
    parameters: int | None = None


@dataclass(frozen=True)
class Weight:
    """A weight that the network multiplies with.

    Args:
        tensor: Its name (``….weight``), its shape and type, how it is read (which computes it),
            and why it cannot be.
        roles: The tensors of the file that it is computed from; all of them, each once.
        note: What the reader must know.
        product: Of a product of low rank, what computes all of it: ``tensor.load`` gives only the
            part in the output directions that it uses (see `low_rank`), fewer rows than the shape.
        parameters: Numbers that it is made of, where they are not as many as its shape says.
    """

    tensor: StoredTensor
    roles: tuple[Role, ...]
    note: str = ""
    product: Callable[[], NDArray[np.float64]] | None = None
    parameters: int | None = None

    @property
    def factored(self) -> bool:
        """Whether it is a product of low rank."""
        return self.product is not None

    @property
    def computed(self) -> bool:
        """Whether its numbers are made of others, and not those of one tensor as it is stored."""
        return bool(self.roles[0].words)


@dataclass(frozen=True)
class Tensors:
    """The tensors of a file by name, and what the file says of itself.

    Args:
        named: By name, in file order.
        metadata: Numbers of a configuration under ``config.``, ``quantisation.``, ``adapter.``.
        path: Of the file, for messages.
    """

    named: Mapping[str, StoredTensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Tensors:
        """All that a checkpoint holds."""
        return cls(checkpoint.tensors, checkpoint.metadata, checkpoint.path)

    def __iter__(self) -> Iterator[StoredTensor]:
        return iter(self.named.values())

    def __contains__(self, name: object) -> bool:
        return name in self.named

    def get(self, name: str) -> StoredTensor | None:
        """The tensor of that name, None where there is none or it cannot be read."""
        found = self.named.get(name)
        return None if found is None or found.unread else found

    def number(self, key: str) -> int | None:
        """A whole positive number of the metadata, or None."""
        text = self.metadata.get(key, "")
        return int(text) or None if text.isdecimal() and len(text) < 16 else None

    @cached_property
    def parametrised(self) -> Mapping[str, tuple[str, ...]]:
        """What lies under ``….parametrizations.NAME``, by that prefix: ``original``, ``0._u``."""
        found: dict[str, list[str]] = {}
        for name in self.named:
            before, middle, after = name.rpartition(PARAMETRISED)
            if middle:
                parameter, _, leaf = after.partition(".")
                found.setdefault(f"{before}{middle}{parameter}", []).append(leaf)
        return {prefix: tuple(leaves) for prefix, leaves in found.items()}

    @cached_property
    def transposed_names(self) -> frozenset[str]:
        """Names of the two-dimensional weights whose bias says that they are stored (in, out)."""
        found = set()
        for name, tensor in self.named.items():
            if name.endswith("weight") and len(tensor.shape) == 2:
                bias = self.named.get(f"{name.removesuffix('weight')}bias")
                rows, columns = tensor.shape
                if bias is not None and rows != columns and bias.shape == (columns,):
                    found.add(name)
        return frozenset(found)

    @cached_property
    def transposed_modules(self) -> frozenset[str]:
        """The last names of the modules of those: ``c_fc`` of ``h.0.mlp.c_fc.weight``."""
        return frozenset(name.split(".")[-2] for name in self.transposed_names if "." in name)


def wide(tensor: StoredTensor) -> NDArray[np.float32 | np.float64]:
    """A tensor's numbers, at least in float32: 16-bit factors are not multiplied as such."""
    import numpy as np

    array = tensor.load()
    kind = np.float64 if array.dtype == np.float64 else np.float32
    return np.asarray(array).astype(kind)


Reader = Callable[[StoredTensor, Tensors], "Weight | None"]
"""From one tensor and its companions to the weight that they hold, or None: not of this kind."""


def refused(tensor: StoredTensor, roles: tuple[Role, ...], reason: str) -> Weight:
    """A weight that is recognised but cannot be computed, and why.

    Args:
        tensor: The tensor that gave it away.
        roles: All that belongs to it.
        reason: In words.
    """
    return Weight(
        StoredTensor(tensor.name, tensor.shape, tensor.dtype, tensor.load, unread=reason), roles
    )
