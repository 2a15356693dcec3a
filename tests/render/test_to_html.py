"""The HTML report: whole, closed to the network, escaped, small, accessible."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest

from infoflow.png import png
from infoflow.render.html import colours
from infoflow.render.html.heatmap import corner_map, similarity_map
from infoflow.render.html.svg import Scale, spanning
from infoflow.render.text import printable
from infoflow.render.to_html import to_html
from infoflow.report import Coverage, Finding, LayerSummary, Measurement, Report, Series, Severity
from tests.render.activation_reports import (
    collapsed_report,
    hostile_activations,
    lenet_report,
    resnet_report,
)
from tests.render.reports import (
    HOSTILE_NAMES,
    MEASURES,
    empty_report,
    example_report,
    hostile_report,
)

VOID = {"meta", "link", "img", "input", "br", "hr"}
RAW = {"style", "script"}
CASES = {
    "example": example_report,
    "paper only": lambda: example_report(8, measures="paper", with_series=False),
    "nothing broken": lambda: example_report(8, broken=False),
    "hostile": hostile_report,
    "empty": empty_report,
    "long": lambda: example_report(60, channels=3),
    "one layer": lambda: _of_one_layer(),  # noqa: PLW0108 (defined below)
    "LeNet-5 on data": lenet_report,
    "ResNet-20 on data": resnet_report,
    "collapsed on data": collapsed_report,
    "hostile on data": hostile_activations,
}


class Page(HTMLParser):
    """Parses strictly: every element closed in its order, attributes quoted and once each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.parents: list[tuple[str, ...]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice in <{tag}>"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.parents.append(tuple(self.open))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside of SVG"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.parents.append(tuple(self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag, f"</{tag}> out of order"

    def handle_data(self, data: str) -> None:
        if not (self.open and self.open[-1] in RAW):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@cache
def rendered(case: str) -> str:
    return to_html(CASES[case](), MEASURES)


@cache
def page(case: str) -> Page:
    return Page(rendered(case))


def _of_one_layer() -> Report:
    layer = LayerSummary("only", "convolution", (1, 1, 3, 3), "float32", 9)
    rows = (
        Measurement("only", "entropy-change.c11", "mean", -1.0, "nats"),
        Measurement("", "log-volume.total", "value", None, "nats", note="not computed: a test"),
    )
    series = (
        Series("only", "c11", "nats", (1, 1), (-1.0,)),
        Series("only", "c11.histogram", "nats", (2, 1), (-1.0, 1.0)),
        Series("only", "spectrum", "ratio", (1,), (0.0,)),
        Series("only", "filter-norms", "norm", (1,), (0.0,)),
        Series("only", "c11.outliers", "nats", (0,), ()),
    )
    return replace(empty_report(), layers=(layer,), measurements=rows, series=series)


@pytest.mark.parametrize("case", CASES)
class TestEveryPage:
    def test_is_well_formed(self, case: str) -> None:
        text = rendered(case)
        assert text.startswith("<!doctype html>")
        assert page(case).open == []
        counts = Counter(tag for tag, _ in page(case).elements)
        assert counts["main"] == counts["h1"] == counts["nav"] == 1

    def test_identifiers_are_unique_and_links_resolve(self, case: str) -> None:
        names = [attributes["id"] for _, attributes in page(case).elements if "id" in attributes]
        assert len(set(names)) == len(names)
        targets = [attributes["href"] for attributes in page(case).all("a")]
        assert {target[0] for target in targets} == {"#"}
        assert {target[1:] for target in targets} <= set(names)
        labelled = [a.get("aria-labelledby") or a.get("for") for _, a in page(case).elements]
        for words in filter(None, labelled):
            assert set(words.split()) <= set(names)

    def test_loads_nothing(self, case: str) -> None:
        for tag, attributes in page(case).elements:
            assert tag not in {"iframe", "object", "embed", "base", "form", "audio", "video"}
            for name in ("src", "srcset", "href", "xlink:href", "action", "poster"):
                value = attributes.get(name, "")
                assert re.match(r"^(#|data:image/png;base64,|data:,$|$)", value), (tag, name, value)
            assert not any(name.startswith("on") for name in attributes)
        style = "".join(re.findall(r"<style>(.*?)</style>", rendered(case), re.DOTALL))
        assert "@import" not in style
        assert set(re.findall(r"url\(([^)]*)\)", style)) == {"#hatch"}

    def test_runs_its_own_script_only(self, case: str) -> None:
        scripts = re.findall(r"<script>(.*?)</script>", rendered(case), re.DOTALL)
        assert len(scripts) == len(page(case).all("script")) == 1
        digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
        policy = next(one["content"] for one in page(case).all("meta") if one.get("http-equiv"))
        assert f"script-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy

    def test_can_be_written(self, case: str) -> None:
        assert rendered(case).encode("utf-8")
        hidden = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
        assert not hidden.search(rendered(case))

    def test_is_accessible(self, case: str) -> None:
        parsed = page(case)
        for tag, attributes in parsed.elements:
            if tag == "img":
                assert attributes["alt"]
            if tag == "th":
                assert attributes["scope"] in {"row", "col", "colgroup"}
            if tag == "svg":
                assert attributes.get("aria-hidden") == "true" or attributes["aria-label"]
        assert parsed.all("html") == [{"lang": "en"}]
        assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in parsed.elements}
        assert parsed.all("a")[0] == {"class": "skip", "href": "#main"}
        levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-6]", tag)]
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))

    def test_has_five_figures_with_explanations(self, case: str) -> None:
        strip = rendered(case).split('<ul class="strip"')[1].split("</ul>")[0]
        assert strip.count("<li") == 5
        assert len(re.findall(r'href="#read-[a-z0-9]+"', strip)) == 5


