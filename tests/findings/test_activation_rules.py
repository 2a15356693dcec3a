"""Rules about activations: what fires each of them, and what alike does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.findings import ACTIVATION_RULES, find, summary
from infoflow.findings.miscalibrated import scatter
from infoflow.report import (
    DataSummary,
    Finding,
    LayerSummary,
    Measurement,
    Report,
    Series,
    Severity,
    Site,
)
from tests.findings.building import conv, draw, report_of
from tests.render.activation_reports import collapsed_report, lenet_report, resnet_report

NAMES = {rule.name for rule in ACTIVATION_RULES}
DATA = DataSummary(
    "mnist", "test", 1000, 10000, "classification", tuple("0123456789"), "mean 0.5", "the image"
)
CHAIN = tuple(Site(name, "linear map", (8,), True) for name in ("a", "b", "c"))


def report(
    rows: Iterable[Measurement] = (),
    *,
    sites: tuple[Site, ...] = CHAIN,
    data: DataSummary | None = DATA,
    series: tuple[Series, ...] = (),
    trained: bool = False,
) -> Report:
    base = report_of([])
    twin = []
    layers: tuple[LayerSummary, ...] = ()
    if trained:
        layers = (LayerSummary("w", "convolution", (8, 8, 3, 3), "float32", 576),)
        twin = [Measurement("w", "random-twin.z-mean", "value", -40.0, "standard errors")]
    whole = replace(
        base, sites=sites, data=data, series=series, layers=layers,
        measurements=(*twin, *rows),
    )  # fmt: skip
    return replace(whole, findings=find(whole))


def of(made: Report, rule: str) -> list[Finding]:
    return [finding for finding in made.findings if finding.rule == rule]


def only(made: Report, rule: str) -> Finding:
    (finding,) = of(made, rule)
    return finding


def entropies(*values: float) -> list[Measurement]:
    return [
        Measurement(site.name, "batch-entropy", "value", value, "nats")
        for site, value in zip(CHAIN, values, strict=True)
    ]


def shares(measure: str, *values: float) -> list[Measurement]:
    return [
        Measurement(site.name, measure, "value", value, "share")
        for site, value in zip(CHAIN, values, strict=True)
    ]


def accuracy(value: float, low: float, high: float) -> list[Measurement]:
    return [Measurement("", "accuracy", "value", value, "share", low, high)]


def calibration(error: float) -> list[Measurement]:
    return [Measurement("", "calibration-error", "value", error, "share")]


def steps(*notes: str, chain: str = "input", flag: str = "") -> list[Measurement]:
    rows = [
        Measurement(site.name, f"mutual-information.{chain}", "value", 1.0, "bits", note=flag)
        for site in CHAIN
    ]
    return rows + [
        Measurement(site.name, f"data-processing.{chain}", "value", 0.1, "bits", note=note)
        for site, note in zip(CHAIN[1:], notes, strict=True)
    ]


def copies(count: float) -> list[Measurement]:
    note = "3 = 5" if count else ""
    return [Measurement("b", "duplicate-filters", "activations", count, "count", note=note)]


@dataclass(frozen=True)
class Case:
    rule: str
    severity: Severity
    fires: Callable[[], Report]
    silent: Callable[[], Report]


CASES = [
    Case(
        "untrainable", Severity.SERIOUS,
        lambda: report(entropies(0.5, 5e-4, 0.0)),
        lambda: report(entropies(0.5, 5e-3, 2e-3)),
    ),
    Case(
        "dead-neurons", Severity.NOTE,
        lambda: report(shares("dead-neurons", 0.0, 0.2, 0.1)),
        lambda: report(shares("dead-neurons", 0.0, 0.09, 0.0)),
    ),
    Case(
        "saturated-neurons", Severity.WARNING,
        lambda: report(shares("saturated-neurons", 0.0, 0.6, 0.1)),
        lambda: report(shares("saturated-neurons", 0.0, 0.09, 0.0)),
    ),
    Case(
        "wrong-preprocessing", Severity.SERIOUS,
        lambda: report(accuracy(0.11, 0.09, 0.13), trained=True),
        lambda: report(accuracy(0.14, 0.12, 0.16), trained=True),
    ),
    Case(
        "miscalibrated", Severity.WARNING,
        lambda: report(calibration(0.06)),
        lambda: report(calibration(0.05)),
    ),
    Case(
        "duplicate-activations", Severity.NOTE,
        lambda: report(copies(1.0)),
        lambda: report(copies(0.0)),
    ),
    Case(
        "information-rises", Severity.NOTE,
        lambda: report(steps("falls", "rises")),
        lambda: report(steps("falls", "cannot be told")),
    ),
    Case(
        "cannot-be-told", Severity.NOTE,
        lambda: report(steps("cannot be told", "cannot be told: inside the null")),
        lambda: report(steps("cannot be told", "falls")),
    ),
]  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert sorted(case.rule for case in CASES) == sorted(NAMES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_fires_and_does_not(case: Case) -> None:
    finding = only(case.fires(), case.rule)
    assert finding.severity is case.severity
    assert finding.sentence.endswith(".")
    assert finding.advice.endswith(".")
    assert finding.value is not None
    assert finding.threshold is not None
    assert finding.measure in next(r for r in ACTIVATION_RULES if r.name == case.rule).reads
    assert not of(case.silent(), case.rule)


def test_untrainable_names_the_first_site_and_the_gradients_that_arrive() -> None:
    finding = only(collapsed_report(), "untrainable")
    assert finding.layers[0] == "fc7"
    assert len(finding.layers) == 24
    assert finding.sentence.startswith(
        "fc7: its units hardly differ between 1,000 samples: batch-entropy 0.000183 nats, below "
        "0.001. So do 23 sites after it. Gradient norm a sample, from the output down, of 30 "
        "layers: fc30 0.167, "
    )
    assert "fc1 4.52e−24" in finding.sentence
    assert "evidence" in finding.advice
    assert "not proof" in finding.advice


def test_untrainable_says_collapsed_where_the_row_does() -> None:
    rows = entropies(0.5, 0.0, 0.4)
    rows[1] = replace(rows[1], note="collapsed")
    finding = only(report(rows), "untrainable")
    sentence = finding.sentence
    assert finding.severity is Severity.WARNING
    assert "At c, the last site, they differ again." in sentence
    assert "b: " in sentence
    assert "(collapsed)" in sentence
    assert "after it" not in sentence


def test_dead_neurons_are_read_at_nonlinearities_where_there_are_some() -> None:
    sites = (CHAIN[0], replace(CHAIN[1], role="nonlinearity"), CHAIN[2])
    finding = only(report(shares("dead-neurons", 0.9, 0.2, 0.9), sites=sites), "dead-neurons")
    assert finding.layers == ("b",)
    assert finding.severity is Severity.NOTE
    assert only(
        report(shares("dead-neurons", 0.0, 0.5, 0.0), sites=sites), "dead-neurons"
    ).severity is Severity.WARNING  # fmt: skip


def test_an_untrained_network_at_chance_is_no_matter_of_preprocessing() -> None:
    fresh = report_of([conv(draw(32, 32, 3, 3))])
    rows = (*fresh.measurements, *accuracy(0.1, 0.09, 0.11))
    at_chance = replace(fresh, measurements=rows, sites=CHAIN, data=DATA)
    assert not [one for one in find(at_chance) if one.rule == "wrong-preprocessing"]


def test_where_nothing_tells_whether_it_is_trained_chance_is_a_note() -> None:
    finding = only(report(accuracy(0.1, 0.09, 0.11)), "wrong-preprocessing")
    assert finding.severity is Severity.NOTE
    assert "preprocessing" in finding.advice


@pytest.mark.parametrize(
    ("value", "low", "classes", "task"),
    [
        (0.3, 0.08, 10, "classification"),  # few samples: the interval alone says nothing
        (0.1, 0.09, 10, "segmentation"),
        (0.1, 0.09, 1, "classification"),
        (0.02, 0.011, 100, "classification"),
    ],
)
def test_better_than_chance_or_no_chance_to_speak_of(
    value: float, low: float, classes: int, task: str
) -> None:
    data = replace(DATA, classes=tuple(map(str, range(classes))), task=task)
    made = report(accuracy(value, low, 0.9), data=data, trained=True)
    assert not of(made, "wrong-preprocessing")


def test_miscalibration_says_which_way_and_lets_chance_pass() -> None:
    table = (0.9, 0.7, 0.5, 0.8, 0.75, 0.5)
    series = (Series("", "reliability", "share", (2, 3), table),)
    finding = only(report(calibration(0.125), series=series), "miscalibrated")
    assert "too sure, mean confidence 85 % at an accuracy of 72 %" in finding.sentence
    few = replace(DATA, samples=20)
    assert not of(report(calibration(0.125), series=series, data=few), "miscalibrated")
    assert scatter([(0.5, 0.5, 1.0)], 0) == 0.0


def test_scatter_is_what_perfect_confidences_read() -> None:
    import numpy as np

    generator = np.random.default_rng(0)
    bins = [(0.6, 0.6, 0.25), (0.9, 0.9, 0.75)]
    errors = []
    for _ in range(4000):
        right = [generator.binomial(int(400 * s), c) / (400 * s) for c, _, s in bins]
        errors.append(sum(s * abs(r - c) for r, (c, _, s) in zip(right, bins, strict=True)))
    assert np.mean(errors) == pytest.approx(scatter(bins, 400), rel=0.05)


def test_a_rise_is_explained_on_each_chain() -> None:
    found = of(lenet_report(), "information-rises")
    assert [finding.measure for finding in found] == [
        "data-processing.label",
        "data-processing.error",
    ]
    assert "I(T;Y) rises at 10 of 10 steps of the label chain" in found[0].sentence
    assert "sign of learning" in found[0].advice
    assert "no proof of an error" in found[1].advice
    assert "pool1 (+0.09 of the ceiling)" in found[1].sentence


def test_cannot_be_told_gives_the_reasons() -> None:
    finding = only(report(steps("falls", "falls", flag="saturated")), "cannot-be-told")
    assert finding.sentence == (
        "From 1,000 samples I(X;T) tells nothing at any of its 3 sites (3 saturated)."
    )
    assert (finding.value, finding.threshold) == (3.0, 3.0)
    finding = only(report(steps("cannot be told", "cannot be told")), "cannot-be-told")
    assert "no step of I(X;T) can be told, of 2 (no difference leaves its interval)" in (
        finding.sentence
    )


def test_sites_are_in_depth_order_among_layers() -> None:
    made = resnet_report()
    order = {site.name: place for place, site in enumerate(made.sites)}
    layers = [layer.name for layer in made.layers]
    order |= {name: order[name] for name in layers if name in order}
    for severity in Severity:
        places = [
            min(order[name] for name in finding.layers)
            for finding in made.findings
            if finding.severity is severity
            and finding.layers
            and all(name in order for name in finding.layers)
        ]
        assert places == sorted(places)


def test_a_second_call_lies_where_the_first_does() -> None:
    sites = (*CHAIN[:2], Site("a#2", "linear map", (8,), True), CHAIN[2])
    layers = tuple(LayerSummary(name, "dense", (8, 8), "float32", 64) for name in ("a", "b", "c"))
    rows = [
        Measurement("b", "dead-neurons", "value", 0.2, "share"),
        Measurement("a#2", "duplicate-filters", "activations", 1.0, "count"),
    ]
    whole = replace(report_of([]), sites=sites, layers=layers, measurements=tuple(rows), data=DATA)
    assert [finding.rule for finding in find(whole)] == ["duplicate-activations", "dead-neurons"]


def test_the_summary_counts_sites() -> None:
    assert summary(lenet_report()).endswith("in 5 layers and 11 sites: 1 warning, 5 notes")


NUMBERS = st.one_of(
    st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 0.5, -3.0, 1e-12, 1e30])
)
NOTES = ("", "saturated", "falls", "rises: x", "cannot be told", "inside its null", "collapsed")


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(NUMBERS, min_size=17, max_size=17),
    sites=st.integers(0, 3),
    data=st.sampled_from([None, DATA, replace(DATA, samples=0, classes=())]),
)
def test_no_rule_fails_whatever_the_numbers(
    numbers: list[float | None], sites: int, data: DataSummary | None
) -> None:
    rows = []
    for name in ("", "a", "b", "c"):
        for measure in sorted({read for rule in ACTIVATION_RULES for read in rule.reads}):
            for statistic in ("value", "count", "activations"):
                key = crc32(f"{name} {measure} {statistic}".encode())
                value, note = numbers[key % 17], NOTES[key % len(NOTES)]
                note = note or ("not computed" if value is None else "")
                rows.append(Measurement(name, measure, statistic, value, "bits", note=note))
    table = tuple(numbers[:6])
    series = (Series("", "reliability", "share", (2, 3), table),)
    made = report(rows, sites=CHAIN[:sites], data=data, series=series)
    for finding in made.findings:
        assert finding.sentence.endswith(".")
        assert finding.advice.endswith(".")
        assert finding.value is None or math.isfinite(finding.value)
    assert summary(made)
