"""Which files are reports, by what is in them, and reading them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from infoflow import analyze
from infoflow.checkpoints import open_checkpoint
from infoflow.errors import CheckpointError, ReportError
from infoflow.render.to_json import to_json, to_json_list
from infoflow.report import Report
from infoflow.report_files import is_report, read_reports
from tests.comparison.making import network, saved


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return saved(tmp_path, net=network())[0]


@pytest.fixture
def report(checkpoint: Path) -> Report:
    return analyze(checkpoint, measures="paper", complete=False)


@pytest.mark.parametrize("name", ["report.json", "report.pt", "report", "r.index.json"])
def test_a_report_is_known_whatever_its_name(report: Report, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(to_json(report), encoding="utf-8")
    assert is_report(path)
    assert read_reports(path) == [report]


def test_a_list_and_another_layout_are_reports(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "both"
    path.write_text(to_json_list([report, report]), encoding="utf-8")
    assert is_report(path)
    assert read_reports(path) == [report, report]
    laid_out = json.dumps(json.loads(to_json(report)), sort_keys=True, indent=8)
    path.write_text("\n " + laid_out, encoding="utf-8")
    assert is_report(path)
    assert read_reports(path) == [report]


def test_a_checkpoint_is_none_whatever_its_name(checkpoint: Path, tmp_path: Path) -> None:
    path = checkpoint.rename(tmp_path / "net.json")
    assert not is_report(path)
    assert not is_report(tmp_path)
    index = tmp_path / "index"
    index.write_text(json.dumps({"weight_map": {"a": path.name}}), encoding="utf-8")
    assert not is_report(index)
    (tmp_path / "empty").touch()
    assert not is_report(tmp_path / "empty")


def test_a_header_whose_length_looks_like_a_bracket_is_a_checkpoint(tmp_path: Path) -> None:
    entry = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(entry).encode().ljust(ord("{"))
    path = tmp_path / "x"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    assert path.read_bytes().startswith(b"{")
    assert list(open_checkpoint(path).tensors) == ["w"]
    assert not is_report(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[]", "it is a list of no reports."),
        (b"{}", "not a report"),
        (b'{"a": "\xff"}', r"not UTF-8 text \(byte 7\)"),
        (b'{"a": ', "not JSON"),
    ],
)
def test_what_is_no_report_is_told_with_its_name(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert is_report(path)
    with pytest.raises(ReportError, match=rf"x\.json: .*{sentence}"):
        read_reports(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_reports(tmp_path / "gone.json")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CheckpointError, match="not a regular file"):
            is_report(tmp_path / "pipe")
