"""Weights that are one linear map, and those of which the format says which they hold."""

from __future__ import annotations

from infoflow.maps.part import Part, row_blocks, stem, whole
from infoflow.maps.weight import Tensors, Weight
from infoflow.words import counted

KINDS = frozenset({"dense", "convolution", "normalisation"})


def update(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | None:
    """A product of low rank: one map, whatever the layer is that it changes."""
    if not weight.factored:
        return None
    name = weight.tensor.name.removesuffix(".weight")
    return (Part(name, "low-rank update", weight.tensor.shape, whole),)


def stated(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | str | None:
    """A dense weight of which somebody said what its equal blocks of rows are."""
    tensor, facts = weight.tensor, weight.tensor.facts
    if facts is None or not facts.parts:
        return None
    rows, rest = divmod(tensor.shape[0], len(facts.parts))
    if rest or len(tensor.shape) != 2:
        held = f"{counted(len(facts.parts), 'map')} in {counted(tensor.shape[0], 'row')}"
        return f"{held}: they are no equal shares"
    return row_blocks(stem(tensor.name), tensor.shape, dict.fromkeys(facts.parts, rows))


def plain(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | None:
    """One map, whole."""
    tensor, facts = weight.tensor, weight.tensor.facts
    if facts is None or facts.kind not in KINDS:
        return None
    kind = facts.kind
    if facts.geometry is not None and facts.geometry.transposed:
        kind = "transposed convolution"
    name = tensor.name.removesuffix(".weight")
    return (Part(name, kind, tensor.shape, whole),)
