"""What a tensor is, judged by its name, shape and type alone, where no architecture is known."""

from __future__ import annotations

import re
from collections.abc import Container

from infoflow.facts import ParameterFacts

_FLOATS = re.compile(r"float|bfloat")
_EMBEDDING = re.compile(
    r"(^|[._])(\w*embed\w*|wte|emb|tok_emb|lookup|shared|lora_embedding)\.weight$", re.I
)
_HEAD = re.compile(r"(^|[._])(embed_out|unembed\w*|output_embed\w*)\.weight$", re.I)
_POSITION = re.compile(
    r"(^|[._])(((pos|position\w*|patch_pos)_?(embed\w*|emb|encoding)s?)|embed_positions?|wpe)$",
    re.I,
)
_RELATIVE = re.compile(r"relative_(position_bias_table|attention_bias(\.weight)?)$")
_TOKEN = re.compile(r"(cls|class|mask|dist|query|register)_?(token|embedding)s?$", re.I)
_SCALE = re.compile(r"(layer_?scale\w*|gamma(_\d)?|ls\d?|lambda\w*|logit_scale)$", re.I)
_MASK = re.compile(r"(^|\.)(attn|self_attn|attention|self_attention)\.(masked_)?bias$", re.I)
_NORM = re.compile(r"(^|[._])(\w*norm\w*|bn\w*|ln\w*|gn\w*)\.weight$", re.I)
_WEIGHT = re.compile(r"(^|[._])(weight|(in|out|q|k|v)_proj_weight)$")
_END = 200
"""Characters of a name's end that the patterns see: some take the cube of what they are given."""
_PASSIVE_LEAVES = {
    "bias": "bias: adds a constant, which changes no entropy",
    "in_proj_bias": "bias: adds a constant, which changes no entropy",
    "bias_k": "bias: adds a constant, which changes no entropy",
    "bias_v": "bias: adds a constant, which changes no entropy",
    "beta": "shift: adds a constant, which changes no entropy",
    "running_mean": "running mean: a shift, which changes no entropy",
    "num_batches_tracked": "counter of batches seen",
    "weight_mask": "pruning mask, multiplied into its weight",
    "A_log": "rates of a state space, one a channel and state: no map between channels",
}


def is_buffer(name: str, shape: tuple[int, ...], dtype: str) -> bool:
    """Whether a tensor is state that no optimizer trains: running statistics, counters, masks."""
    leaf = name.rpartition(".")[2]
    return (
        leaf.startswith("running_")
        or is_causal_mask(name, shape)
        or (not _FLOATS.match(dtype) and "weight" not in leaf)
    )


def is_causal_mask(name: str, shape: tuple[int, ...]) -> bool:
    """Whether it is what GPT-2 and its kin keep as the ``bias`` of an attention.

    A lower triangle of ones, (1, 1, positions, positions), and ``masked_bias``, the number that
    the other scores are set to.
    """
    if not _MASK.search(name[-_END:]):
        return False
    if name.endswith("masked_bias"):
        return not shape
    return len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3] > 1


def unsupported_reason(name: str, shape: tuple[int, ...], dtype: str) -> str:
    """Why a tensor that may be a linear map cannot be analysed, or ``""``."""
    leaf = name.rpartition(".")[2]
    if len(shape) < 2 or 0 in shape:
        return ""
    if leaf in {"weight_g", "weight_v"} or "parametrizations." in name:
        return "part of a parametrisation whose other tensors are missing"
    if leaf.endswith("weight_orig"):
        return "computed by a parametrisation that is not known, from this and other tensors"
    if leaf in {"qweight", "qzeros", "scales", "weight_packed"}:
        return "quantised weight: its packing is not known"
    if leaf.endswith(("_blocks", "_scales")) and dtype == "uint8":
        return "weight in MXFP4: 4-bit floating-point blocks, which are not unpacked"
    if dtype.startswith("complex"):
        return "complex weight"
    if not _FLOATS.match(dtype) and leaf == "weight":
        return f"{dtype} weight without a known scale"
    return ""


def passive_reason(name: str, shape: tuple[int, ...], dtype: str) -> str:
    """Why a tensor is no linear map of its layer's input, or ``""`` where it may be one."""
    name = name[-_END:]
    leaf = name.rpartition(".")[2]
    if 0 in shape:
        return "empty tensor"
    if is_causal_mask(name, shape):
        return "mask buffer: which positions an attention may look at"
    if leaf in _PASSIVE_LEAVES:
        return _PASSIVE_LEAVES[leaf]
    if re.match(r"bias_(ih|hh)", leaf):
        return _PASSIVE_LEAVES["bias"]
    if "lora_magnitude_vector" in name:
        return "magnitudes of DoRA: scales of the base's rows, which are not in an adapter"
    if not _FLOATS.match(dtype):
        return f"{dtype} buffer: indices, masks or counters"
    if _RELATIVE.search(name):
        return "relative position bias: added to the attention's scores"
    if leaf.endswith("_bias"):
        return _PASSIVE_LEAVES["bias"]
    if is_position(name):
        return "position embedding: added to the input"
    if _TOKEN.search(leaf):
        return "learned token: joined to the input"
    if _SCALE.search(leaf) or (
        len(shape) > 1 and sum(n > 1 for n in shape) <= 1 and leaf != "weight"
    ):
        return "a scale for each channel"
    return ""


def is_position(name: str) -> bool:
    """Whether a tensor is a table of positions, which the network adds to its input."""
    return bool(_POSITION.search(name[-_END:].removesuffix(".weight")))


def facts_by_name(
    name: str, shape: tuple[int, ...], names: Container[str]
) -> ParameterFacts | None:
    """What a tensor is, where its name and shape say it: a layer's weight, or None.

    Args:
        name: Its name in the file.
        shape: Its shape.
        names: The names of all tensors, to see its companions.
    """
    end = name[-_END:]
    if not _WEIGHT.search(end):
        return None
    stem = name.removesuffix("weight")
    if len(shape) == 1:
        is_norm = stem + "running_var" in names or _NORM.search(end) or stem + "bias" in names
        return ParameterFacts("normalisation") if is_norm else None
    table = _EMBEDDING.search(end) and not _HEAD.search(end)
    if len(shape) == 2 and table and stem + "bias" not in names:
        return ParameterFacts("embedding")
    if len(shape) == 2:
        return ParameterFacts("dense")
    return ParameterFacts("convolution") if 3 <= len(shape) <= 5 else None
