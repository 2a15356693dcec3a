"""The summed loss for each kind of target."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from infoflow.capture.batches import Batch
from infoflow.capture.losses import summed_loss
from infoflow.errors import CaptureError

INPUTS = (torch.zeros(4, 1),)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_classification() -> None:
    logits, labels = normal(4, 3), torch.tensor([0, 1, 2, 1])
    wanted = -functional.log_softmax(logits, 1)[torch.arange(4), labels].sum()
    assert torch.allclose(summed_loss({"logits": logits}, Batch(INPUTS, labels)), wanted)


def test_segmentation_has_classes_first() -> None:
    logits, masks = normal(4, 3, 5, 5), torch.randint(0, 3, (4, 5, 5))
    wanted = functional.cross_entropy(logits, masks, reduction="sum")
    assert torch.allclose(summed_loss(logits, Batch(INPUTS, masks)), wanted)


@pytest.mark.parametrize("classes", [7, 5])
def test_tokens_have_classes_last_and_padding_does_not_count(classes: int) -> None:
    logits, ids = normal(4, 5, classes), torch.randint(0, classes, (4, 5))
    mask = torch.arange(5) < torch.tensor([5, 3, 1, 4])[:, None]
    wanted = functional.cross_entropy(logits[mask], ids[mask], reduction="sum")
    assert torch.allclose(summed_loss(logits, Batch(INPUTS, ids, mask)), wanted)


def test_tokens_are_foretold_from_the_position_before() -> None:
    logits, ids = normal(2, 4, 6), torch.tensor([[1, 2, 3, 4], [5, 0, 0, 0]])
    mask = ids > 0
    log_p = functional.log_softmax(logits, 2)
    wanted = -(log_p[0, 0, 2] + log_p[0, 1, 3] + log_p[0, 2, 4])
    assert torch.allclose(summed_loss(logits, Batch((ids,), ids, mask)), wanted)


def test_probabilities_are_not_taken_for_logits() -> None:
    logits, labels = normal(4, 3), torch.tensor([0, 1, 2, 1])
    found = summed_loss(logits.softmax(1), Batch(INPUTS, labels))
    assert torch.allclose(found, functional.cross_entropy(logits, labels, reduction="sum"))


def test_one_logit() -> None:
    logits, labels = normal(4, 1), torch.tensor([0, 1, 1, 0])
    wanted = functional.softplus(torch.where(labels == 1, -logits[:, 0], logits[:, 0])).sum()
    assert torch.allclose(summed_loss(logits, Batch(INPUTS, labels)), wanted)


def test_regression() -> None:
    output, targets = normal(4, 1), torch.linspace(0, 1, 4)
    wanted = 0.5 * (output[:, 0] - targets).square().sum()
    for shaped in (output, output[:, 0]):
        assert torch.allclose(summed_loss(shaped, Batch(INPUTS, targets)), wanted)


def test_without_labels_the_own_class() -> None:
    logits = normal(4, 3)
    wanted = functional.cross_entropy(logits, logits.argmax(1), reduction="sum")
    assert torch.allclose(summed_loss(logits, Batch(INPUTS)), wanted)


def test_half_precision_is_summed_in_single() -> None:
    loss = summed_loss(normal(4, 3).half(), Batch(INPUTS, torch.tensor([0, 1, 2, 1])))
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    ("output", "targets", "message"),
    [
        (normal(4, 3), torch.tensor([0, 1, 2, 3]), "Labels go from 0 to 3, but .* 3 classes"),
        (normal(4, 3), torch.tensor([0, -1, 2, 1]), "Labels go from -1 to 2"),
        (normal(4, 3, 5), torch.zeros(4, dtype=torch.long), "do not fit each other"),
        (normal(4, 3), normal(4, 2), "do not fit each other"),
        (torch.zeros(4, 3, dtype=torch.long), None, "no floating-point tensor"),
        (normal(4), None, "one number a sample"),
    ],
)
def test_misfits(output, targets, message) -> None:
    with pytest.raises(CaptureError, match=message):
        summed_loss(output, Batch(INPUTS, targets))
