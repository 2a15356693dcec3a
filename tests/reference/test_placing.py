"""Rows of placing: where, among how many, what is said beyond the table, and what is not said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import infoflow
from infoflow.reference.gathering import network_of, rows_by_layer
from infoflow.reference.places import shipped
from infoflow.reference.placing import placed, silent_kinds
from infoflow.reference.quantities import QUANTITIES
from infoflow.reference.strata import DENSE, POINTWISE, stratum
from infoflow.reference.table import Table
from infoflow.render.to_json import from_json, to_json
from infoflow.report import HEALTHY_EXCESS, HEALTHY_PERCENTILE
from tests.cases import SAMPLES
from tests.findings.building import conv, dense, draw, report_of
from tests.reference.making import gaussians, network


@pytest.fixture(scope="module")
def report():
    return infoflow.analyze(SAMPLES / "lenet5-mnist.pt", reference="shipped")


def healthy(rows):
    return [row for row in rows if row.statistic.startswith("healthy-")]


def test_every_placing_is_that_of_the_naive_twin(report):
    table, checked = shipped(), 0
    for rows in rows_by_layer(report.layers, report.measurements):
        kind = stratum(rows.layer)
        for quantity in QUANTITIES if kind else ():
            value = quantity.compute(rows)
            if value is None or not table.distribution(kind, quantity.name):
                continue
            value = float(f"{value:.4g}")
            shares = []
            for one in table.networks:
                values = one.values.get(kind, {}).get(quantity.name)
                if values:
                    hits = sum(1 if x < value else 0.5 if x == value else 0 for x in values)
                    shares.append(hits / len(values))
            suffix = ".standard-deviation" if quantity.statistic == "standard-deviation" else ""
            row = rows.rows[quantity.measure(rows), HEALTHY_PERCENTILE + suffix]
            assert row.value == pytest.approx(100 * np.mean(shares), abs=0.11)
            checked += 1
    assert checked > 20


def test_a_placing_says_among_how_many_and_stands_with_its_layer(report):
    rows = healthy(report.measurements)
    assert {row.unit for row in rows} <= {"percent", "interquartile ranges"}
    layers, networks = shipped().counts(DENSE)
    row = report.row("fc1", "effective-rank", HEALTHY_PERCENTILE)
    assert f"among {layers} dense layers of {networks} trained networks" in row.method
    assert "no verdict on quality" in row.method
    order = [row.layer for row in report.measurements]
    assert [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name] == [
        layer.name for layer in report.layers
    ]


def test_layers_of_few_directions_are_not_placed(report):
    assert not healthy(report.rows(layer="conv1"))


def test_the_report_says_what_it_was_compared_with_and_reads_back(report):
    table = shipped()
    assert table.digest in report.settings["reference"]
    assert f"{len(table.networks)} networks" in report.settings["reference"]
    assert from_json(to_json(report)) == report


def test_an_empty_table_adds_nothing():
    report = infoflow.analyze(SAMPLES / "lenet5-mnist.pt", reference="none", complete=False)
    assert not healthy(report.measurements)
    assert report.settings["reference"] == "none"
    assert placed(report.layers, report.measurements, Table()) == list(report.measurements)


def test_a_small_table_does_not_speak_and_says_so():
    report = report_of([conv(draw(16, 16, 1, 1), "one"), dense(draw(16, 16), "fc")])
    assert not healthy(report.rows(layer="one"))
    assert healthy(report.rows(layer="fc"))
    (said,) = silent_kinds(report.layers, shipped())
    assert POINTWISE in said
    assert "too few" in said
    small = Table((network("a", *range(19)), network("b", 1.0)))
    kept = [row for row in report.measurements if not row.statistic.startswith("healthy-")]
    assert not healthy(placed(report.layers, kept, small))


def test_beyond_the_table_is_said_with_its_distance():
    table = gaussians(6, layers=10)
    weight = draw(16, 16, gain=1e4)
    kept = [
        row
        for row in report_of([dense(weight)]).measurements
        if not row.statistic.startswith("healthy-")
    ]
    rows = healthy(placed(report_of([dense(weight)]).layers, kept, table))
    assert [row.statistic for row in rows] == [HEALTHY_PERCENTILE, HEALTHY_EXCESS]
    percentile, excess = rows
    assert percentile.value == 100
    assert "is above all 30 dense layers of 3 trained networks (the highest: " in percentile.note
    distribution = table.distribution(DENSE, "gain")
    assert excess.value > 0
    assert excess.value == pytest.approx(
        (float(f"{np.log(1e4):.4g}") - distribution.highest) / distribution.middle_half, rel=0.05
    )


def test_minus_infinity_is_below_all_and_at_no_distance():
    weight = draw(16, 16)
    weight[3] = weight[2]
    report = report_of([dense(weight)])
    row = report.row("fc", "log-volume", HEALTHY_PERCENTILE)
    assert row.value == 0
    assert row.note.startswith("−∞ is below all ")
    assert report.row("fc", "log-volume", HEALTHY_EXCESS) is None


def test_placing_twice_is_refused_by_no_one_but_adds_rows_once(report):
    bare = [row for row in report.measurements if not row.statistic.startswith("healthy-")]
    assert placed(report.layers, bare, shipped()) == list(report.measurements)


def test_a_network_lies_in_its_own_table(report):
    one = network_of(report, "me", "0" * 64, {})
    for kind, quantities in one.values.items():
        for name, values in quantities.items():
            distribution = Table((replace(one, layers={kind: 3}),)).distribution(kind, name)
            assert all(0 < distribution.percentile(value) < 100 for value in values)


def test_the_finding_says_facts_and_how_many_were_looked_at():
    weight = draw(64, 64)
    left, values, right = np.linalg.svd(weight)
    noise = 0.01 * np.std(weight) * draw(64, 64, seed=5)
    flat = ((left[:, :6] * values[:6]) @ right[:6] + noise).astype(np.float32)
    report = report_of([dense(flat, "fc1"), dense(draw(64, 64, seed=1), "fc2")])
    (finding,) = (f for f in report.findings if f.rule == "unlike-healthy-layers")
    assert finding.layers == ("fc1",)
    assert finding.sentence.startswith("1 of 2 placed layers is poorer than every healthy one")
    assert "below all 148 dense layers of 15 trained networks" in finding.sentence
    assert "bad" not in finding.sentence
    assert finding.value > finding.threshold == 2
