"""Writing outputs: one table of forms, everything rendered before the first file is written."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

from infoflow.cli.analyze import analyze
from infoflow.cli.outputs import Format, Outputs
from infoflow.errors import OutputError
from infoflow.findings import summary
from infoflow.journal import stamps
from infoflow.render import RENDERERS, to_plots
from tests.render.reports import empty_report, example_report


def outputs(**given):
    fields = {field.name: None for field in dataclasses.fields(Outputs)}
    return Outputs(**fields | {"format": Format.png} | given)


def report():
    return example_report(5, measures="paper", with_series=False)


def test_every_form_has_an_option_and_a_field():
    fields = {field.name for field in dataclasses.fields(Outputs)}
    assert set(RENDERERS) <= fields & set(inspect.signature(analyze).parameters)


def test_a_folder_holds_every_form(tmp_path, capsys):
    outputs(out=tmp_path / "new").write([report()], quiet=False)
    endings = {renderer.ending for renderer in RENDERERS.values()}
    found = {path.name for path in (tmp_path / "new").iterdir()}
    assert found == {f"report.{ending}" for ending in endings} | {"plots"}
    assert [path.name for path in (tmp_path / "new" / "plots").iterdir()] == ["figure1.png"]
    said = capsys.readouterr()
    assert said.err.endswith("new/report.json, .csv, .md, .html and plots/\n")
    assert said.out == ""


@pytest.mark.parametrize("found", [report(), empty_report()])
def test_texts_hold_the_summary_that_the_terminal_prints(tmp_path, found):
    outputs(html=str(tmp_path / "x.html"), markdown=str(tmp_path / "x.md")).write(
        [found], quiet=True
    )
    words = summary(found)
    assert f"**{words}**" in (tmp_path / "x.md").read_text("utf-8")
    assert words[1:] + ". " in (tmp_path / "x.html").read_text("utf-8")


def test_nothing_is_written_where_something_cannot_be_drawn(tmp_path, monkeypatch):
    def refuse(*_):
        raise OutputError("no ink")

    monkeypatch.setattr(to_plots, "drawn", refuse)
    with pytest.raises(OutputError, match="no ink"):
        outputs(json=str(tmp_path / "x.json"), out=tmp_path / "all").write([report()], quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_where_one_file_cannot_be(tmp_path):
    (tmp_path / "all" / "report.html").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"report\.html: cannot be written"):
        outputs(json=str(tmp_path / "x.json"), out=tmp_path / "all").write([report()], quiet=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == []


def test_plots_say_what_is_not_drawn(tmp_path, capsys):
    outputs(plots=tmp_path / "plots").write([report()], quiet=False)
    said = capsys.readouterr().err
    assert f"wrote 1 plots into {tmp_path / 'plots'}" not in said
    assert f"wrote 1 plot into {tmp_path / 'plots'}" in said
    assert "not drawn: log-volume: no layer has a log-volume\n" in said


def over(target, source, **more):
    with pytest.raises(OutputError, match="belongs to the input"):
        outputs(json=str(target), **more).check([source])


def test_no_output_goes_over_an_input_by_any_name(tmp_path, monkeypatch):
    model = tmp_path / "model.pt"
    model.write_bytes(b"weights")
    (tmp_path / "soft").symlink_to(model)
    (tmp_path / "hard").hardlink_to(model)
    monkeypatch.chdir(tmp_path)
    for name in ("model.pt", "./model.pt", str(model), "soft", "hard"):
        over(name, model)
        over(model, Path(name))
    outputs(json="other.json").check([model])
    with pytest.raises(OutputError, match="belongs to the input"):
        outputs().check([model], journal=model)
    with pytest.raises(OutputError, match="two outputs cannot go to one file"):
        outputs(json="x").check([model], journal=Path("x"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").symlink_to(model)
    with pytest.raises(OutputError, match="belongs to the input"):
        outputs(out=tmp_path / "out").check([model])


def test_no_folder_of_outputs_is_an_input_or_could_cost_one(tmp_path):
    first, second = tmp_path / "models" / "a", tmp_path / "models" / "b"
    for folder in (first, second):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text("")
    (tmp_path / "link").symlink_to(first)

    def refused(words, *paths, **chosen):
        with pytest.raises(OutputError, match=words):
            outputs(**chosen).check(paths)

    for folder in (first, tmp_path / "link"):
        refused("is an input", first, out=folder)
        refused("is an input", first, plots=folder)
    refused("is an input", first, second, out=tmp_path / "models")
    (first / "plots").mkdir()
    refused("is an input", first / "plots", out=first)
    outputs(out=tmp_path / "models").check([first])
    outputs(out=tmp_path / "models").check([first, second], documents=1)
    outputs(out=first, plots=first).check([first / "model.safetensors"])
    picture = tmp_path / "figures" / "spectra.png"
    picture.parent.mkdir()
    picture.write_text("")
    refused("belongs to the input", picture, plots=picture.parent)
    report = tmp_path / "all" / "model.safetensors" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text("")
    refused("belongs to the input", first / "model.safetensors", report, out=tmp_path / "all")


def test_no_output_goes_over_data_of_a_model_in_a_folder_below(tmp_path):
    model = tmp_path / "model.onnx"
    data = tmp_path / "data" / ("long" * 40) / "weights.json"
    data.parent.mkdir(parents=True)
    data.write_text("")
    location = str(data.relative_to(tmp_path)).encode()
    length = bytes([len(location) % 128 + 128, len(location) // 128])
    model.write_bytes(b"\x08\x07\x0a\x08location\x12" + length + location + b"\x1a")
    over(data, model)
    outputs(json=str(data.parent / "other.json")).check([model])
    before = stamps(model)
    data.write_text("changed")
    assert stamps(model) != before
    model.write_bytes(b"\x0a\x08location\x12\xff\x7f..")
    outputs(json=str(data)).check([model])


def test_no_output_goes_over_a_part_of_an_input(tmp_path):
    index, shard = tmp_path / "model.safetensors.index.json", tmp_path / "m-1.safetensors"
    config, report = tmp_path / "config.json", tmp_path / "report.json"
    for file in (index, shard, config, report):
        file.write_text("{}")
    for target in (index, shard, config):
        over(target, tmp_path)
        over(target, index)
    outputs(json=str(report)).check([tmp_path])
    model, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    model.write_text("")
    data.write_text("")
    over(data, model)
    outputs(json=str(report)).check([model])
