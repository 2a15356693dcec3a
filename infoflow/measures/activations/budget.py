"""The entropy budget: what each layer of an invertible network adds to the entropy, in nats.

h(f(X)) = h(X) + E log|det J_f(X)|, and for a chain of invertible layers the log-determinants add:
weight terms log|det W|, normalisation terms Σ log|γ/√(v + ε)|, activation terms Σ log|f′(z)|.
Where a layer is not invertible there is no budget, and it is said why.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from infoflow.errors import EstimateError

Kind = Literal["weight", "normalisation", "activation", "other"]

LARGEST_JACOBIAN = 1024
"""Inputs of a layer without a closed form beyond which its Jacobian is not computed."""


@dataclass(frozen=True)
class Term:
    """What one layer adds.

    Args:
        kind: ``weight``, ``normalisation``, ``activation``, or ``other`` (by its Jacobian).
        values: (n,) log|det J| of each sample, nats, float64; None where it is not defined.
        reason: Why it is not defined; empty otherwise. −∞ among the values is a singular layer.
    """

    kind: Kind
    values: Tensor | None
    reason: str = ""

    @property
    def mean(self) -> float | None:
        """Expectation over the samples, in nats."""
        return None if self.values is None else float(self.values.detach().mean())


Slope = Callable[[nn.Module, Tensor], Tensor]

UNDEFINED: Mapping[type[nn.Module], tuple[Kind, str]] = {
    nn.ReLU: ("activation", "a ReLU maps all negative values to 0"),
    nn.ReLU6: ("activation", "a ReLU6 is flat outside of 0 to 6"),
    nn.Hardtanh: ("activation", "a hard tanh is flat outside of its range"),
    nn.GELU: ("activation", "a GELU takes some values twice"),
    nn.SiLU: ("activation", "a SiLU takes some values twice"),
    nn.Mish: ("activation", "a Mish takes some values twice"),
    nn.Hardswish: ("activation", "a hard swish takes some values twice"),
    nn.Softmax: ("activation", "a softmax forgets a common shift of its inputs"),
    nn.LayerNorm: ("normalisation", "a layer normalisation forgets mean and scale"),
    nn.GroupNorm: ("normalisation", "a group normalisation forgets mean and scale"),
}
"""Modules of equal input and output size that cannot be inverted, and why."""


def _tanh(module: nn.Module, z: Tensor) -> Tensor:
    # 1 − tanh² = 4·s(2z)·s(−2z), s the logistic function.
    return math.log(4) + functional.logsigmoid(2 * z) + functional.logsigmoid(-2 * z)


def _logistic(module: nn.Module, z: Tensor) -> Tensor:
    return functional.logsigmoid(z) + functional.logsigmoid(-z)


def _softplus(module: nn.Module, z: Tensor) -> Tensor:
    return functional.logsigmoid(_number(module, "beta") * z)


def _leaky(module: nn.Module, z: Tensor) -> Tensor:
    return torch.where(z > 0, 0 * z, _log(_number(module, "negative_slope")))


def _elu(module: nn.Module, z: Tensor) -> Tensor:
    return torch.where(z > 0, 0 * z, z + _log(_number(module, "alpha")))


def _falls(module: nn.LeakyReLU | nn.ELU) -> bool:
    """Whether two inputs, one on each side of 0, give the same output."""
    return _number(module, "negative_slope" if isinstance(module, nn.LeakyReLU) else "alpha") < 0


def _identity(module: nn.Module, z: Tensor) -> Tensor:
    return torch.zeros_like(z)


SLOPES: Mapping[type[nn.Module], Slope] = {
    nn.Tanh: _tanh,
    nn.Sigmoid: _logistic,
    nn.LogSigmoid: lambda module, z: functional.logsigmoid(-z),
    nn.Softplus: _softplus,
    nn.LeakyReLU: _leaky,
    nn.ELU: _elu,
    nn.Identity: _identity,
    nn.Flatten: _identity,
    nn.Dropout: _identity,
}
"""log|f′(z)| elementwise, in evaluation mode; not by way of f′, which underflows."""


def term(module: nn.Module, z: Tensor) -> Term:
    """What one layer in evaluation mode and in float64 adds, at inputs z (n, …).

    Closed forms for square linear maps, batch normalisations and the nonlinearities of `SLOPES`;
    for any other module that keeps the number of values, the log-determinant of its Jacobian.
    """
    if type(module) in UNDEFINED:
        kind, reason = UNDEFINED[type(module)]
        return Term(kind, None, f"not defined: {reason}")
    z = z.to(torch.float64)
    if isinstance(module, nn.LeakyReLU | nn.ELU) and _falls(module):
        return Term("activation", None, "not defined: its slope below 0 is negative")
    if type(module) in SLOPES:
        return Term("activation", SLOPES[type(module)](module, z).flatten(1).sum(dim=1))
    if isinstance(module, nn.Linear):
        return _linear(module, z)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return _batch_normalisation(module, z)
    return _by_jacobian(module, z)


def budget(modules: Sequence[nn.Module], x: Tensor) -> tuple[Term, ...]:
    """The terms of a chain of layers in evaluation mode, at inputs x (n, …).

    Where all are defined their sum is log|det J| of the whole chain, sample by sample. The modules
    are used in float64, as copies.
    """
    terms = []
    value = x.to(torch.float64)
    for module in modules:
        layer = copy.deepcopy(module).to(torch.float64).eval()
        terms.append(term(layer, value))
        value = layer(value)
    return tuple(terms)


def log_determinants(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Log|det J| of a function of one sample's values, by autograd, at each of n samples.

    One determinant at a time: torch's batched LU on the CPU returns wrong numbers with several
    threads. Differentiable.

    Args:
        function: From a batch (1, …) to a batch (1, …) of as many values; float64.
        x: (n, …).

    Returns:
        (n,) nats, float64; −∞ where the Jacobian is singular.

    Raises:
        EstimateError: The function changes the number of values.
    """
    found = []
    for sample in x.to(torch.float64):
        jacobian = torch.func.jacrev(lambda one: function(one[None])[0])(sample)
        rows = jacobian.numel() // sample.numel()
        if rows != sample.numel():
            raise EstimateError(
                f"There is no log-determinant: {sample.numel()} values become {rows}."
            )
        found.append(_log_determinant(jacobian.reshape(rows, rows)))
    return torch.stack(found)


