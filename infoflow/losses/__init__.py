"""Entropy-based losses for anybody's training loop, over an unmodified model.

>>> from infoflow.losses import EntropyLoss  # doctest: +SKIP
>>> entropy = EntropyLoss(model, "conv=0.01:first", "batch-entropy=0.2")  # doctest: +SKIP
>>> loss = entropy(task_loss)  # after each forward pass  # doctest: +SKIP

Every loss stands in the table `LOSSES`: where one is added. The table needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from infoflow.losses.catalogue import LOSSES
from infoflow.losses.grammar import LossRequest, read
from infoflow.losses.loss import Loss, Setting

if TYPE_CHECKING:
    from infoflow.losses.entropy_loss import EntropyLoss as EntropyLoss
    from infoflow.losses.strengths import find_lambda as find_lambda
    from infoflow.losses.strengths import gradient_shares as gradient_shares

_TORCH = {
    "EntropyLoss": "infoflow.losses.entropy_loss",
    "find_lambda": "infoflow.losses.strengths",
    "gradient_shares": "infoflow.losses.strengths",
}

__all__ = [
    "LOSSES",
    "EntropyLoss",
    "Loss",
    "LossRequest",
    "Setting",
    "find_lambda",
    "gradient_shares",
    "read",
]


def __getattr__(name: str) -> object:
    if name in _TORCH:
        return getattr(import_module(_TORCH[name]), name)
    raise AttributeError(f"module 'infoflow.losses' has no attribute {name!r}")
