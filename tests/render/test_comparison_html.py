"""The page of a comparison: whole, closed to the network, escaped, sortable."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import pytest

from infoflow.comparison.verdict import verdict
from infoflow.render.comparison.to_html import to_html
from tests.render.comparisons import example_comparison, hostile_comparison, same_comparison
from tests.render.reports import MEASURES
from tests.render.test_to_html import Page

CASES = {
    "two": example_comparison,
    "five": lambda: example_comparison(5, 8),
    "reports": lambda: example_comparison(2, 8, weights=False),
    "same": same_comparison,
    "hostile": hostile_comparison,
    "hostile sequence": lambda: hostile_comparison(4),
    "long": lambda: example_comparison(3, 60, channels=3),
}
every = pytest.mark.parametrize("case", CASES)


@cache
def rendered(case):
    return to_html(CASES[case](), MEASURES)


@cache
def page(case):
    return Page(rendered(case))


@every
def test_every_element_is_closed_and_every_link_leads_somewhere(case):
    found = page(case)
    assert found.open == []
    places = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(places)) == len(places)
    links = [a["href"] for a in found.all("a")]
    assert all(link.startswith("#") and link[1:] in places for link in links)


@every
def test_nothing_is_loaded_and_only_our_script_runs(case):
    text, found = rendered(case), page(case)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(m["content"] for m in found.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    for tag, attributes in found.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        source = attributes.get("src", "") or (attributes.get("href", "") if tag == "image" else "")
        assert source == "" or source.startswith("data:image/png;base64,")


@every
def test_every_layer_has_a_row_and_a_page(case):
    comparison = CASES[case]()
    bodies = [a for a in page(case).all("tbody") if "data-kind" in a]
    assert len(bodies) == len(comparison.layers)
    anchors = {a.get("id") for a in page(case).all("div")}
    assert {f"layer-{one.place + 1}" for one in comparison.layers} <= anchors


@pytest.mark.parametrize("case", ["two", "five", "reports", "same", "long"])
def test_the_verdict_is_there(case):
    words = verdict(CASES[case]())
    assert words[0].upper() + words[1:] + "." in page(case).text


def test_cells_sort_by_numbers():
    rows = re.findall(r'<tbody data-kind="[^"]*"[^>]*>\s*<tr>(.*?)</tr>', rendered("two"), re.S)
    changes = [float(re.search(r'<td data-v="([^"]+)"', row)[1]) for row in rows]
    assert changes == sorted(changes, reverse=True)
    orders = re.findall(r'<td data-v="([^"]*)"', rendered("two"))
    assert "-Infinity" in orders
    assert all(float(order) == float(order) for order in orders)


def test_hostile_names_are_shown_as_text():
    for case in ("hostile", "hostile sequence"):
        text = rendered(case)
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<script>alert('x')</script>" in page(case).text


def test_a_sequence_has_lines_and_maps():
    titles = page("five").text
    assert "weight: relative change from the file before" in titles
    assert len(page("five").all("image")) == 5
    assert page("two").all("image") == []
    assert 'href="#flow"' not in rendered("two")


def test_every_file_is_listed_with_its_digest():
    text = page("five").text
    for one in CASES["five"]().snapshots:
        assert one.source in text
        assert one.digest in text
    assert "infoflow diff runs/step-*.pt" in text


def test_what_appeared_is_told():
    text = page("two").text
    assert "Became −∞" in text
    assert "old.fc: not in step-10.pt" in text
    assert "rule dead-layer" in text


def test_no_difference_draws_nothing():
    text = rendered("same")
    assert "No difference: the figures of 6 layers are the same." in page("same").text
    assert 'id="most"' not in text


def test_figures_that_did_not_change_are_a_line():
    assert "The same in both: " in page("same").text


def test_a_page_of_many_layers_is_small():
    assert len(rendered("long").encode()) < 1_000_000
