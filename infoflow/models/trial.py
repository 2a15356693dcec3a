"""The first run of a network on data: where the two do not fit, one sentence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from infoflow.data.batch import Batch
from infoflow.errors import DataError, first_line
from infoflow.words import joined, shape_text


def first_run(module: nn.Module, batch: Batch) -> Any:
    """What the module makes of a batch, without gradients.

    Raises:
        DataError: It does not take such inputs; says their shapes and what torch says.
        torch.OutOfMemoryError: As it is, for whoever can take smaller pieces.
    """
    try:
        with torch.no_grad():
            return batch.call(module)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a network's own code raises
        raise DataError(
            f"the network does not take {_inputs(batch)} ({type(error).__name__}: "
            f"{first_line(error)}): say its input size with --input-size, or give data of the "
            "shape that it was trained on."
        ) from error


def _inputs(batch: Batch) -> str:
    if isinstance(batch.inputs, dict):
        return joined([f"{name} of {_shape(one)}" for name, one in batch.inputs.items()])
    return "inputs of " + joined([_shape(one) for one in batch.inputs])


def _shape(tensor: Tensor) -> str:
    shape = shape_text(tuple(tensor.shape[1:])) if tensor.ndim > 1 else "one number"
    return f"{shape} ({str(tensor.dtype).removeprefix('torch.')})"
