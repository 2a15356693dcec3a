"""What the rows and the columns of a matrix run over."""

from __future__ import annotations

import numpy as np

from infoflow.extraction.choice import Choice
from infoflow.extraction.forms import EMBEDDING, FLAT
from infoflow.operators.layer import layer_operator
from infoflow.render.pattern import Side


def sides(choice: Choice) -> tuple[Side, Side] | None:
    """Rows and columns; None for the symbol, which is no matrix."""
    what, shape = choice.wanted.what, choice.layer.summary.shape
    if what == "symbol":
        return None
    if what == "W-square":
        rows, columns = choice.estimate.shape
        more = "outputs, then inputs carried along" if shape[0] < shape[1] else "output"
        return Side(more, rows), Side(
            "input" if shape[0] <= shape[1] else "input, completed", columns
        )
    if choice.kind in FLAT:
        column = "token" if choice.kind == EMBEDDING else "input"
        return Side("output", shape[0]), Side(column, shape[1])
    size = choice.input_size
    assert size is not None
    if what == "layer":
        stand_in = np.broadcast_to(np.float32(0), shape)
        operator = layer_operator(stand_in, choice.layer.geometry, size)
        (outputs, *out_positions), (inputs, *in_positions) = (
            operator.output_shape,
            operator.input_shape,
        )
        return (
            Side("output", outputs, tuple(out_positions)),
            Side("input", inputs, tuple(in_positions)),
        )
    if what == "C_M-square":
        return Side("output, completed", None, size), Side("input", None, size)
    valid = tuple(n - k + 1 for n, k in zip(size, shape[2:], strict=True))
    return Side("output", None, valid), Side("input", None, size)
