"""Realistic reports for the tests of the renderers, made without the rest of infoflow.

Weights are drawn, broken in the ways real files are broken, and measured by short numpy code,
so that boxes, outliers, spectra and maps look as they do in an analysis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from infoflow.report import (
    Coverage,
    Finding,
    LayerSummary,
    Measurement,
    Report,
    Series,
    Severity,
    Status,
    TensorRecord,
)

Floats = NDArray[np.float64]

HOSTILE_NAMES = (
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "esc\x1b[31mred\x1b]8;;http://evil.example\x07link\x07",
    "bidi\u202egnp.exe\u2066",
    "new\nline\ttab\x00nul\x85",
    "a" * 300,
    "{{ 7 * 7 }}{% raw %}",
    "</style></title></svg>&amp;&#x3c;",
    "../../etc/passwd",
    "'; DROP TABLE layers; --",
    "ünï.çødé.層.🧠",
    "|pipe|*star*_under_`tick`[link](javascript:alert(1))",
    "=HYPERLINK(1)",
    " ",
    "",
)

MEASURES: Mapping[str, Mapping[str, str]] = {
    "entropy-change.c11": {
        "symbol": "log|c₁₁|",
        "unit": "nats",
        "summary": "entropy change of a filter slice",
        "source": "Meni et al., Corollary 6 and eq. 15",
    },
    "entropy-change.logdet": {
        "symbol": "log|det W_sq|",
        "unit": "nats",
        "summary": "entropy change of a dense layer",
        "source": "Meni et al., Theorem 3",
    },
    "log-volume.density": {
        "symbol": "log-volume",
        "unit": "nats per position",
        "summary": "exact log-volume of a convolution per position of its output",
        "source": "Sedghi, Gupta and Long 2019; Jensen's formula",
    },
    "stable-rank": {
        "symbol": "‖W‖²_F/σ₁²",
        "unit": "count",
        "summary": "how many directions carry the energy",
        "source": "Rudelson and Vershynin 2007",
    },
}


@cache
def example_report(
    layers: int = 20,
    *,
    seed: int = 0,
    channels: int = 16,
    broken: bool = True,
    with_series: bool = True,
    measures: str = "default",
    names: tuple[str, ...] | None = None,
) -> Report:
    """A residual network's report: convolutions, one normalisation, a dense layer at the end.

    It is made once for the same arguments: reports do not change.

    Args:
        layers: Number of layers, the normalisation and the dense layer among them (≥ 4).
        seed: Of the weights.
        channels: Of the convolutions; they double at a third and at two thirds of the depth.
        broken: Whether some layers are all zero, have zero entries, or copy a filter.
        with_series: Whether there are numbers for pictures.
        measures: ``default``, or ``paper`` for the papers' own only.
        names: Names of the layers, instead of those of a residual network.
    """
    generator = np.random.default_rng(seed)
    labels = list(names) if names is not None else _names(layers)
    summaries: list[LayerSummary] = []
    rows: list[Measurement] = []
    series: list[Series] = []
    records: list[TensorRecord] = []
    previous = 3
    for index, name in enumerate(labels):
        depth = index / max(len(labels) - 1, 1)
        if index == 1 and len(labels) > 2:
            gamma = np.abs(generator.normal(1.0, 0.3, channels))
            summary = LayerSummary(
                name, "normalisation", (channels,), "float32", channels, geometry="none needed"
            )
            rows += _normalisation_rows(name, gamma)
        elif index == len(labels) - 1:
            weight = generator.normal(0.0, 1 / math.sqrt(previous), (10, previous))
            summary = LayerSummary(
                name, "dense", (10, previous), "float32", weight.size, geometry="none needed"
            )
            rows += _dense_rows(name, weight, measures)
            if with_series:
                series += _dense_series(name, weight)
        else:
            width = channels * (1 if depth < 0.34 else 2 if depth < 0.67 else 4)
            weight = _kernel(generator, width, previous, index, broken)
            strided = width != previous and index > 0
            assumed = index % 7 == 4
            summary = LayerSummary(
                name,
                "convolution",
                weight.shape,
                "float32",
                weight.size,
                stride=(2, 2) if strided else (1, 1),
                dilation=(1, 1),
                input_size=None if assumed else (32 // (width // channels),) * 2,
                geometry="assumed stride 1, groups 1" if assumed else "known",
            )
            rows += _convolution_rows(name, weight, measures, summary.input_size)
            if with_series:
                series += _convolution_series(name, weight)
            previous = width
        summaries.append(summary)
        records.append(
            TensorRecord(
                f"{name}.weight",
                summary.shape,
                summary.dtype,
                summary.parameters,
                Status.ANALYSED,
                summary.kind,
                assumed=summary.geometry.startswith("assumed"),
            )
        )
    records += [
        TensorRecord("fc.bias", (10,), "float32", 10, Status.NOT_LINEAR, "a bias"),
        TensorRecord(
            "bn1.num_batches_tracked", (), "int64", 1, Status.NOT_LINEAR, "a counter of batches"
        ),
        TensorRecord(
            "mystery.table", (12, 7, 5), "float32", 420, Status.NOT_SUPPORTED,
            "three dimensions, of no known layer",
        ),
        TensorRecord(
            "head.weight", (10, previous), "float32", 10 * previous, Status.ANALYSED,
            "tied", shared_with=f"{labels[-1]}.weight",
        ),
    ]  # fmt: skip
    return Report(
        source="runs/2026/resnet20-12fca82f.th",
        format="PyTorch legacy file, state_dict",
        digest="12fca82f" + "0123456789abcdef" * 3 + "deadbeef",
        architecture="ResNet-20 (CIFAR)",
        layers=tuple(summaries),
        measurements=tuple(rows),
        series=tuple(series),
        findings=_findings(summaries) if broken else (),
        coverage=Coverage(tuple(records)),
        settings={
            "command": "infoflow analyze runs/2026/resnet20-12fca82f.th --html report.html",
            "measures": measures,
            "seed": str(seed),
            "device": "cpu",
            "fast": "no",
        },
        versions={"infoflow": "0.1.0", "python": "3.12.3", "numpy": "2.4.0", "scipy": "1.17.0"},
        notes=(
            "prefix “module.” removed from 20 names",
            "optimizer state ignored",
        ),
        created="2026-03-14T15:09:26+00:00",
    )


def hostile_report() -> Report:
    """Names as an enemy would write them, in every place a name can be."""
    base = example_report(len(HOSTILE_NAMES), names=HOSTILE_NAMES, channels=4)
    evil = HOSTILE_NAMES[0]
    finding = Finding(
        "evil", Severity.SERIOUS, HOSTILE_NAMES[:7], "entropy-change.c11", None, None,
        f"{evil}\x1b[2J carries nothing", f"remove {HOSTILE_NAMES[1]}",
    )  # fmt: skip
    return Report(
        source=f"/tmp/{evil}/model.pt",
        format=evil,
        digest="0" * 64,
        architecture=HOSTILE_NAMES[1],
        layers=base.layers,
        measurements=(
            *base.measurements,
            Measurement(HOSTILE_NAMES[0], evil, evil, 1.0, evil, method=evil, note=evil),
        ),
        series=base.series,
        findings=(finding, *base.findings),
        coverage=base.coverage,
        settings={"command": f"infoflow analyze '{evil}'", evil: evil},
        versions={evil: HOSTILE_NAMES[1]},
        notes=(evil, HOSTILE_NAMES[2]),
        created=evil,
    )


def empty_report() -> Report:
    """A file in which nothing was recognised or measured."""
    return Report(
        source="nothing.pt", format="PyTorch zip file", digest="", architecture="", layers=(),
        measurements=(), series=(), findings=(), coverage=Coverage(),
    )  # fmt: skip


def _names(layers: int) -> list[str]:
    names = ["conv1", "bn1"]
    blocks = max(layers - 3, 0)
    for index in range(blocks):
        stage = 3 * index // max(blocks, 1) + 1
        names.append(f"layer{stage}.{index // 2}.conv{index % 2 + 1}")
    return [*names, "fc"][:layers]


def _kernel(
    generator: np.random.Generator, width: int, previous: int, index: int, broken: bool
) -> Floats:
    taps = np.array([[0.4, 0.9, 0.4], [0.9, 1.6, 0.9], [0.4, 0.9, 0.4]])
    scale = math.sqrt(2 / (9 * previous)) * math.exp(-0.3 * math.sin(index))
    weight: Floats = generator.standard_t(4, (width, previous, 3, 3)) * taps * scale
    if broken and index == 3:
        weight[:] = 0.0
    if broken and index % 9 == 5:
        weight[1] = 0.0
        weight[2, :2, 0, 0] = 0.0
    if broken and index % 9 == 6:
        weight[-1] = 2.0 * weight[0]
    return weight


def _convolution_rows(
    name: str, weight: Floats, measures: str, input_size: tuple[int, ...] | None
) -> list[Measurement]:
    rows = _c11_rows(name, weight, input_size)
    if measures == "paper":
        return rows
    density, minus = _density(weight)
    per = "nats per position"
    note = "" if density is not None else minus
    low = None if density is None else density - 0.02
    high = None if density is None else density + 0.02
    grid = "grid 16 × 16, 4 shifts"
    rows.append(
        Measurement(name, "log-volume.density", "value", density, per, low, high, grid, note)
    )
    flat = weight.reshape(len(weight), -1)
    rows += _spectral_rows(name, flat)
    out, inside = weight.shape[:2]
    if out == inside and density is not None:
        spread = float(weight.std())
        expected = out * math.log(spread * 3) + 0.5 * float(
            sum(math.log(j + 0.5) for j in range(1, out + 1))
        )
        rows.append(
            Measurement(
                name, "random-twin.log-volume", "expected-mean", expected, per,
                method="Gaussian of the layer's own spread",
            )
        )  # fmt: skip
    return rows


def _c11_rows(name: str, weight: Floats, input_size: tuple[int, ...] | None) -> list[Measurement]:
    corner = weight[:, :, 0, 0].ravel()
    measure = "entropy-change.c11"
    zeros = int((corner == 0).sum())
    logs = np.log(np.abs(corner[corner != 0]))
    rows = [
        Measurement(name, measure, "count", float(logs.size), "count"),
        Measurement(name, measure, "zeros", float(zeros), "count"),
    ]
    if not logs.size:
        every = f"−∞: all {corner.size} of {corner.size} entries c₁₁ are exactly zero"
        rows += [
            Measurement(name, measure, statistic, None, "nats", note=every)
            for statistic in ("mean", "minimum", "q1", "median", "q3", "maximum")
        ]
        rows += [
            Measurement(name, "entropy-change.block-c11", "value", None, "nats per position",
                        note="−∞: every entry of W₁₁ is exactly zero"),
            Measurement(name, "zeros", "share", 1.0, "share"),
        ]  # fmt: skip
        return rows
    q1, median, q3 = np.quantile(logs, (0.25, 0.5, 0.75))
    fence = 1.5 * (q3 - q1)
    inside = logs[(logs >= q1 - fence) & (logs <= q3 + fence)]
    statistics = {
        "mean": logs.mean(), "standard-deviation": logs.std(ddof=1), "minimum": logs.min(),
        "q1": q1, "median": median, "q3": q3, "maximum": logs.max(),
        "whisker-low": inside.min(), "whisker-high": inside.max(),
    }  # fmt: skip
    rows += [Measurement(name, measure, k, float(v), "nats") for k, v in statistics.items()]
    rows += [
        Measurement(name, measure, "outliers-low", float((logs < q1 - fence).sum()), "count"),
        Measurement(name, measure, "outliers-high", float((logs > q3 + fence).sum()), "count"),
    ]
    total: float | None = None
    note = "not computed: the size of the input is not known"
    if zeros:
        note = f"−∞: {zeros} of {corner.size} entries c₁₁ are exactly zero"
    elif input_size is not None:
        positions = (input_size[0] - 2) * (input_size[1] - 2)
        total, note = positions * float(logs.sum()), ""
    rows.append(Measurement(name, "entropy-change.c11-total", "value", total, "nats", note=note))
    block, reason = _log_volume(weight[:, :, 0, 0])
    rows.append(
        Measurement(name, "entropy-change.block-c11", "value", block, "nats per position",
                    method="½ log det of the smaller side's Gram matrix", note=reason)
    )  # fmt: skip
    spread = math.log(float(weight.std()))
    family = "Gaussian of the layer's own spread"
    twin = {
        "expected-mean": spread - 0.63518, "expected-standard-deviation": 1.1107,
        "expected-q1": spread - 1.1437, "expected-median": spread - 0.3937,
        "expected-q3": spread + 0.1403, "initialisation-mean": -3.1,
    }  # fmt: skip
    rows += [
        Measurement(name, "random-twin.c11", k, v, "nats", method=family) for k, v in twin.items()
    ]
    error = 1.1107 / math.sqrt(logs.size)
    z = (float(logs.mean()) - twin["expected-mean"]) / error
    rows += [
        Measurement(name, "random-twin.z-mean", "value", z, "standard errors", method=family),
        Measurement(name, "random-twin.z-spread", "value", z / 5, "standard errors"),
        Measurement(name, "zeros", "count", float((weight == 0).sum()), "count"),
        Measurement(name, "zeros", "share", float((weight == 0).mean()), "share"),
    ]
    return rows


def _dense_rows(name: str, weight: Floats, measures: str) -> list[Measurement]:
    k = min(weight.shape)
    logdet = float(np.linalg.slogdet(weight[:k, :k])[1])
    rows = [Measurement(name, "entropy-change.logdet", "value", logdet, "nats", method="LU")]
    if measures == "paper":
        return rows
    volume, note = _log_volume(weight)
    rows.append(Measurement(name, "log-volume", "value", volume, "nats", note=note))
    return rows + _spectral_rows(name, weight)


def _normalisation_rows(name: str, gamma: Floats) -> list[Measurement]:
    total = float(np.log(gamma).sum())
    return [
        Measurement(name, "entropy-change.normalisation", "value", total, "nats"),
        Measurement(name, "entropy-change.normalisation", "zeros", 0.0, "count"),
    ]


def _spectral_rows(name: str, flat: Floats) -> list[Measurement]:
    values = np.linalg.svd(flat, compute_uv=False)
    full = float(len(values))
    rank = float((values > values[0] * 1e-6).sum()) if values[0] > 0 else 0.0
    rows = [
        Measurement(name, "rank", "value", rank, "count"),
        Measurement(name, "rank", "full", full, "count"),
        Measurement(name, "spectral-norm", "value", float(values[0]), "ratio"),
    ]
    if values[0] == 0:
        gone = "not computed: the weight is zero"
        return [
            *rows,
            Measurement(name, "stable-rank", "value", None, "count", note=gone),
            Measurement(name, "condition-number", "value", None, "ratio", note=gone),
        ]
    share = values**2 / (values**2).sum()
    positive = share[share > 0]
    entropy = float(-(positive * np.log2(positive)).sum())
    rows += [
        Measurement(name, "stable-rank", "value", float(1 / share[0]), "count"),
        Measurement(name, "effective-rank", "value", float(2**entropy), "count"),
        Measurement(name, "spectral-entropy.von-neumann", "value", entropy, "bits"),
    ]
    infinite = rank < full
    rows.append(
        Measurement(
            name, "condition-number", "value",
            None if infinite else float(values[0] / values[-1]), "ratio",
            note="not computed: the rank is not full" if infinite else "",
        )
    )  # fmt: skip
    return rows


def _convolution_series(name: str, weight: Floats) -> list[Series]:
    corner = weight[:, :, 0, 0]
    finite = np.log(np.abs(corner[corner != 0]))
    with np.errstate(divide="ignore"):
        found = [_map(name, "c11", "nats", np.log(np.abs(corner)), np.add)]
    if finite.size:
        q1, q3 = np.quantile(finite, (0.25, 0.75))
        fence = 1.5 * (q3 - q1)
        far = np.sort(finite[(finite < q1 - fence) | (finite > q3 + fence)])[:200]
        found.append(Series(name, "c11.outliers", "nats", far.shape, tuple(far.tolist())))
        counts, edges = np.histogram(finite, bins=40)
        both = (*edges[:-1].tolist(), *counts.astype(float).tolist())
        found.append(Series(name, "c11.histogram", "nats", (2, 40), both))
    flat = weight.reshape(len(weight), -1)
    norms = np.sqrt((flat**2).sum(1))
    found.append(Series(name, "filter-norms", "norm", norms.shape, tuple(norms.tolist())))
    unit = np.divide(flat, norms[:, None], out=np.zeros_like(flat), where=norms[:, None] > 0)
    found.append(_map(name, "filter-similarity", "cosine", unit @ unit.T, np.maximum))
    return [*found, *_dense_series(name, flat)]


def _map(name: str, kind: str, unit: str, cells: Floats, gather: np.ufunc) -> Series:
    """The cells, gathered to at most 64 × 64, sums as means; −∞ becomes None."""
    small = cells
    for axis, count in enumerate(cells.shape):
        edges = -(-np.arange(min(count, 64)) * count // min(count, 64))
        small = gather.reduceat(small, edges, axis=axis)
        if gather is np.add:
            sizes = np.diff([*edges, count])
            small = small / (sizes[:, None] if axis == 0 else sizes)
    values = tuple(None if math.isinf(value) else value for value in small.ravel().tolist())
    return Series(name, kind, unit, small.shape, values)


def _dense_series(name: str, flat: Floats) -> list[Series]:
    values = np.linalg.svd(flat, compute_uv=False)[:256]
    return [Series(name, "spectrum", "singular value", values.shape, tuple(values.tolist()))]


def _log_volume(matrix: Floats) -> tuple[float | None, str]:
    values = np.linalg.svd(matrix, compute_uv=False)
    small = int((values <= max(matrix.shape) * 1.2e-7 * values[0]).sum())
    if small:
        return None, f"−∞: {small} of {len(values)} singular values are zero"
    return float(np.log(values).sum()), ""


def _density(weight: Floats) -> tuple[float | None, str]:
    symbol = np.fft.fft2(weight, s=(8, 8), axes=(2, 3)).transpose(2, 3, 0, 1)
    values = np.linalg.svd(symbol, compute_uv=False)
    small = int((values[0, 1] <= 1e-6 * max(values.max(), 1e-300)).sum())
    if small:
        return None, f"−∞: {small} of {values.shape[-1]} rows are zero or copies of others"
    return float(np.log(values).sum(-1).mean()), ""


def _findings(layers: list[LayerSummary]) -> tuple[Finding, ...]:
    convolutions = [layer.name for layer in layers if layer.kind == "convolution"]
    if len(convolutions) < 4:
        return ()
    zero, copied, corner = convolutions[2], convolutions[3], convolutions[1:9]
    return (
        Finding(
            "dead-layer", Severity.SERIOUS, (zero,), "zeros", 1.0, 1.0,
            f"{zero}: every weight is exactly zero, so what follows sees biases only.",
            "If this is pruning, remove the layer; if not, the file is damaged.",
        ),
        Finding(
            "duplicate-filters", Severity.WARNING, (copied,), "filters.duplicate", 1.0, 0.0,
            f"{copied}: filter 15 is a copy of filter 0, up to scale.",
            "Prune one of the two and fold its successor's weights.",
        ),
        Finding(
            "far-from-random", Severity.NOTE, tuple(corner), "random-twin.z-mean", -11.3, -4.0,
            f"{len(corner)} layers have corners quieter than the rest of their kernels.",
            "Read the exact log-volume for these layers.",
        ),
        Finding(
            "coverage", Severity.NOTE, (), "coverage", 0.99, 1.0,
            "1 tensor was not analysed.", "See what was not analysed, below.",
        ),
    )  # fmt: skip
