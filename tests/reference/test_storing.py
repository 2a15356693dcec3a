"""Tables as files: whole, of this version, or refused in one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infoflow.errors import ReferenceTableError
from infoflow.reference import places
from infoflow.reference.storing import from_json, to_json
from infoflow.reference.table import Table
from tests.reference.making import gaussians


def test_a_table_reads_back():
    assert from_json(to_json(gaussians()), "x") == gaussians()
    assert from_json(to_json(Table()), "x") == Table()


def test_the_shipped_table_reads_back_and_is_small():
    table = places.shipped()
    assert from_json(to_json(table), "x") == table
    assert len(to_json(table).encode()) < 100_000
    assert all(
        {"source", "licence", "task", "quality", "family"} <= set(one.about)
        for one in table.networks
    )


def change(**changes):
    return json.dumps(json.loads(to_json(gaussians())) | changes)


def change_network(**changes):
    data = json.loads(to_json(gaussians()))
    data["networks"][0] |= changes
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is not a table"),
        ('{"schema_version": 1}', "is not a table"),
        (to_json(gaussians())[:-40], "not JSON"),
        (change(reference_version=2), "version 2"),
        (change(quantities={"gain": "bits, version 1"}), "other definitions"),
        (change(networks={}), "lists no networks"),
        (change(networks=[1]), "lacks a field"),
        (change_network(extra=1), "one too many"),
        (change_network(digest="abc"), "no SHA-256"),
        (change_network(name=3), "no name"),
        (change_network(about={"a": 1}), "no text"),
        (change_network(layers={"dense layers": 0}), "count of layers"),
        (change_network(layers={"sparse layers": 4}), "count of layers"),
        (change_network(values={"sparse layers": {}}), "no known kind"),
        (change_network(values={"dense layers": {"beauty": [1]}}), "no known quantity"),
        (change_network(values={"dense layers": {"gain": [2, 1]}}), "not in order"),
        (change_network(values={"dense layers": {"gain": []}}), "or none"),
        (change_network(values={"dense layers": {"gain": ["1"]}}), "no number"),
        (change_network(values={"dense layers": {"gain": [True]}}), "no number"),
        (change_network(values={"dense layers": {"gain": [10**400]}}), "no number"),
        (change_network(values={"dense layers": {"gain": list(range(99))}}), "more values"),
        (to_json(gaussians()).replace("[-", "[NaN, -", 1), "not JSON"),
        (re.sub(r"\[-[\d.]+", "[-1e999", to_json(gaussians()), count=1), "no number"),
    ],
)
def test_what_is_no_such_table_is_refused(text, words):
    with pytest.raises(ReferenceTableError, match=words) as caught:
        from_json(text, "mine.json")
    assert str(caught.value).startswith("mine.json: ")
    assert str(caught.value).count("\n") == 0


def test_a_network_stands_once():
    data = json.loads(to_json(gaussians()))
    data["networks"] *= 2
    with pytest.raises(ReferenceTableError, match="stands twice"):
        from_json(json.dumps(data), "x")


def test_where_the_own_table_is(monkeypatch, tmp_path):
    monkeypatch.delenv("INFOFLOW_REFERENCE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert places.user_file() == tmp_path / "infoflow/reference.json"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert places.user_file() == Path.home() / ".local/share/infoflow/reference.json"
    monkeypatch.setenv("INFOFLOW_REFERENCE", str(tmp_path / "x.json"))
    assert places.user_file() == tmp_path / "x.json"
    assert places.own() == Table()


def test_words_choose_tables(monkeypatch, tmp_path):
    mine = tmp_path / "x.json"
    monkeypatch.setenv("INFOFLOW_REFERENCE", str(mine))
    assert places.choose("default").sentence == places.choose("shipped").sentence
    assert places.choose("none").table == Table()
    mine.write_text(to_json(gaussians()), "utf-8")
    assert places.choose("default").table.networks[-4:] == gaussians().networks
    assert places.choose("default").source == "shipped and own"
    assert places.choose(str(mine)).table == gaussians()
    mine.write_bytes(b"\xff\xfe")
    for word in ("default", str(mine)):
        with pytest.raises(ReferenceTableError, match="not JSON"):
            places.choose(word)
    with pytest.raises(ReferenceTableError, match="no such table"):
        places.choose(str(tmp_path / "other.json"))
    with pytest.raises(ReferenceTableError, match="cannot be read"):
        places.choose(str(tmp_path))