def _log_determinant(matrix: Tensor) -> Tensor:
    """Log|det| of one matrix; −∞ where its least singular value is rounding.

    LU alone would make a number of that rounding, such as −36 of a log-softmax. Rows and columns
    are brought to length 1 before: small ones are no loss of rank.
    """
    found: Tensor = torch.linalg.slogdet(matrix).logabsdet
    if not bool(matrix.isfinite().all()):
        return found
    limits = torch.finfo(matrix.dtype)
    scaled = functional.normalize(matrix.detach(), dim=1, eps=limits.tiny)
    values = torch.linalg.svdvals(functional.normalize(scaled, dim=0, eps=limits.tiny))
    tolerance = len(matrix) * limits.eps * values[0]
    lost = float(values[-1]) <= float(tolerance)
    return torch.full_like(found, -math.inf) if lost else found


def _linear(module: nn.Linear, z: Tensor) -> Term:
    rows, columns = module.weight.shape
    if rows != columns:
        return Term("weight", None, f"not defined: {columns} values become {rows}")
    each = _log_determinant(module.weight.to(torch.float64))
    positions = z[0].numel() // columns
    return Term("weight", (positions * each).expand(z.shape[0]))


def _batch_normalisation(module: nn.Module, z: Tensor) -> Term:
    variance = getattr(module, "running_var", None)
    if not isinstance(variance, Tensor):
        reason = "not defined: it normalises by the batch, so that samples depend on each other"
        return Term("normalisation", None, reason)
    gain = 1 / (variance.to(torch.float64) + _number(module, "eps")).sqrt()
    scale = getattr(module, "weight", None)
    if isinstance(scale, Tensor):
        gain = gain * scale.to(torch.float64)
    positions = z[0].numel() // gain.numel()
    return Term("normalisation", (positions * gain.abs().log().sum()).expand(z.shape[0]))


def _by_jacobian(module: nn.Module, z: Tensor) -> Term:
    values = z[0].numel()
    out = module(z[:1])
    if out.numel() != values:
        reason = f"not defined: {values} values become {out.numel()}"
        return Term("other", None, reason)
    if values > LARGEST_JACOBIAN:
        reason = f"not computed: its Jacobian has {values} × {values} entries"
        return Term("other", None, reason)
    return Term("other", log_determinants(module, z))


def _number(module: nn.Module, name: str) -> float:
    return float(getattr(module, name))


def _log(value: float) -> float:
    return math.log(abs(value)) if value else -math.inf
