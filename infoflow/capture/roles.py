"""What modules and functions do to a signal: the table of those that make sites."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

LINEAR, NONLINEARITY, POOLING = "linear map", "nonlinearity", "pooling"
NORMALISATION, ATTENTION, EMBEDDING = "normalisation", "attention", "embedding"
RECURRENT, CONTAINER, OTHER = "recurrent", "container", "other"

_NAMES = {
    LINEAR: """linear bilinear conv1d conv2d conv3d conv_transpose1d conv_transpose2d
        conv_transpose3d""",
    NONLINEARITY: """relu relu6 elu selu celu gelu silu mish leaky_relu prelu rrelu hardtanh
        hardswish hardsigmoid sigmoid logsigmoid tanh softplus softsign tanhshrink hardshrink
        softshrink threshold glu softmax log_softmax softmin sin clamp clamp_min""",
    POOLING: """max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
        max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
        adaptive_max_pool3d lp_pool1d lp_pool2d lp_pool3d fractional_max_pool2d
        fractional_max_pool3d""",
    NORMALISATION: "batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm",
    ATTENTION: "scaled_dot_product_attention multi_head_attention_forward",
    EMBEDDING: "embedding embedding_bag",
}
FUNCTIONS = {name: role for role, names in _NAMES.items() for name in names.split()}
"""Role of a function of torch, by its name without underscores."""

PRODUCTS = {"matmul", "rmatmul", "mm", "addmm", "bmm", "einsum"}
"""Functions that are linear maps where one factor is a parameter."""

ESCAPES = {"numpy", "tolist", "array"}
"""Methods that take a tensor's numbers out of torch, unseen by the dispatcher."""

MEANS = {"mean", "amax"}
"""Functions that are pooling where they leave one vector a sample."""

MODULES: tuple[tuple[str, tuple[type[nn.Module], ...]], ...] = (
    (LINEAR, (_ConvNd, nn.Linear, nn.Bilinear)),
    (RECURRENT, (nn.RNNBase, nn.RNNCellBase)),
    (EMBEDDING, (nn.Embedding, nn.EmbeddingBag)),
    (ATTENTION, (nn.MultiheadAttention,)),
    (NORMALISATION, (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)),
)
"""Role of a module, by its class; pooling and nonlinearities are told by torch's own files."""

SAME_VALUES = (nn.Identity, nn.modules.dropout._DropoutNd, nn.Flatten, nn.Unflatten)
"""Modules that, in evaluation mode, hand on the values they were given: no sites."""


def function_name(function: object) -> str:
    """Name of a function or method of torch, the same for all its forms.

    >>> import torch
    >>> [function_name(f) for f in (torch.relu, torch.relu_, torch.Tensor.relu)]
    ['relu', 'relu', 'relu']
    """
    return str(getattr(function, "__name__", "")).strip("_")


def module_role(module: nn.Module) -> str | None:
    """Role of a module of a known class, None where its class does not say."""
    for role, kinds in MODULES:
        if isinstance(module, kinds):
            return role
    homes = {kind.__module__ for kind in type(module).__mro__}
    if "torch.nn.modules.pooling" in homes:
        return POOLING
    if "torch.nn.modules.activation" in homes:
        return NONLINEARITY
    return None
