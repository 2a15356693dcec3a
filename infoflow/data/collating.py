"""Batches of somebody else's, in any of the usual forms, put together into one.

A batch is a tensor; a tuple of inputs and at last the targets; or a dictionary, whose targets are
called ``labels``, ``label``, ``targets``, ``target`` or ``y``, and whose mask of tokens
``attention_mask`` or ``mask``. Arrays of numpy count as tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from infoflow.data.batch import IGNORED, Batch, combined
from infoflow.errors import DataError
from infoflow.words import counted, cut, shape_text

TARGETS = ("labels", "label", "targets", "target", "y")
MASKS = ("attention_mask", "mask")
FIRST = ("pixel_values", "images", "image", "input_ids", "inputs_embeds", "inputs", "input", "x")
"""Names that X has in a dictionary of several inputs, the likeliest first."""


def as_batch(item: Any, where: str) -> Batch:
    """One batch of whatever form.

    Raises:
        DataError: It holds something else than tensors, or tensors of different lengths.
    """
    if isinstance(item, Mapping):
        return _of_mapping(item, where)
    if isinstance(item, (tuple, list)):
        if not item:
            raise DataError(f"{where} is empty.")
        *inputs, targets = item if len(item) > 1 else (*item, None)
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            batch = _of_mapping(inputs[0], where)
            return _batch(batch.inputs, _targets(targets, where), batch.mask, where)
        if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
            inputs = list(inputs[0])
        tensors = tuple(_tensor(one, where) for one in inputs)
        return _batch(tensors, _targets(targets, where), None, where)
    return _batch((_tensor(item, where),), None, None, where)


def _of_mapping(item: Mapping[str, Any], where: str) -> Batch:
    target = next((name for name in TARGETS if name in item), None)
    mask = next((name for name in MASKS if name in item), None)
    named = {str(n): _tensor(v, f"{where}, {n!r}") for n, v in item.items() if n != target}
    if not named.keys() - {mask}:
        raise DataError(f"{where} has no inputs; it has {', '.join(map(repr, item))}.")
    # One input goes by position: its name in the data need not be the model's.
    inputs = named if len(named) > 1 else tuple(named.values())
    targets = _targets(item[target], where) if target is not None else None
    return _batch(inputs, targets, named[mask].bool() if mask else None, where)


def _batch(
    inputs: tuple[Tensor, ...] | dict[str, Tensor],
    targets: Tensor | None,
    mask: Tensor | None,
    where: str,
) -> Batch:
    named = inputs if isinstance(inputs, dict) else dict(enumerate(inputs))
    parts = [*named.values(), *(one for one in (targets,) if one is not None)]
    lengths = {len(part) if part.ndim else -1 for part in parts}
    if len(lengths) > 1 or -1 in lengths:
        shapes = ", ".join(shape_text(tuple(part.shape)) for part in parts)
        raise DataError(f"{where}: its tensors do not count the same samples ({shapes}).")
    return Batch(inputs, targets, mask, x_key(inputs))


def x_key(inputs: tuple[Tensor, ...] | dict[str, Tensor]) -> Any:
    """Which of the inputs is X: by name, else the first with floats, else the first."""
    if isinstance(inputs, dict):
        likely = next((name for name in FIRST if name in inputs), None)
        if likely is not None:
            return likely
    items = list(inputs.items() if isinstance(inputs, dict) else enumerate(inputs))
    return next((key for key, value in items if value.is_floating_point()), items[0][0])


def _tensor(value: Any, where: str) -> Tensor:
    if not isinstance(value, (Tensor, np.ndarray)):
        raise DataError(f"{where} holds a {type(value).__name__}, where a tensor is needed.")
    tensor = torch.as_tensor(value).detach().cpu()
    if tensor.dtype == torch.uint8 and tensor.ndim > 2:
        raise DataError(
            f"{where} holds bytes of the shape {shape_text(tuple(tensor.shape))}: give floats as "
            "the network takes them, or pictures as npz:PATH or folder:PATH."
        )
    return at_least_single(tensor) if tensor.is_floating_point() else tensor


def _targets(value: Any, where: str) -> Tensor | None:
    if value is None:
        return None
    try:
        targets = torch.as_tensor(value).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"{where}: its targets are a {type(value).__name__}, no tensor.") from None
    if targets.ndim == 2 and targets.shape[1] == 1 and not targets.is_floating_point():
        targets = targets[:, 0]
    return at_least_single(targets) if targets.is_floating_point() else targets.to(torch.int64)


def at_least_single(tensor: Tensor) -> Tensor:
    """Half precision as single; double stays, for a run in double precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def together(batches: Sequence[Batch], where: str) -> Batch:
    """All samples of batches of one form as one batch; tokens are padded to the longest.

    Raises:
        DataError: The batches differ in form, or in shape where no mask tells what is padding.
    """
    forms = {_form(batch): None for batch in batches}
    if len(forms) > 1:
        raise DataError(f"{where}: its batches have different forms ({cut(list(forms), 3)}).")
    masked = batches[0].mask is not None

    def join(tensors: Sequence[Tensor], role: str) -> Tensor:
        if len({tensor.shape[1:] for tensor in tensors}) > 1:
            if not masked or any(tensor.ndim != 2 for tensor in tensors):
                shapes = [shape_text(tuple(tensor.shape)) for tensor in tensors]
                raise DataError(
                    f"{where}: samples of different shapes ({cut(shapes, 3)}); only tokens with an "
                    "attention_mask are padded."
                )
            longest = max(tensor.shape[1] for tensor in tensors)
            filler = IGNORED if role == "targets" else 0
            tensors = [pad(one, (0, longest - one.shape[1]), value=filler) for one in tensors]
        return torch.cat(list(tensors))

    return combined(batches, join)


def _form(batch: Batch) -> str:
    if isinstance(batch.inputs, dict):
        inputs = ", ".join(batch.inputs)
    else:
        inputs = counted(len(batch.inputs), "input")
    return f"{inputs}{' and targets' if batch.targets is not None else ''}"