def test_the_strict_parser_can_fail() -> None:
    for broken in ("<p><b></p></b>", "<p/>", '<p class="a" class="b"></p>', "</p>"):
        with pytest.raises(AssertionError):
            Page(broken)


@pytest.mark.parametrize("case", ["example", "paper only", "hostile", "long"])
def test_every_layer_has_a_row_and_a_page(case: str) -> None:
    report = CASES[case]()
    parsed = page(case)
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    for index, layer in enumerate(report.layers):
        assert f"layer-{index + 1}" in ids
        assert printable(layer.name) in parsed.text
    rows = [a for tag, a in parsed.elements if tag == "tbody" and "data-kind" in a]
    assert len(rows) == len(report.layers)


def test_every_finding_stands_most_serious_first_and_links_to_its_layers() -> None:
    report = example_report()
    mixed = replace(report, findings=tuple(reversed(report.findings)))
    section = rendered_section(to_html(mixed, MEASURES), "findings")
    shown = sorted(mixed.findings, key=lambda one: section.index(html.escape(one.sentence)))
    order = [list(Severity).index(finding.severity) for finding in shown]
    assert order == sorted(order)
    assert len(set(order)) == 3
    places = {layer.name: index + 1 for index, layer in enumerate(report.layers)}
    for finding in report.findings:
        assert html.escape(finding.advice).replace("&#x27;", "&#39;") in section
        for name in finding.layers:
            assert f'href="#layer-{places[name]}"' in section


def test_a_finding_about_many_layers_names_them_all() -> None:
    report = example_report(40, channels=3)
    names = tuple(layer.name for layer in report.layers)
    finding = Finding("many", Severity.NOTE, names, "rank", 1.0, None, "all of them", "look")
    section = to_html(replace(report, findings=(finding,))).split('id="findings"')[1]
    section = section.split("</section>")[0]
    assert "and 28 more" in section
    assert len(re.findall(r'href="#layer-\d+"', section)) == len(names)


def test_every_number_is_on_the_page_with_unit_and_note() -> None:
    report = example_report(6)
    text = to_html(report, MEASURES)
    for row in report.measurements:
        if row.note:
            assert html.escape(row.note, quote=False) in html.unescape(text).replace("&", "&amp;")
    first = text.split('id="layer-1"')[1].split("</table></div>")[0]
    rows = report.rows(layer="conv1")
    assert {row.measure for row in rows} == set(
        re.findall(r"<small>([a-z0-9.-]+)</small>", first)
        + re.findall(r'<a href="#m\d+">([a-z0-9.-]+)</a>', first)
    ) - {"log-volume"}
    assert "−17.48 <small>(−17.49\u202f…\u202f−17.47)" in to_html(
        replace(
            report,
            measurements=(
                Measurement("conv1", "log-volume.density", "value", -17.48, "nats",
                            -17.49, -17.47, "grid"),
            ),
        )
    ).replace("</b>", "").replace("<b>", "")  # fmt: skip


def test_a_missing_number_says_why_and_minus_infinity_is_written_so() -> None:
    layer = LayerSummary("conv", "convolution", (2, 2, 3, 3), "float32", 36)
    rows = (
        Measurement("conv", "entropy-change.c11", "mean", None, "nats", note="−∞: all are zero"),
        Measurement("conv", "stable-rank", "value", None, "count", note="not computed: zero"),
    )
    report = replace(empty_report(), layers=(layer,), measurements=rows)
    row = to_html(report).split('<tbody data-kind="convolution">')[1].split("</tr>")[0]
    assert '<td data-v="-Infinity" class="lost" title="−∞: all are zero">−∞</td>' in row
    assert 'title="not computed: zero">—</td>' in row


