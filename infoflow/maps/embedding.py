"""Embeddings: the linear map from a token's index, as a vector with a single 1, to its vector."""

from __future__ import annotations

from infoflow.maps.part import Array, Part, stem
from infoflow.maps.weight import Tensors, Weight

NOTE = "the map from a token's index to its vector: columns are tokens, in no order"


def embedding(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | None:
    """The table's transpose, (dimension, tokens)."""
    tensor, facts = weight.tensor, weight.tensor.facts
    if facts is None or facts.kind != "embedding" or len(tensor.shape) != 2:
        return None
    return (Part(stem(tensor.name), "embedding", tensor.shape[::-1], _turned, NOTE),)


def _turned(array: Array) -> Array:
    return array.T
