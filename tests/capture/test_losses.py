"""The summed loss for each form of answer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from infoflow.capture.losses import summed_loss
from infoflow.errors import CaptureError


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_classes() -> None:
    logits, labels = normal(4, 3), torch.tensor([0, 1, -100, 1])
    counts = labels >= 0
    wanted = -functional.log_softmax(logits, 1)[counts, labels[counts]].sum()
    assert torch.allclose(summed_loss(logits, labels), wanted)
    assert torch.allclose(summed_loss(logits.softmax(1), labels, "probabilities"), wanted)
    maps, masks = normal(4, 3, 5, 5), torch.randint(0, 3, (4, 5, 5))
    wanted = functional.cross_entropy(maps, masks, reduction="sum")
    assert torch.allclose(summed_loss(maps, masks), wanted)


def test_one_number_a_position() -> None:
    logits, labels = normal(4, 2), torch.tensor([[0, 1], [1, 0], [1, -100], [0, 0]])
    signed = torch.where(labels == 1, -logits, logits)
    wanted = functional.softplus(signed)[labels >= 0].sum()
    assert torch.allclose(summed_loss(logits, labels, "one logit"), wanted)
    assert torch.allclose(summed_loss(logits.sigmoid(), labels, "one probability"), wanted)


def test_numbers() -> None:
    output, targets = normal(4, 1), torch.linspace(0, 1, 4)
    wanted = 0.5 * (output[:, 0] - targets).square().sum()
    assert torch.allclose(summed_loss(output, targets, "numbers"), wanted)


def test_without_labels_the_own_class() -> None:
    logits = normal(4, 3)
    wanted = functional.cross_entropy(logits, logits.argmax(1), reduction="sum")
    assert torch.allclose(summed_loss(logits, None), wanted)
    wanted = functional.softplus(-logits.abs()).sum()
    assert torch.allclose(summed_loss(logits, None, "one logit"), wanted)


def test_half_precision_is_summed_in_single() -> None:
    assert summed_loss(normal(4, 3).half(), torch.tensor([0, 1, 2, 1])).dtype == torch.float32


@pytest.mark.parametrize(
    ("values", "targets", "form", "message"),
    [
        (normal(4, 3, 5), torch.zeros(4, dtype=torch.long), "logits", "do not fit each other"),
        (normal(4, 3), normal(4, 2), "numbers", "do not fit each other"),
        (normal(4), torch.zeros(3), "one logit", "do not fit each other"),
        (normal(4), None, "numbers", "without targets, no loss"),
    ],
)
def test_misfits(values, targets, form, message) -> None:
    with pytest.raises(CaptureError, match=message):
        summed_loss(values, targets, form)
