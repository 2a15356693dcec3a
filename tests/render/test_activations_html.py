"""The page's section on activations: every part, every site, every number, no colour alone."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from infoflow.render.to_html import to_html
from infoflow.report import DataSummary, Measurement, Report, Series, Site
from tests.render.activation_reports import (
    collapsed_report,
    hostile_activations,
    lenet_report,
    resnet_report,
)
from tests.render.reports import MEASURES, empty_report, example_report
from tests.render.test_to_html import Page


def section(report: Report) -> str:
    text = to_html(report, MEASURES)
    return text.partition('<section id="activations"')[2].partition("</section>")[0]


def words(report: Report) -> str:
    return " ".join(Page(f"<main>{section(report).partition('>')[2]}</main>").text.split())


def test_without_data_there_is_no_section() -> None:
    text = to_html(example_report(6), MEASURES)
    assert "activations" not in text.partition("<body>")[2].lower()
    assert "read-information" not in text


def test_the_section_has_every_part() -> None:
    made = section(lenet_report())
    for anchor in ("information", "chains", "redundancy", "sites"):
        assert f'<h3 id="{anchor}"' in made
    assert made.count('class="small"') >= 2 + 2 * 11
    assert len(re.findall(r'role="img" aria-label="I\(', made)) == 3
    text = words(lenet_report())
    for said in (
        "91.7%accuracy95 %: 89.8 … 93.3",
        "0.339natsNLL",
        "preprocessing1×28×28, mean 0.1307",
        "X is the image, as the network reads it; classification, 10 classes",
        "entropy-difference form, without diagonal; α = 2; σ half the median distance; n = 1,000",
        "↓ 6 falls, ↑ 0 rises, ? 4 cannot be told",
        "↓ 0 falls, ↑ 10 rises, ? 0 cannot be told",
        "the sign of learning, and no violated theorem",
        "a rise is no proof of an error",
    ):
        assert said in text.replace("\u202f", ""), said


def test_every_site_has_a_row_and_a_page_with_every_number() -> None:
    report = resnet_report()
    made = section(report)
    ids = re.findall(r'id="(site-\d+)"', made)
    assert ids == [f"site-{place + 1}" for place in range(len(report.sites))]
    place = next(i for i, site in enumerate(report.sites) if site.name == "layer1.0")
    page = made.partition(f'id="site-{place + 1}"')[2].partition("</table>")[0]
    shown = set(re.findall(r'<a href="#m\d+">([a-z0-9.-]+)</a>', page))
    assert {row.measure for row in report.rows(layer="layer1.0")} - shown <= {
        "dead-neurons", "saturated-neurons", "duplicate-filters",
    }  # fmt: skip


def test_the_numbers_of_a_site_are_not_on_the_page_of_the_layer_of_that_name() -> None:
    text = to_html(lenet_report(), MEASURES)
    layer = text.partition('id="layer-1"')[2].partition("</table></div>")[0]
    assert "mutual-information" not in layer
    assert "entropy-change.c11" in layer


def test_findings_lead_to_sites() -> None:
    text = to_html(lenet_report(), MEASURES)
    found = text.partition('<section id="findings"')[2].partition("</section>")[0]
    place = [site.name for site in lenet_report().sites].index("fc1.relu") + 1
    assert f'<a href="#site-{place}">fc1.relu</a>' in found


def test_sites_off_the_chain_are_listed_with_the_reason() -> None:
    made = section(resnet_report())
    assert "45 sites left off the chain, and why" in made
    assert "<dt>a path of layer1.0 runs around it</dt><dd>layer1.0.conv1, " in made
    assert "off the chain" not in section(lenet_report()).partition('id="sites"')[0]


def test_words_of_steps_do_not_depend_on_colour() -> None:
    made = section(lenet_report())
    cells = re.findall(r'<td[^>]*class="word-[a-z]+"[^>]*>([^<]*)</td>', made)
    assert set(cells) == {"↓ falls", "↑ rises", "? cannot be told"}
    steps = re.findall(r'<path d="[^"]*" class="step (\w+)"><title>([^<]*)</title>', made)
    assert {("falls", "falls"), ("rises", "rises")} <= set(steps)
    assert made.count('class="sign falls"') >= 6
    assert made.count('class="sign rises"') >= 11


def test_the_charts_of_steps_leave_out_sites_off_the_chain() -> None:
    made = section(resnet_report()).partition('id="chains"')[2].partition('id="redundancy"')[0]
    charts = made.split('role="img"')[1:]
    assert len(charts) == 3
    for chart in charts:
        assert chart.partition("</svg>")[0].count('class="hit"') == 14


def test_a_step_is_drawn_from_the_site_before_it_on_the_chain() -> None:
    """Three sites at 1, 0.5 and 0.5 bits: a line falls, then one runs level."""
    sites = tuple(Site(name, "linear map", (4,), True) for name in "abc")
    rows = [
        Measurement(name, f"mutual-information.input{part}", "value", value, unit)
        for name, value in zip("abc", (1.0, 0.5, 0.5), strict=True)
        for part, unit in (("", "bits"), (".ratio", "share"))
    ] + [
        Measurement("b", "data-processing.input", "value", -0.5, "bits", -0.6, -0.4, note="falls"),
        Measurement("c", "data-processing.input", "value", 0.0, "bits", note="cannot be told"),
    ]
    made = section(replace(empty_report(), sites=sites, measurements=tuple(rows)))
    lines = {
        kind: path for path, kind in re.findall(r'd="(M[^"]*)" class="step (\w+)"><title>', made)
    }
    ends = {kind: [float(v) for v in re.findall(r"-?[\d.]+", path)] for kind, path in lines.items()}
    assert ends["falls"][3] > ends["falls"][1] + 50  # downwards on the page
    assert ends["untold"][3] == ends["untold"][1]
    assert ends["falls"][2:] == ends["untold"][:2]


def test_a_collapsed_network_has_its_finding_and_reservations() -> None:
    text = words(collapsed_report())
    assert "0.00 ±0.02*" in text
    assert "a reservation stands in the figure’s note" in text


@pytest.mark.parametrize(
    "series",
    [
        Series("", "reliability", "share", (3,), (0.1, 0.2, 0.3)),
        Series("", "reliability", "share", (1, 3), (None, None, 0.0)),
        Series("", "confidence-histogram", "count", (2,), (0.0, 0.0)),
        Series("a", "activation-histogram", "count", (2,), (1.0, 2.0), "no range"),
        Series("a", "activation-histogram", "count", (2,), (1.0, 2.0), "from 1 to 1"),
        Series("a", "batch-entropy-histogram", "count", (0,), (), "from 0 to 1"),
        Series("a", "filter-dependence", "share", (1, 1), (None,)),
    ],
)
def test_unlikely_series_are_left_out(series: Series) -> None:
    site = Site("a", "linear map", (2,), True)
    data = DataSummary("x", "", 1, None, "none", (), "none", "x")
    report = replace(empty_report(), sites=(site,), data=data, series=(series,))
    assert 'class="small"' not in section(report)


def test_values_that_are_missing_are_dashes() -> None:
    site = Site("a", "linear map", (2,), True)
    rows = (
        Measurement("a", "mutual-information.input", "value", None, "bits", note="constant"),
        Measurement("a", "batch-entropy", "value", None, "nats", note="not computed: NaN"),
        Measurement("", "accuracy", "value", None, "share", note="no labels"),
    )
    made = section(replace(empty_report(), sites=(site,), measurements=rows))
    assert 'title="constant">—</td>' in made
    assert "no labels" in made


def test_hostile_words_are_text() -> None:
    made = section(hostile_activations())
    assert "<script" not in made
    assert "<img src=x" not in made
    assert html.escape("<script>alert('x')</script>", quote=False) in made.replace("&#39;", "'")


def test_the_file_stays_small() -> None:
    assert len(to_html(resnet_report(), MEASURES)) < 1_000_000
