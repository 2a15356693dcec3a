"""How stored tensors become linear maps, in two visible tables.

`WEIGHTS`: from the tensors of the file to the weights that the network multiplies with, some
computed from several tensors (weight norm, low-rank products, packed integers).
`PARTS`: from a weight to the linear maps in it, some one below the other (the gates of an LSTM,
packed attention). A new kind is a file here and a row in one of them; the first that fits is taken.
"""

from __future__ import annotations

from infoflow.maps.attention import attention
from infoflow.maps.embedding import embedding
from infoflow.maps.experts import experts
from infoflow.maps.four_bits import four_bits
from infoflow.maps.gptq import compressed, gptq
from infoflow.maps.low_rank import low_rank, unmatched
from infoflow.maps.parametrised import other_parametrisation, pruned, spectral_norm, weight_norm
from infoflow.maps.part import Part, PartReader
from infoflow.maps.plain import plain, stated, update
from infoflow.maps.recurrent import recurrent
from infoflow.maps.scaled import scaled
from infoflow.maps.transposed import transposed
from infoflow.maps.weight import Reader, Role, Tensors, Weight

__all__ = ["PARTS", "WEIGHTS", "Part", "Role", "Tensors", "Weight", "parts", "weights"]

WEIGHTS: tuple[Reader, ...] = (
    pruned,
    weight_norm,
    spectral_norm,
    other_parametrisation,
    low_rank,
    unmatched,
    scaled,
    gptq,
    compressed,
    four_bits,
    transposed,
)
"""What a weight may be computed from, in the order in which they are asked."""

PARTS: tuple[PartReader, ...] = (update, stated, recurrent, experts, embedding, attention, plain)
"""What linear maps a weight may hold, in the order in which they are asked."""


def weights(tensors: Tensors) -> list[Weight]:
    """Every tensor of the file in exactly one weight, in file order.

    A tensor that no reader knows is a weight by itself, whatever it is.
    """
    found: dict[str, Weight] = {}
    owner: dict[str, str] = {}
    for tensor in tensors:
        if tensor.name in owner or tensor.unread:
            continue
        for read in WEIGHTS:
            weight = read(tensor, tensors)
            if weight is None or any(role.name in owner for role in weight.roles):
                continue
            found[tensor.name] = weight
            owner.update((role.name, tensor.name) for role in weight.roles)
            break
    return [
        found.get(tensor.name) or Weight(tensor, (Role(tensor.name),))
        for tensor in tensors
        if owner.get(tensor.name, tensor.name) == tensor.name
    ]


def parts(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | str:
    """The linear maps in a weight; none, with the reason, where it is recognised and refused.

    Args:
        weight: One of `weights`, whose facts are those of the architecture where it is known.
        tensors: The network's weights by name, computed ones under their own.
    """
    for read in PARTS:
        found = read(weight, tensors)
        if found is not None:
            return found
    return ()
