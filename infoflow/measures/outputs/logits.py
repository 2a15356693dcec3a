"""From what a network returns to log-probabilities (n, classes, …)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from infoflow.data.batch import IGNORED
from infoflow.errors import DataError
from infoflow.words import counted, shape_text

_KEYS = ("logits", "out", "output")


def logits_of(output: Any) -> Tensor:
    """The tensor of logits in what a network returned.

    A tensor itself; of a dictionary or an object the entry ``logits``, ``out`` or ``output``, or
    the only tensor; of a tuple the first.

    Raises:
        DataError: There is no such tensor.
    """
    if isinstance(output, Tensor):
        return output
    named = output if isinstance(output, Mapping) else getattr(output, "__dict__", {})
    for key in _KEYS:
        if isinstance(named.get(key), Tensor):
            found: Tensor = named[key]
            return found
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        return output[0]
    tensors = [one for one in named.values() if isinstance(one, Tensor)]
    if len(tensors) == 1:
        return tensors[0]
    raise DataError(
        f"the network returns a {type(output).__name__} in which no tensor is called logits, out "
        "or output: nothing can be said of its outputs."
    )


def log_probabilities(logits: Tensor) -> Tensor:
    """Logarithms of the classes' probabilities, in float64, of logits (n, classes, …).

    One logit is that of the second of two classes (a sigmoid's). What already sums to 1 over the
    classes and is nowhere negative is taken for probabilities.
    """
    values = logits.to(torch.float64)
    if values.ndim < 2:
        raise DataError(
            f"outputs of the shape {shape_text(tuple(values.shape))} are no logits (n, classes, …)."
        )
    if values.shape[1] == 1:
        values = torch.cat([torch.zeros_like(values), values], dim=1)
    elif are_probabilities(values):
        return values.log()
    return values.log_softmax(dim=1)


def are_probabilities(values: Tensor) -> bool:
    """Whether outputs (n, classes, …) are probabilities already, to five digits."""
    with torch.no_grad():
        sums = values.sum(dim=1)
        return bool((values >= 0).all() and ((sums - 1).abs() < 1e-5).all())


def next_token(logits: Tensor, tokens: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Logits (n, vocabulary, length − 1) and the tokens (n, length − 1) that they foretell.

    Args:
        logits: (n, length, vocabulary) of a causal language model.
        tokens: (n, length).
        mask: (n, length), True where a token counts; the others become ``IGNORED``.
    """
    following = tokens[:, 1:]
    if mask is not None:
        following = following.masked_fill(~(mask[:, 1:].bool() & mask[:, :-1].bool()), IGNORED)
    return logits[:, :-1].movedim(2, 1), following


def check_labels(targets: Tensor, log_q: Tensor) -> None:
    """Refuses labels that a network of these outputs cannot give.

    Raises:
        DataError: They do not lie at the outputs' positions, or one is none of the classes.
    """
    positions = (log_q.shape[0], *log_q.shape[2:])
    if targets.shape != positions:
        raise DataError(
            f"the network gives an answer for each of {shape_text(positions)} positions (the first "
            f"counts samples), and the data have labels for {shape_text(tuple(targets.shape))}."
        )
    classes = log_q.shape[1]
    wrong = targets[(targets != IGNORED) & ((targets < 0) | (targets >= classes))]
    if len(wrong):
        raise DataError(
            f"the data have the label {int(wrong[0])}, and the network has "
            f"{counted(classes, 'output')} (labels 0 to {classes - 1}): these are not the classes "
            "that it was trained on, or its labels begin at 1."
        )
