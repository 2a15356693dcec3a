"""Error signals: gradients of a loss with respect to many tensors inside a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from infoflow.errors import CaptureError, first_line

Key = TypeVar("Key")

_SCALES = (2.0**16, 2.0**12, 2.0**8, 2.0**4, 1.0)
_HALF = (torch.float16, torch.bfloat16)


def site_gradients(loss: Tensor, edges: Mapping[Key, GradientEdge]) -> dict[Key, Tensor]:
    """The gradient of ``loss`` at each edge of the autograd graph that it depends on.

    An edge is a tensor as it was at one time: the gradient is right although the tensor was
    changed in place later. Where a gradient is of float16, the loss is multiplied by the largest
    of a few powers of two at which no gradient overflows, and divided out in float32: samples
    that are nearly right have gradients below float16's smallest number.

    Raises:
        CaptureError: The loss is attached to no autograd graph, or backward fails.
    """
    if not loss.requires_grad:
        raise CaptureError("The loss does not depend on the network by a path autograd follows.")
    if not edges:
        return {}
    with torch.enable_grad():
        found = _gradients(loss, edges)
        if any(gradient.dtype == torch.float16 for gradient in found.values()):
            found = _scaled(loss, edges)
    return {key: g.float() if g.dtype in _HALF else g for key, g in found.items()}


def _scaled(loss: Tensor, edges: Mapping[Key, GradientEdge]) -> dict[Key, Tensor]:
    for scale in _SCALES:
        found = {k: g.float() / scale for k, g in _gradients(loss * scale, edges).items()}
        if all(bool(gradient.isfinite().all()) for gradient in found.values()):
            break
    return found


def _gradients(loss: Tensor, edges: Mapping[Key, GradientEdge]) -> dict[Key, Tensor]:
    try:
        gradients = torch.autograd.grad(
            loss, list(edges.values()), retain_graph=True, allow_unused=True
        )
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # such as a tensor that backward needs, changed in place
        raise CaptureError(f"The network cannot be run backwards: {first_line(error)}") from error
    pairs = zip(edges, gradients, strict=True)
    return {key: gradient.detach() for key, gradient in pairs if gradient is not None}