def test_zeros_are_counted_beside_the_finite_slices() -> None:
    """The count is of finite slices: −1 and −3 over 1 and 3 of them have the mean −2.5."""
    rows = [
        Measurement(name, "entropy-change.c11", statistic, value, unit)
        for name, mean, count, zeros in (("a", -1.0, 1.0, 7.0), ("b", -3.0, 3.0, 0.0))
        for statistic, value, unit in (
            ("mean", mean, "nats"), ("count", count, "count"), ("zeros", zeros, "count")
        )
    ]  # fmt: skip
    rows += [
        Measurement("c", "entropy-change.c11", "mean", None, "nats", note="−∞: all zero"),
        Measurement("c", "entropy-change.c11", "count", 0.0, "count"),
        Measurement("c", "entropy-change.c11", "zeros", 9.0, "count"),
    ]
    layers = tuple(LayerSummary(n, "convolution", (2, 2, 1, 1), "float32", 4) for n in "abc")
    text = to_html(replace(empty_report(), layers=layers, measurements=tuple(rows)))
    assert "<b>−2.50<small>nats</small></b>" in text
    assert "4\u202fslices; 16 more are zero" in text
    assert '<td class="lost" title="of 8 slices">7</td>' in text
    assert '<td data-v="9" class="lost" title="of 9 slices">all</td>' in text


def test_hostile_names_are_shown_as_text() -> None:
    parsed = page("hostile")
    assert len(parsed.all("script")) == 1
    assert all(one["src"].startswith("data:image/png") for one in parsed.all("img"))
    assert "<script>alert('x')</script>" in parsed.text
    assert "{{ 7 * 7 }}{% raw %}" in parsed.text
    assert "bidi\\u202egnp.exe\\u2066" in parsed.text
    assert "\\x1b[31mred" in parsed.text
    assert "(blank)" in parsed.text
    assert "(no name)" in parsed.text


def test_a_long_name_is_shortened_and_whole_in_its_title_and_page() -> None:
    long = HOSTILE_NAMES[5]
    assert any(one.get("title") == long for one in page("hostile").all("a"))
    headings = re.findall(r"<h3>(.*?)</h3>", rendered("hostile"))
    assert long in headings


def test_a_lone_surrogate_can_be_written() -> None:
    report = replace(empty_report(), source="bad\udcffname.pt")
    assert "bad\\udcffname.pt" in to_html(report)


def test_coverage_lists_every_tensor_left_out_by_reason() -> None:
    report = example_report(6)
    section = rendered_section(to_html(report), "left-out")
    assert "three dimensions, of no known layer" in section
    assert "mystery.table" in section
    assert "bn1.num_batches_tracked" in section
    assert "head.weight" in section
    assert section.index("not supported") < section.index("not a linear map")
    empty = replace(report, coverage=Coverage())
    assert "lists no tensors" in rendered_section(to_html(empty), "left-out")


def rendered_section(text: str, name: str) -> str:
    return text.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def test_measures_are_described_with_their_source() -> None:
    section = rendered_section(rendered("example"), "read")
    assert "Meni et al., Corollary 6 and eq. 15" in section
    bare = to_html(example_report(6))
    assert "entropy-change.c11" in rendered_section(bare, "read")


def test_the_command_and_the_whole_digest_are_there() -> None:
    report = example_report(6)
    section = rendered_section(to_html(report), "repeat")
    assert report.settings["command"] in section
    assert report.digest in section
    assert "<pre" not in rendered_section(rendered("empty"), "repeat")


def test_a_method_that_most_layers_share_is_said_once() -> None:
    text = rendered("example")
    shared = "½ log det of the smaller side&#39;s Gram matrix"
    assert text.count(shared) == 1
    report = example_report(8)
    other = tuple(
        replace(row, method="in another way") if row.layer == "layer1.0.conv1" else row
        for row in report.measurements
    )
    page_text = to_html(replace(report, measurements=other)).split('id="layer-3"')[1]
    assert "in another way" in page_text.split('id="layer-4"')[0]


def test_the_depth_profile_draws_every_linear_layer_once() -> None:
    report = example_report()
    section = rendered_section(rendered("example"), "depth")
    linear = [layer for layer in report.layers if layer.kind != "normalisation"]
    assert section.count('class="hit"') == len(linear)
    assert section.count('class="box"') == len(linear) - 2 + 1  # all-zero, dense; legend
    assert 'class="diamond"' in section
    assert 'class="gone"' in section
    body = section.split("<tbody>")[1]
    assert body.count('scope="row"') == len(linear)
    for layer in linear:
        assert layer.name in body


