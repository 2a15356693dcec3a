"""What the measures of activations are, in words; a run on data computes them all."""

from __future__ import annotations

LBE = "Layerwise batch-entropy regularization (LBE), eqs. 2-6"
REN = "Yu, Jenssen, Principe, Understanding CNNs with information theory (REN); matrix-based Rényi"
BEFORE = "change of the ratio to the ceiling from the site before"
AFTER = "change of the ratio to the ceiling from the site after"
QUADRATIC = "quadratic Rényi entropies without diagonal; Principe, Information Theoretic Learning"

_SUFFIXES = {
    ".null": ("null", "what the same figure is when the samples of one side are permuted"),
    ".above-null": ("above null", "the figure less its null"),
    ".ceiling": ("ceiling", "½(I₂(X;X) + I₂(T;T)), which it does not exceed"),
    ".ratio": ("I over ceiling", "the figure over its ceiling: what compares layers"),
}
_INFORMATION = {
    "mutual-information.input": ("I(X;T)", "of the input, visible at the kernel's resolution"),
    "mutual-information.label": ("I(T;Y)", "of the label, visible at the kernel's resolution"),
    "mutual-information.error": ("I(δ_L;δ)", "of the last error signal, by direction"),
    "mutual-information.error.magnitude": (
        "I(‖δ_L‖;‖δ‖)",
        "of the last error signal's magnitude, both as ln‖δ‖",
    ),
    "mutual-information.error.raw": (
        "I(δ_L;δ) raw",
        "of the last error signal, neither direction nor magnitude taken apart",
    ),
}


def _of_information() -> dict[str, tuple[str, str, str, str]]:
    found = {}
    for name, (symbol, words) in _INFORMATION.items():
        found[name] = (symbol, "bits", f"information of a site {words}", f"{QUADRATIC}; {REN}")
        for suffix, (sign, summary) in _SUFFIXES.items():
            unit = "share" if suffix == ".ratio" else "bits"
            found[name + suffix] = (f"{symbol} {sign}", unit, summary, QUADRATIC)
    return found


ACTIVATIONS: dict[str, tuple[str, str, str, str]] = {
    "accuracy": ("accuracy", "share", "right answers on the data", "Wilson's interval"),
    "negative-log-likelihood": ("NLL", "nats", "mean −ln q of the target", "Shannon 1948"),
    "calibration-error": (
        "ECE", "share", "mean gap between confidence and accuracy, 15 bins", "Guo et al. 2017"),
    "predictive-entropy": ("H(q)", "nats", "entropy of the predicted classes", "Shannon 1948"),
    "expected-entropy": (
        "E H(q_k)", "nats", "mean entropy of an ensemble's members", "Depeweg et al. 2018, eq. 4"),
    "disagreement": (
        "I(y;k)", "nats", "entropy of the mean less the mean entropy of an ensemble's members",
        "Depeweg et al. 2018, eq. 4"),
    "kl-divergence": (
        "KL(p‖q)", "nats", "of two networks' outputs, from the layer's to the statistic's",
        "Kullback and Leibler 1951"),
    "perplexity": ("PPL", "per token", "exponential of the mean NLL a token", "Shannon 1948"),
    "units": ("units", "count", "numbers of one sample's activation", "counted"),
    "batch-entropy": ("H", "nats", "mean over units of ½ ln(1 + 2πe σ²)", LBE),
    "batch-entropy.raw": ("h", "nats", "mean over units of ½ ln(2πe σ²), may be negative", LBE),
    "batch-entropy.units": ("H_i", "nats", "½ ln(1 + 2πe σ²) of each unit, as a series", LBE),
    "nearest-neighbour-entropy": (
        "h_KL", "nats", "mean over units of the entropy from nearest neighbours: below the "
        "Gaussian one of the same units (statistic gaussian) where they are no Gaussians",
        "Kozachenko and Leonenko 1987; Kraskov et al. 2004, eq. 20"),
    "entropy-budget": (
        "E log|det J|", "nats", "what a layer adds to the entropy: weight, normalisation or "
        "activation term; of the network their sums, and its Jacobian's", "change of variables"),
    "mean-iou": ("mIoU", "share", "mean over classes of intersection over union of the pixels",
                 "Everingham et al. 2010"),
    "mean-squared-error": ("MSE", "target²", "mean squared error of a number", "Gauss 1809"),
    "mean-absolute-error": ("MAE", "target", "mean absolute error of a number", "Laplace"),
    "explained-variance": ("R²", "share", "1 − Σ(y − ŷ)²/Σ(y − ȳ)²", "Wright 1921"),
    "dead-neurons": ("dead", "share", "units with one value for all samples", "counted"),
    "saturated-neurons": ("saturated", "share", "units at an end of their range", "counted"),
    "gradient-norm": ("‖δ‖", "nats per unit", "mean norm of a sample's error signal", LBE),
    **_of_information(),
    "renyi-entropy": ("S₂", "bits", "Rényi entropy of the activations", f"{QUADRATIC}; {REN}"),
    "alignment.input": ("CKA(X,T)", "share", "linear alignment with the input",
                        "Kornblith et al. 2019"),
    "alignment.label": ("CKA(T,Y)", "share", "linear alignment with the labels",
                        "Kornblith et al. 2019"),
    "probe-accuracy": ("probe", "share", "accuracy of a linear probe on held-out samples",
                       "Alain and Bengio 2016"),
    "redundancy": ("Σ I(X;Tⁱ) − I(X;T)", "bits",
                   "what the maps of a convolution say of the input more than once", REN),
    "duplicate-filters": ("copies", "count", "pairs of maps that are copies up to scale and sign",
                          QUADRATIC),
    "linear-redundancy": ("R² > 0.99", "share", "maps that are linear combinations of the others",
                          "multiple correlation"),
    "data-processing.input": ("Δr, I(X;T)", "share", BEFORE, REN),
    "data-processing.label": ("Δr, I(T;Y)", "share", BEFORE, REN),
    "data-processing.error": ("Δr, I(δ_L;δ)", "share", AFTER, REN),
    "data-processing.error.magnitude": (
        "Δr, I(‖δ_L‖;‖δ‖)", "share", AFTER, REN),
    "data-processing.error.raw": (
        "Δr, I(δ_L;δ) raw", "share", AFTER, REN),
}  # fmt: skip
"""Symbol, unit, summary and source of each measure of activations, by its stable name."""
