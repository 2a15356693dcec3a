"""From what a network returns to log-probabilities (n, classes, …)."""

from __future__ import annotations

import torch
from torch import Tensor

from infoflow.capture.batches import IGNORED
from infoflow.capture.losses import Form
from infoflow.capture.nesting import main_output
from infoflow.errors import DataError
from infoflow.words import counted, shape_text


def logits_of(output: object) -> Tensor:
    """The tensor that a network is read by, see `infoflow.capture.nesting.main_output`.

    Raises:
        DataError: There is no such tensor.
    """
    found = main_output(output)
    if found is None or not found.is_floating_point():
        raise DataError(
            f"the network returns a {type(output).__name__} in which there is no tensor of floats: "
            "nothing can be said of its outputs."
        )
    return found


def log_probabilities(values: Tensor, form: Form = "logits") -> Tensor:
    """Logarithms of the classes' probabilities (n, classes, …), in float64.

    Args:
        values: Logits or probabilities (n, classes, …); one number a position (n, …) is that of
            the second of two classes.
        form: Which of them; ``numbers`` are none.
    """
    values = values.to(torch.float64)
    if form == "one logit":
        return torch.stack([torch.zeros_like(values), values], dim=1).log_softmax(dim=1)
    if form == "one probability":
        values = torch.stack([1 - values, values], dim=1)
    if form in ("probabilities", "one probability"):
        # In half precision they sum to 1 only roughly.
        values = values.clamp(min=0)
        return (values / values.sum(dim=1, keepdim=True)).log()
    if values.ndim < 2:
        raise DataError(
            f"outputs of the shape {shape_text(tuple(values.shape))} are no logits (n, classes, …)."
        )
    return values.log_softmax(dim=1)


def are_probabilities(values: Tensor, precision: torch.dtype = torch.float32) -> bool:
    """Whether values (n, classes, …) are probabilities already.

    Args:
        values: Of a few samples.
        precision: Of the network's run: the sums are 1 to four of its roundings, or to 1e-5.
    """
    near = max(1e-5, 4 * torch.finfo(precision).eps)
    with torch.no_grad():
        exact = values.to(torch.float32)
        return bool((exact >= 0).all() and ((exact.sum(dim=1) - 1).abs() < near).all())


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


def check_labels(targets: Tensor, positions: tuple[int, ...], classes: int, start: int = 0) -> None:
    """Refuses labels that a network of these outputs cannot give.

    Args:
        targets: Labels, ``IGNORED`` where one does not count.
        positions: Shape of the network's answers, the samples first.
        classes: That it tells apart.
        start: Number of the first sample in the data, from 0.

    Raises:
        DataError: They do not lie at the outputs' positions, or one is none of the classes.
    """
    if tuple(targets.shape) != tuple(positions):
        raise DataError(
            f"the network gives an answer for each of {shape_text(positions)} positions (the first "
            f"counts samples), and the data have labels for {shape_text(tuple(targets.shape))}."
        )
    wrong = (targets != IGNORED) & ((targets < 0) | (targets >= classes))
    if bool(wrong.any()):
        first = wrong.nonzero()[0]
        raise DataError(
            f"the data have the label {int(targets[tuple(first)])} (sample "
            f"{start + int(first[0]) + 1} of those drawn), and the network has "
            f"{counted(classes, 'output')} (labels 0 to {classes - 1}): these are not the "
            "classes that it was trained on, or its labels begin at 1."
        )
