"""Error signals δ as variables: each sample's direction, and its magnitude apart.

Once a network is trained most samples' errors are nearly zero, and δ as it is says little but
"large or small". δ is the gradient of the summed loss with respect to a layer's output.
"""

from __future__ import annotations

import torch
from torch import Tensor


def directions(errors: Tensor) -> Tensor:
    """δ/‖δ‖ of each sample (n, …), float64; a sample without error stays 0."""
    flat = errors.to(torch.float64).flatten(1)
    # By the largest entry first: squares of errors below 1e-154 vanish in float64.
    largest = flat.abs().amax(dim=1, keepdim=True)
    flat = flat / torch.where(largest == 0, 1.0, largest)
    length = flat.norm(dim=1, keepdim=True)
    return (flat / torch.where(length == 0, 1.0, length)).reshape(errors.shape)


def log_magnitudes(errors: Tensor) -> Tensor:
    """ln‖δ‖ of each sample (n,), float64; −∞ without error: such samples have no distance.

    Leave them out (`silent`) before a kernel is made of these.
    """
    if errors.dtype != torch.float64:  # whose squares do not vanish in float64
        norms: Tensor = torch.linalg.vector_norm(errors.flatten(1), dim=1, dtype=torch.float64)
        return norms.log()
    flat = errors.flatten(1)
    largest = flat.abs().amax(dim=1)
    scale = torch.where(largest == 0, 1.0, largest)
    length: Tensor = (flat / scale[:, None]).norm(dim=1)
    return scale.log() + length.log()


def silent(errors: Tensor) -> Tensor:
    """(n,) whether a sample's error is exactly 0."""
    return (errors == 0).flatten(1).all(dim=1)