def test_no_chart_without_numbers() -> None:
    assert 'id="depth"' not in rendered("empty")
    only = example_report(6, measures="paper", with_series=False)
    section = rendered_section(to_html(only), "depth")
    assert "log-volume a channel" not in section
    assert 'class="outlier"' not in section


def test_a_network_of_normalisations_only_renders() -> None:
    layer = LayerSummary("bn", "normalisation", (4,), "float32", 4, geometry="none needed")
    row = Measurement("bn", "entropy-change.normalisation", "value", -1.5, "nats")
    text = to_html(replace(empty_report(), layers=(layer,), measurements=(row,)))
    assert 'id="depth"' not in text
    assert ">−1.5<" in text


def test_heat_maps_decode_and_show_minus_infinity_in_a_colour_of_its_own() -> None:
    image = pytest.importorskip("PIL.Image")
    series = Series("c", "c11", "nats", (2, 3), (-3.0, -2.0, None, -1.0, -2.5, -1.5))
    drawn = corner_map(series)
    assert drawn is not None
    assert drawn.missing == 1
    picture = image.open(BytesIO(base64.b64decode(drawn.address.partition(",")[2])))
    assert picture.size == (3, 2)
    pixels = picture.convert("RGB")
    assert pixels.getpixel((2, 0)) == colours.MISSING
    assert pixels.getpixel((0, 1)) == (0xFE, 0xE8, 0x38)
    assert colours.MISSING not in colours.ramp(colours.CIVIDIS, 64)


def test_similarity_shows_the_lower_triangle_of_magnitudes() -> None:
    image = pytest.importorskip("PIL.Image")
    series = Series("c", "filter-similarity", "cosine", (2, 2), (1.0, -1.0, -1.0, 1.0))
    drawn = similarity_map(series, 2)
    assert drawn is not None
    picture = image.open(BytesIO(base64.b64decode(drawn.address.partition(",")[2])))
    pixels = picture.convert("RGBA")
    assert pixels.getpixel((0, 1)) == (0xFD, 0xE7, 0x25, 255)
    assert {pixels.getpixel(place)[3] for place in ((0, 0), (1, 0), (1, 1))} == {0}
    aggregated = similarity_map(series, 128)
    assert aggregated is not None
    with_diagonal = image.open(BytesIO(base64.b64decode(aggregated.address.partition(",")[2])))
    assert with_diagonal.convert("RGBA").getpixel((1, 1))[3] == 255


def test_a_malformed_series_is_left_out() -> None:
    for series in (
        Series("only", "c11", "nats", (3,), (1.0, 2.0, 3.0)),
        Series("only", "c11", "nats", (0, 4), ()),
        Series("only", "c11.histogram", "nats", (3,), (1.0, 2.0, 3.0)),
        Series("only", "c11.histogram", "nats", (2, 2), (None, None, None, None)),
        Series("only", "spectrum", "ratio", (1,), (None,)),
    ):
        assert Page(to_html(replace(_of_one_layer(), series=(series,)))).open == []


