"""Every loss, in one table."""

from __future__ import annotations

from infoflow.losses.loss import Loss, Setting

_FORM = ("log", "inverse", "geometric")
_EPSILON = Setting(1e-3, "ε of the forms `inverse` and `geometric`", low=0.0)
_EVERY = Setting(1, "look at every so many steps only, with so many times the strength", low=1)
_SUM = "λ > 0 raises the entropy of what leaves the layers, λ < 0 lowers it"

_ALL = (
    Loss(
        name="dense",
        summary="−Σ log|det W| of the square part of dense weights, or 1/(|det|+ε) in two forms",
        sign=_SUM,
        layers="dense, attention's projections",
        source="ENT eq. 14 and its published replacement; its geometric-mean form is ours",
        needs_activations=False,
        term="infoflow.losses.terms.dense:Dense",
        settings={
            "form": Setting(
                "log",
                "log: eq. 14; inverse: as published, inert beyond a few dozen units; geometric: "
                "1/(|det|^(1/k)+ε)",
                _FORM,
            ),
            "epsilon": _EPSILON,
            "every": _EVERY,
        },
    ),
    Loss(
        name="conv",
        summary="−Σ log|c₁₁| of every slice of convolution kernels, or Σ 1/(|c₁₁|+ε)",
        sign=_SUM,
        layers="convolutions",
        source="ENT eq. 16, §5.1 (there on the first layer only: `:first`)",
        needs_activations=False,
        term="infoflow.losses.terms.conv:Conv",
        settings={
            "form": Setting("log", "log: eq. 16; inverse: 1/(|c₁₁|+ε)", ("log", "inverse")),
            "epsilon": Setting(1e-3, "ε of the form `inverse`", low=0.0),
            "channels": Setting("all", "output channels, such as 0-15+20"),
            "every": _EVERY,
        },
    ),
    Loss(
        name="block",
        summary="−Σ log|det W₁₁| of the matrix at the kernel's corner, the layer's own corner",
        sign=_SUM,
        layers="convolutions",
        source="ENT's argument for eq. 10 with channels as blocks",
        needs_activations=False,
        term="infoflow.losses.terms.block:Block",
        settings={"every": _EVERY},
    ),
    Loss(
        name="log-volume",
        summary="−Σ of the exact log-volume (of a convolution: a position), which the others "
        "stand for",
        sign=_SUM,
        layers="dense, convolutions, attention's projections",
        source="½ log det(WWᵀ); Szegő's density on a frequency grid (Sedghi, Gupta, Long 2019)",
        needs_activations=False,
        term="infoflow.losses.terms.log_volume:LogVolume",
        settings={
            "grid": Setting(8, "frequencies along each axis of a convolution", low=1),
            "every": _EVERY,
        },
    ),
    Loss(
        name="batch-entropy",
        summary="task · (1 + β · mean over layers of (H − max(α_min, |α|))²), α learned",
        sign="β > 0 draws each layer's batch-entropy to its own α",
        layers="dense, convolutions, attention; inputs of dense ones; residual blocks",
        source="LBE eqs. 3 to 6; the published code under its own conventions",
        needs_activations=True,
        term="infoflow.losses.terms.batch_entropy:BatchEntropy",
        settings={
            "alpha": Setting(0.5, "α at the start"),
            "alpha-min": Setting(0.2, "least target of H, in nats", low=0.0),
            "convention": Setting(
                "paper",
                "paper: outputs of layers; code-fnn: what enters hidden layers; code-resnet: "
                "outputs of residual blocks (both with πe and the unbiased variance)",
                ("paper", "code-fnn", "code-resnet"),
            ),
            "unit": Setting(
                "position",
                "position: each channel at each position is a unit; channel: positions count as "
                "samples",
                ("position", "channel"),
            ),
        },
    ),
    Loss(
        name="confidence-penalty",
        summary="−λ H(q): the mean entropy of the network's own output distribution is rewarded",
        sign="λ > 0 makes outputs less certain, λ < 0 more",
        layers="the network's output, logits",
        source="Pereyra et al. 2017; λ·KL(q‖u), label smoothing has KL(u‖q): not equivalent",
        needs_activations=False,
        term="infoflow.losses.terms.confidence_penalty:ConfidencePenalty",
        settings={},
    ),
    Loss(
        name="information-bottleneck",
        summary="I(X;T) − β I(T;Y), mean over layers, by differentiable kernel estimators, in bits",
        sign="λ > 0 squeezes the input out of T and keeps the labels in it",
        layers="as batch-entropy's `paper`",
        source="Tishby et al.; quadratic Rényi information without diagonal, or REN's functional",
        needs_activations=True,
        term="infoflow.losses.terms.information_bottleneck:InformationBottleneck",
        settings={
            "beta": Setting(1.0, "weight of I(T;Y)"),
            "estimator": Setting(
                "quadratic",
                "quadratic: I₂; cauchy-schwarz: I_CS; renyi: matrix-based, with the diagonal",
                ("quadratic", "cauchy-schwarz", "renyi"),
            ),
            "order": Setting(1.01, "α of the estimator `renyi`", low=0.0),
            "sigma": Setting(
                "half-median",
                "rule of the bandwidth, or σ; no gradient flows through it",
                words=True,
            ),
        },
    ),
    Loss(
        name="variational-bottleneck",
        summary="Σ KL(q(z|x) ‖ N(0, I)) of the model's VariationalBottleneck layers, in nats",
        sign="λ > 0 lowers the bound on I(X;Z)",
        layers="infoflow.losses.variational.VariationalBottleneck",
        source="Alemi et al. 2017, eq. 17 (their β)",
        needs_activations=True,
        term="infoflow.losses.terms.variational_bottleneck:VariationalBottleneckTerm",
        settings={},
    ),
    Loss(
        name="elbo",
        summary="KL(q(W) ‖ prior) of mean-field Gaussian layers over the number of samples",
        sign="λ = 1 is the evidence lower bound; less tempers it",
        layers="infoflow.losses.variational.MeanFieldLinear, MeanFieldConv",
        source="Blundell et al. 2015; the Gaussian KL in closed form",
        needs_activations=False,
        term="infoflow.losses.terms.elbo:Elbo",
        settings={"samples": Setting(1, "number of training samples", low=1)},
    ),
)

LOSSES: dict[str, Loss] = {loss.name: loss for loss in _ALL}
"""Every loss by its stable name."""
