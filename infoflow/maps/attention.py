"""Maps that a network stores in one tensor: query, key and value; gate and up.

Most put them one below the other. GPT-NeoX, BLOOM, Falcon and InternLM2 take turns: for each head
of keys its queries, then its key, then its value; those are taken apart where the configuration
gives the number of heads.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from infoflow.maps.part import Array, Part, row_blocks, stem, whole
from infoflow.maps.weight import Tensors, Weight

_STACKED = re.compile(r"(^|[._])(in_proj_weight|(qkv|to_qkv|Wqkv|qkv_proj|c_attn|W_pack)\.weight)$")
_TURNS = re.compile(r"(^|\.)(query_key_value|wqkv)\.weight$")
_TURNING = ("gpt_neox", "gpt_neox_japanese", "bloom", "falcon", "RefinedWeb", "RefinedWebModel")
_TURNING_WQKV = ("internlm2",)
_PAIRS = (
    (re.compile(r"(^|\.)(gate_up_proj|w12)\.weight$"), ("gate", "up")),
    (re.compile(r"(^|\.)(to_kv|kv)\.weight$"), ("k", "v")),
)
TOGETHER = "q, k and v together: "


def attention(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | None:
    """The maps of a packed dense weight; one map with a note where their places are not known."""
    tensor, facts = weight.tensor, weight.tensor.facts
    if facts is None or facts.kind not in {"dense", "attention"} or len(tensor.shape) != 2:
        return None
    name, rows = stem(tensor.name), tensor.shape[0]
    for pattern, words in _PAIRS:
        if pattern.search(tensor.name) and rows % 2 == 0:
            return row_blocks(name, tensor.shape, dict.fromkeys(words, rows // 2))
    if _TURNS.search(tensor.name):
        return _taking_turns(weight, tensors)
    if facts.kind == "attention" or _STACKED.search(tensor.name):
        return _stacked(weight, tensors)
    return None


def _stacked(weight: Weight, tensors: Tensors) -> tuple[Part, ...]:
    """One below the other: equal thirds, or by the numbers of heads."""
    tensor = weight.tensor
    name, (rows, columns) = stem(tensor.name), tensor.shape
    heads = _heads(rows, columns, tensors)
    known = tensor.facts is not None and tensor.facts.kind == "attention" and rows % 3 == 0
    if heads is not None and not known:
        queries, keys, size = heads
        blocks = {"q": queries * size, "k": keys * size, "v": keys * size}
        return row_blocks(name, tensor.shape, blocks)
    if known or rows == 3 * columns:
        return row_blocks(name, tensor.shape, dict.fromkeys("qkv", rows // 3))
    if "c_attn" in tensor.name and rows == 2 * columns:
        return row_blocks(name, tensor.shape, dict.fromkeys("kv", columns))
    return _one(weight, "the number of heads is not known (a folder with its config.json says it)")


def _taking_turns(weight: Weight, tensors: Tensors) -> tuple[Part, ...]:
    """Rows (heads of keys, queries a head of keys + 2, size), of GPT-NeoX and its like."""
    tensor = weight.tensor
    name, (rows, columns) = stem(tensor.name), tensor.shape
    network = tensors.metadata.get("model_type", "")
    if network not in (_TURNING_WQKV if name.endswith("wqkv") else _TURNING):
        return _one(weight, "how they take turns is not known without its config.json")
    heads = _heads(rows, columns, tensors)
    if heads is None:
        return _one(weight, "the number of heads is not known")
    queries, keys, size = heads
    each = queries // keys

    def taking(start: int, stop: int) -> Callable[[Array], Array]:
        def take(array: Array) -> Array:
            turns = array.reshape(keys, each + 2, size, columns)
            return turns[:, start:stop].reshape(-1, columns)

        return take

    return tuple(
        Part(
            f"{name}.{word}", "dense", (keys * (stop - start) * size, columns), taking(start, stop)
        )
        for word, start, stop in (("q", 0, each), ("k", each, each + 1), ("v", each + 1, each + 2))
    )


def _heads(rows: int, columns: int, tensors: Tensors) -> tuple[int, int, int] | None:
    """Heads of queries, heads of keys and the size of one, that together give the rows; or None."""
    queries = tensors.number("config.num_attention_heads") or tensors.number("config.n_head")
    if queries is None:
        return None
    size = tensors.number("config.head_dim") or columns // queries
    if not size or rows % size:
        return None
    keys, rest = divmod(rows // size - queries, 2)
    if rest or keys < 1 or queries % keys:
        return None
    return queries, keys, size


def _one(weight: Weight, why: str) -> tuple[Part, ...]:
    tensor = weight.tensor
    return (Part(stem(tensor.name), "dense", tensor.shape, whole, TOGETHER + why),)