def test_pictures_keep_their_pixels() -> None:
    image = pytest.importorskip("PIL.Image")
    palette = [(0, 0, 0), (10, 20, 30), (255, 255, 255)]
    picture = image.open(BytesIO(png([b"\0\1\2", b"\2\1\0"], palette))).convert("RGB")
    assert [picture.getpixel((x, y)) for y in (0, 1) for x in (0, 1, 2)] == [
        *palette, *reversed(palette),
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_contrast_is_enough(scheme: dict[str, str]) -> None:
    for ground in ("page", "card", "shade"):
        for ink in ("ink", "soft", "link", "serious", "warning", "note"):
            assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
        for mark in ("trained", "dense", "effective", "alarm"):
            assert contrast(scheme[mark], scheme[ground]) >= 3.0, (mark, ground)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_measured_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_colours_of_the_page_are_the_tested_ones() -> None:
    style = re.findall(r"<style>(.*?)</style>", rendered("example"), re.DOTALL)[0]
    for scheme in (colours.LIGHT, colours.DARK):
        for name, value in scheme.items():
            assert f"--{name}:{value};" in style
    used = set(re.findall(r"var\(--([a-z]+)\)", rendered("example")))
    assert used <= set(colours.LIGHT)
    assert colours.LIGHT.keys() == colours.DARK.keys()


def test_a_residual_network_of_54_layers_with_maps_is_small() -> None:
    text = to_html(_large_report(), MEASURES)
    assert text.count('width="192" height="192"') == 2 * 54
    assert len(text.encode()) < 1_000_000


def _large_report() -> Report:
    """As large as a ResNet-50's: 54 layers of noise, with every picture at its full size."""
    generator = np.random.default_rng(0)
    layers, rows, series = [], [], []
    for index in range(54):
        name = f"layer{index // 14 + 1}.{index}.conv{index % 3 + 1}"
        layers.append(LayerSummary(name, "convolution", (512, 512, 3, 3), "float32", 2359296))
        for place in range(62):
            method = f"of the {2304 + index} numbers of this layer, exact" if place % 6 == 0 else ""
            low = -1.0 if place % 12 == 0 else None
            rows.append(
                Measurement(name, f"a-family.measure-{place // 2}", ("mean", "value")[place % 2],
                            float(generator.normal()), "nats per position", low, low, method)
            )  # fmt: skip
        cosines = generator.beta(2, 8, (64, 64))
        pictures = {
            "c11": np.log(np.abs(generator.normal(size=(64, 64, 8)))).mean(-1),
            "filter-similarity": np.maximum(cosines, cosines.T),
            "spectrum": np.sort(generator.exponential(size=256))[::-1],
            "filter-norms": generator.gamma(9.0, size=512),
            "c11.outliers": generator.normal(-9.0, 1.0, 200),
            "c11.histogram": np.stack([np.linspace(-9, 0, 40), generator.integers(0, 9999, 40)]),
        }
        for kind, cells in pictures.items():
            series.append(Series(name, kind, "nats", cells.shape, tuple(cells.ravel().tolist())))
    return replace(
        empty_report(), layers=tuple(layers), measurements=tuple(rows), series=tuple(series)
    )


def test_a_very_long_network_leaves_out_maps_and_says_so() -> None:
    short, long = example_report(160, channels=3), example_report(480, channels=3)
    texts = [to_html(report, MEASURES) for report in (short, long)]
    assert "heat maps are drawn for" in texts[1]
    assert texts[1].count("data:image/png") < 60
    assert len(texts[1]) < 4 * len(texts[0])
    assert "heat maps are drawn for" not in rendered("long")


def test_numbers_without_a_layer_are_shown() -> None:
    text = rendered("one layer")
    assert "The whole network" in text
    assert "not computed: a test" in text
    assert "log-volume.total" in text


def test_no_layer_name_is_taken_for_a_place_in_the_page() -> None:
    layer = LayerSummary("main", "dense", (2, 2), "float32", 4)
    text = to_html(replace(empty_report(), layers=(layer, replace(layer, name="layer-1"))))
    names = [attributes.get("id") for _, attributes in Page(text).elements]
    assert Counter(names)["main"] == Counter(names)["layer-1"] == 1


def test_scales_hold_what_they_span() -> None:
    scale = spanning([-3.0, 4.0], 100.0, 0.0)
    assert scale.holds(-3.0)
    assert scale.holds(4.0)
    assert scale(scale.low) == 100.0
    assert all(scale.holds(tick) for tick in scale.ticks())
    flat = spanning([2.0, 2.0], 0.0, 1.0)
    assert flat.low < 2.0 < flat.high
    assert Scale(0.0, 100.0, 0.0, 1.0).ticks(4) == [0.0, 50.0, 100.0]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((4, 4),), "log|det| a unit, nats"),
        (((4, 4, 3, 3),), "log|c₁₁| a slice, nats"),
        (((4, 4, 3, 3), (4, 4)), "log|c₁₁| or log|det| a unit, nats"),
    ],
)
def test_the_axis_of_the_first_panel_names_what_is_drawn(shapes, words):
    layers, rows = [], []
    for place, shape in enumerate(shapes):
        dense = len(shape) == 2
        kind = "dense" if dense else "convolution"
        layers.append(LayerSummary(str(place), kind, shape, "float32", 16))
        measure = ("entropy-change.logdet", "value") if dense else ("entropy-change.c11", "mean")
        rows.append(Measurement(str(place), *measure, -1.0, "nats"))
    report = replace(_of_one_layer(), layers=tuple(layers), measurements=tuple(rows))
    axes = re.findall(r'class="axis"[^>]*>([^<]*)<', to_html(report, MEASURES))
    assert axes[0] == words


def test_long_words_may_break_anywhere_in_running_text():
    # A digest or a name of 300 characters is wider than a telephone.
    style = rendered("one layer")
    assert re.search(r"body\{[^}]*overflow-wrap:break-word", style)
    assert re.search(r"\.read p\{[^}]*overflow-wrap:anywhere", style)
