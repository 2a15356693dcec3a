"""The weights of torch's RNN, GRU and LSTM, gate by gate.

A gate is a linear map of its own, ``lstm.ih_l0.forget`` from the input and ``lstm.hh_l0.forget``
from the hidden state. torch stacks them from the top: input, forget, cell, output of an LSTM;
reset, update, new of a GRU. A plain RNN has one map, ``rnn.ih_l0``.
"""

from __future__ import annotations

import re

from infoflow.maps.part import Part, row_blocks, whole
from infoflow.maps.weight import Tensors, Weight

GATES = {
    1: (),
    3: ("reset", "update", "new"),
    4: ("input", "forget", "cell", "output"),
}
"""Names by how many times the hidden size the weights have rows."""
_WEIGHT = re.compile(
    r"^(?P<module>(.*\.)?)weight_(?P<role>ih|hh|hr)(?P<layer>(_l\d+)?(_reverse)?)$"
)


def recurrent(weight: Weight, tensors: Tensors) -> tuple[Part, ...] | str | None:
    """The gates of a recurrent weight; how many there are is told by the hidden weight's shape.

    Of an LSTM with projections (``weight_hr``) the hidden size is the projection's columns.
    """
    tensor = weight.tensor
    found = _WEIGHT.match(tensor.name)
    if found is None or len(tensor.shape) != 2:
        return None
    module, layer = found["module"], found["layer"]
    name = f"{module}{found['role']}{layer}"
    if found["role"] == "hr":
        return (Part(name, "dense", tensor.shape, whole, "projection of the hidden state"),)
    hidden = tensors.get(f"{module}weight_hh{layer}")
    projection = tensors.get(f"{module}weight_hr{layer}")
    if hidden is None or len(hidden.shape) != 2:
        return "recurrent weight without its hidden one: its gates cannot be told"
    size = projection.shape[-1] if projection is not None and projection.shape else hidden.shape[1]
    gates, rest = divmod(tensor.shape[0], size) if size else (0, 0)
    if rest or gates not in GATES or hidden.shape[0] != tensor.shape[0]:
        return f"recurrent weight of {tensor.shape[0]} rows for a hidden size of {size}"
    if gates == 1:
        return (Part(name, "dense", tensor.shape, whole),)
    return row_blocks(name, tensor.shape, dict.fromkeys(GATES[gates], size))
