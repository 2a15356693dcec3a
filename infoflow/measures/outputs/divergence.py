"""How much two networks' outputs differ.

Source: Kullback and Leibler, On information and sufficiency, 1951.
"""

from __future__ import annotations

import torch
from torch import Tensor


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p‖q) = Σ p (ln p − ln q) over the classes, in nats: (n, classes, …) to (n, …).

    0 where p is 0, ∞ where q is 0 and p is not. Not symmetric: give both orders.
    """
    p = log_p.exp()
    ratio = torch.where(p > 0, log_p - log_q, torch.zeros_like(log_p))
    return (p * ratio).sum(dim=1)
