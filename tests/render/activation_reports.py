"""Reports with activations as an analysis yields them, made by hand.

The information follows measured figures: a LeNet-5 on MNIST and a ResNet-20 on CIFAR-10, at the
quadratic estimator without diagonal; what was not measured there is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from infoflow.findings import find
from infoflow.report import DataSummary, Measurement, Report, Series, Site
from tests.render.reports import HOSTILE_NAMES, example_report

ESTIMATOR = "quadratic Rényi mutual information, entropy-difference form, without diagonal"
LENET_SITES = (
    ("conv1", "linear map", (6, 28, 28)),
    ("conv1.relu", "nonlinearity", (6, 28, 28)),
    ("pool1", "pooling", (6, 14, 14)),
    ("conv2", "linear map", (16, 10, 10)),
    ("conv2.relu", "nonlinearity", (16, 10, 10)),
    ("pool2", "pooling", (16, 5, 5)),
    ("fc1", "linear map", (120,)),
    ("fc1.relu", "nonlinearity", (120,)),
    ("fc2", "linear map", (84,)),
    ("fc2.relu", "nonlinearity", (84,)),
    ("fc3", "linear map", (10,)),
)
LENET_INPUT = (1.753, 1.753, 1.749, 1.697, 1.697, 1.700, 1.58, 1.554, 1.44, 1.414, 1.317)
LENET_LABEL = (1.52, 1.54, 1.59, 1.64, 1.67, 1.82, 2.28, 2.35, 2.50, 2.56, 2.60)
LENET_ERROR = (1.04, 1.20, 1.88, 1.79, 1.81, 2.56, 2.70, 2.72, 2.85, 2.87, 2.87)
LENET_RATIO = (0.99, 0.99, 0.99, 0.97, 0.97, 0.95, 0.85, 0.82, 0.77, 0.75, 0.71)

RESNET_CHAIN = (
    "conv1", "layer1.0", "layer1.1", "layer1.2", "layer2.0", "layer2.1", "layer2.2",
    "layer3.0", "layer3.1", "layer3.2", "avgpool", "linear",
)  # fmt: skip
RESNET_INPUT = (1.00, 0.80, 0.57, 0.55, 0.49, 0.42, 0.40, 0.31, 0.21, 0.20, 0.26, 0.29)
RESNET_LABEL = (0.37, 0.29, 0.21, 0.25, 0.31, 0.30, 0.33, 0.39, 0.39, 1.41, 2.11, 2.21)


@dataclass(frozen=True)
class Profile:
    """What is drawn of one site: information on the three chains, and its ratio to the ceiling."""

    site: Site
    input: float
    label: float
    error: float
    ratio: float
    spread: float = 0.012
    note: str = ""


@cache
def lenet_report(*, errors: bool = True, with_series: bool = True) -> Report:
    """Every site lies on the chain."""
    profiles = [
        Profile(Site(name, role, shape, True), *figures)
        for (name, role, shape), *figures in zip(
            LENET_SITES, LENET_INPUT, LENET_LABEL, LENET_ERROR, LENET_RATIO, strict=True
        )
    ]
    base = example_report(
        5, names=("conv1", "norm1", "conv2", "fc1", "fc2"), broken=False, channels=6
    )
    data = DataSummary(
        "mnist", "test", 1000, 10000, "classification", tuple("0123456789"),
        "1×28×28, mean 0.1307, standard deviation 0.3081, from the checkpoint's metadata",
        "the image, as the network reads it",
    )  # fmt: skip
    made = _report(base, data, profiles, errors=errors, with_series=with_series)
    return replace(made, source="lenet5.pt", architecture="LeNet-5 (zoo)")


@cache
def resnet_report(*, with_series: bool = True) -> Report:
    """Blocks on the chain, and inside each of them layers that are not."""
    names = ("conv1", "bn1", *_inner(), "linear")
    base = example_report(len(names), names=names, broken=False)
    profiles = list(_resnet_profiles())
    classes = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    data = DataSummary(
        "cifar10", "test", 1000, 1000, "classification", tuple(classes),
        "3×32×32, mean 0.485, 0.456, 0.406, standard deviation 0.229, 0.224, 0.225, of CIFAR "
        "ResNets", "the image, as the network reads it",
        ("2 images could not be read and were skipped",),
    )  # fmt: skip
    return _report(base, data, profiles, errors=True, with_series=with_series)


def collapsed_report(depth: int = 30) -> Report:
    """A deep network whose signal dies: everything behind its eleventh layer is constant."""
    whole = lenet_report(with_series=False)
    profiles = []
    for place in range(depth):
        site = Site(f"fc{place + 1}", "linear map", (300,), True)
        alive = 2.0 ** -(2.58 * place)
        profiles.append(Profile(site, 1.7 * alive, 1.5 * alive, 1.0, 0.9, note="inside its null"))
    rows: list[Measurement] = []
    for place, profile in enumerate(profiles):
        rows += _site_rows(profile, None, None, 1000, errors=True)
        shrunk = 0.5 * math.log1p(2 * math.pi * math.e * 6.0**-place)
        rows = [_shrunk(row, profile.site.name, shrunk, 6.0 ** (place - depth)) for row in rows]
    kept = [row for row in whole.measurements if not row.layer]
    report = replace(
        whole, sites=tuple(p.site for p in profiles), measurements=tuple(kept + rows), layers=()
    )
    return replace(report, findings=find(report))


def _shrunk(row: Measurement, site: str, entropy: float, gradient: float) -> Measurement:
    if row.layer != site:
        return row
    if row.measure == "gradient-norm":
        return replace(row, value=gradient)
    if row.measure == "batch-entropy" and row.value is not None:
        factor = {"q1": 0.7, "median": 0.98, "q3": 1.25}.get(row.statistic, 1.0)
        note = "collapsed" if entropy < 1e-20 and row.statistic == "value" else ""
        return replace(row, value=entropy * factor, note=note)
    return row


def hostile_activations() -> Report:
    """Names, notes and classes as an enemy would write them."""
    evil = HOSTILE_NAMES[0]
    base = lenet_report()
    assert base.data is not None
    names = {site.name: HOSTILE_NAMES[i] for i, site in enumerate(base.sites)}
    data = replace(
        base.data, name=evil, split=evil, preprocessing=evil, x=evil, classes=(evil,) * 10,
        notes=HOSTILE_NAMES[:5],
    )  # fmt: skip
    return replace(
        base,
        data=data,
        sites=tuple(
            replace(site, name=names[site.name], role=evil, note=evil) for site in base.sites
        ),
        measurements=tuple(
            replace(row, layer=names.get(row.layer, row.layer), method=evil, note=row.note or evil)
            for row in base.measurements
        ),
        series=tuple(
            replace(one, layer=names.get(one.layer, one.layer), note=one.note)
            for one in base.series
        ),
        layers=(),
    )


def _inner() -> list[str]:
    return [
        f"layer{stage}.{block}.conv{place}"
        for stage in (1, 2, 3)
        for block in (0, 1, 2)
        for place in (1, 2)
    ]


def _resnet_profiles() -> Iterator[Profile]:
    known = dict(zip(RESNET_CHAIN, zip(RESNET_INPUT, RESNET_LABEL, strict=True), strict=True))
    yield _profile("conv1", "linear map", (16, 32, 32), *known["conv1"])
    yield _profile("bn1", "normalisation", (16, 32, 32), 1.0, 0.37)
    yield _profile("bn1.relu", "nonlinearity", (16, 32, 32), 0.99, 0.37)
    for stage, side in ((1, 32), (2, 16), (3, 8)):
        for block in (0, 1, 2):
            shape = (16 * 2 ** (stage - 1), side, side)
            name = f"layer{stage}.{block}"
            inside, label = known[name]
            why = f"a path of {name} runs around it"
            for part, role in (
                ("conv1", "linear map"), ("bn1", "normalisation"), ("bn1.relu", "nonlinearity"),
                ("conv2", "linear map"), ("bn2", "normalisation"),
            ):  # fmt: skip
                site = Site(f"{name}.{part}", role, shape, False, why)
                yield Profile(site, 0.9 * inside, 0.9 * label, 1.2, 0.8 * inside)
            yield _profile(name, "block", shape, inside, label)
    yield _profile("avgpool", "pooling", (64,), *known["avgpool"])
    yield _profile("linear", "linear map", (10,), *known["linear"])


def _profile(name: str, role: str, shape: tuple[int, ...], inside: float, label: float) -> Profile:
    site = Site(name, role, shape, True)
    return Profile(site, inside, label, 2.5 - inside, min(0.3 + 0.6 * inside, 0.99))


def _report(
    base: Report,
    data: DataSummary,
    profiles: Sequence[Profile],
    *,
    errors: bool,
    with_series: bool,
) -> Report:
    rows = [*base.measurements, *_whole_rows(data.samples)]
    series = [*base.series, *_whole_series()] if with_series else []
    chain = [profile for profile in profiles if profile.site.on_chain]
    before = dict(zip([p.site.name for p in chain[1:]], chain, strict=False))
    after = dict(zip([p.site.name for p in chain], chain[1:], strict=False))
    for place, profile in enumerate(profiles):
        name = profile.site.name
        rows += _site_rows(profile, before.get(name), after.get(name), data.samples, errors=errors)
        if with_series:
            series += _site_series(profile, place)
    report = replace(
        base,
        measurements=tuple(rows),
        series=tuple(series),
        sites=tuple(profile.site for profile in profiles),
        data=data,
        findings=(),
        settings=dict(base.settings) | {"data": data.name, "samples": str(data.samples)},
    )
    return replace(report, findings=find(report))


def _whole_rows(n: int) -> Iterator[Measurement]:
    yield Measurement("", "accuracy", "value", 0.917, "share", 0.8983, 0.9326,
                      f"share of right answers; Wilson's interval; n = {n:,}")  # fmt: skip
    yield Measurement("", "negative-log-likelihood", "value", 0.339, "nats", 0.291, 0.387,
                      f"mean over samples; t interval; n = {n:,}")  # fmt: skip
    yield Measurement("", "calibration-error", "value", 0.0412, "share",
                      method=f"expected, 15 equal bins of the confidence; n = {n:,}")  # fmt: skip
    how = f"mean over samples; n = {n:,}"
    for statistic, value in (("value", 0.142), ("q1", 0.001), ("median", 0.012), ("q3", 0.131)):
        yield Measurement("", "predictive-entropy", statistic, value, "nats", method=how)


def _whole_series() -> Iterator[Series]:
    confidence = np.arange(15) / 15 + 1 / 30
    share = np.exp(5.5 * confidence)
    share[:2] = 0.0
    share /= share.sum()
    accuracy = np.clip(confidence - 0.05 - 0.12 * np.sin(3 * confidence), 0.0, 1.0)
    table = np.stack([confidence, accuracy, share], axis=1)
    yield Series("", "reliability", "share", (15, 3), tuple(map(float, table.ravel())))
    counts = np.round(1000 * share)
    yield Series("", "confidence-histogram", "count", (15,), tuple(map(float, counts)),
                 "from 0 to 1")  # fmt: skip


def _site_rows(
    profile: Profile, before: Profile | None, after: Profile | None, n: int, *, errors: bool
) -> Iterator[Measurement]:
    site = profile.site
    name, units = site.name, float(math.prod(site.shape))
    rectified = site.role in {"nonlinearity", "block"}
    entropy = 0.35 + 0.9 * profile.ratio if rectified else 0.6 + profile.ratio
    yield Measurement(name, "units", "count", units, "count")
    convention = "½ log(2πe σ² + 1) a unit, population variance (LBE); Gaussian proxy"
    for statistic, factor in (("value", 1.0), ("q1", 0.7), ("median", 0.98), ("q3", 1.25)):
        yield Measurement(
            name, "batch-entropy", statistic, entropy * factor, "nats", method=convention
        )
    yield Measurement(name, "batch-entropy.raw", "value", entropy - 0.4, "nats")
    dead = 0.14 if site.name.startswith("fc1.relu") else 0.03 if rectified else 0.0
    yield Measurement(name, "dead-neurons", "value", dead, "share")
    yield Measurement(name, "dead-neurons", "count", round(dead * units), "count")
    yield Measurement(name, "saturated-neurons", "value", 0.0, "share")
    if errors:
        yield Measurement(name, "gradient-norm", "value", 0.4 + profile.error, "nats per unit")
    for chain, value, other in (
        ("input", profile.input, before and before.input),
        ("label", profile.label, before and before.label),
        ("error", profile.error, after and after.error),
    ):
        if chain != "error" or errors:
            yield from _information(profile, chain, value, n)
            if other is not None and site.on_chain:
                yield _step(name, chain, value - other, profile.spread)
    yield Measurement(name, "renyi-entropy", "value", 4.1, "bits", 4.0, 4.2, "quadratic, S₂")
    yield Measurement(name, "alignment.input", "value", profile.ratio**2, "share")
    yield Measurement(name, "alignment.label", "value", profile.label / 4, "share")
    probe = min(0.35 + 0.24 * profile.label, 0.99)
    yield Measurement(
        name, "probe-accuracy", "value", probe, "share", probe - 0.02, min(probe + 0.02, 1.0)
    )
    if len(site.shape) == 3:
        maps = site.shape[0]
        for statistic, value in (("papers", 1.3 * maps), ("copy-invariant", 0.06 * maps - 0.5)):
            yield Measurement(
                name, "redundancy", statistic, value, "bits", value - 0.2, value + 0.2,
                "Σ I(X;Tⁱ) − I(X;T) over the maps (Yu et al., Figure 6)",
            )  # fmt: skip
        copies = 2.0 if name == "conv2" else 0.0
        note = "3 = 5, 4 = 9" if copies else ""
        yield Measurement(name, "duplicate-filters", "activations", copies, "count", note=note)


def _information(profile: Profile, chain: str, value: float, n: int) -> Iterator[Measurement]:
    name, measure = profile.site.name, f"mutual-information.{chain}"
    method = f"{ESTIMATOR}; α = 2; σ half the median distance ({4.2 + value:.2f}); n = {n:,}"
    half, null = 2 * profile.spread, 0.002
    yield Measurement(name, measure, "value", value + null, "bits", value + null - half,
                      value + null + half, method, profile.note)  # fmt: skip
    yield Measurement(name, measure, "cauchy-schwarz", 0.55 * value + 0.1, "bits",
                      method="Cauchy–Schwarz form")  # fmt: skip
    yield Measurement(name, measure, "papers", value + 4.2, "bits", method="α = 1.01")
    yield Measurement(name, f"{measure}.null", "value", null, "bits", -0.03, 0.036,
                      "199 permutations")  # fmt: skip
    yield Measurement(name, f"{measure}.null", "papers", value + 3.7, "bits")
    yield Measurement(name, f"{measure}.above-null", "value", value, "bits", value - half,
                      value + half, method)  # fmt: skip
    ceiling = value / profile.ratio if chain == "input" and profile.ratio else value + 0.3
    yield Measurement(name, f"{measure}.ceiling", "value", ceiling, "bits")
    yield Measurement(
        name,
        f"{measure}.ratio",
        "value",
        value / ceiling if ceiling else 0.0,
        "share",
        *((value - 0.02) / ceiling, (value + 0.02) / ceiling) if ceiling else (None, None),
    )


def _step(name: str, chain: str, difference: float, spread: float) -> Measurement:
    low, high = difference - spread, difference + spread
    word = "falls" if high < 0 else "rises" if low > 0 else "cannot be told: the interval holds 0"
    return Measurement(name, f"data-processing.{chain}", "value", difference, "bits", low, high,
                       "paired difference of influence functions; Holm", word)  # fmt: skip


def _site_series(profile: Profile, seed: int) -> Iterator[Series]:
    generator = np.random.default_rng(seed)
    values = generator.normal(0.2, 1.0, 4000)
    if profile.site.role in {"nonlinearity", "block"}:
        values = np.maximum(values, 0.0)
    counts, edges = np.histogram(values, 40)
    yield Series(profile.site.name, "activation-histogram", "share", (40,),
                 tuple(map(float, counts / counts.sum())),
                 f"from {edges[0]:.4g} to {edges[-1]:.4g}")  # fmt: skip
    entropies = np.abs(generator.normal(0.5 + profile.ratio, 0.3, 500))
    counts, edges = np.histogram(entropies, 30)
    yield Series(profile.site.name, "batch-entropy-histogram", "count", (30,),
                 tuple(map(float, counts)), f"from {edges[0]:.4g} to {edges[-1]:.4g}")  # fmt: skip
    if len(profile.site.shape) == 3:
        maps = min(profile.site.shape[0], 64)
        mixed = generator.normal(size=(maps, 6)) @ generator.normal(size=(6, 200))
        dependence = np.abs(np.corrcoef(mixed))
        yield Series(profile.site.name, "filter-dependence", "share", (maps, maps),
                     tuple(map(float, dependence.ravel())))  # fmt: skip
