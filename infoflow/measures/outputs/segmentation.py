"""Labels a position: the confusion matrix and the mean intersection over union.

Source: Everingham et al., The Pascal visual object classes challenge, 2010, §4.4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def confusion_matrix(predictions: Tensor, targets: Tensor, classes: int) -> Tensor:
    """How often each class (row) is taken for each (column): (classes, classes), int64, CPU.

    Matrices add up: that of two sets of positions together is the sum of theirs.

    Args:
        predictions: Classes, of any shape.
        targets: Likewise; those that do not count are left out beforehand.
        classes: Their number.
    """
    pairs = (targets * classes + predictions).flatten().cpu()
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def mean_iou(confusion: Tensor) -> float:
    """Mean over classes of |target ∩ prediction| / |target ∪ prediction|.

    Classes that are neither a target nor predicted anywhere are left out; NaN where all are.
    """
    both = confusion.diagonal().to(torch.float64)
    either = confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diagonal()
    return float((both / either)[either > 0].mean())
