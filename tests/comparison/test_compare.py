"""compare(): from files, modules and reports to what changed, and what cannot be compared."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from infoflow import analyze, compare, measuring
from infoflow.comparison.comparison import Fate, Outcome
from infoflow.comparison.verdict import differs, verdict
from infoflow.errors import (
    CheckpointError,
    ComparisonError,
    ReportError,
    SelectionError,
)
from infoflow.render.to_json import to_json, to_json_list
from tests.cases import SHARED, gaussian
from tests.comparison.making import compared, network, saved, trained, with_change


def test_the_same_weights_are_no_difference(tmp_path):
    found = compared(tmp_path, network(), network())
    assert not differs(found)
    assert verdict(found) == "no difference: the weights of 4 layers are the same"
    assert {one.outcome for one in found.changes} <= {Outcome.SAME, Outcome.ABSENT}
    assert not any(one.changed for one in found.layers)


def test_a_file_with_a_nan_does_not_differ_from_its_copy(tmp_path):
    broken = network()
    broken["head.weight"][1, 2] = np.nan
    found = compared(tmp_path, broken, broken)
    assert verdict(found) == "no difference: the weights of 4 layers are the same"


def test_a_scaled_layer_is_what_changed_most(tmp_path):
    before = network()
    after = with_change(
        before,
        features_1_weight=before["features.1.weight"] * np.float32(2),
        head_weight=before["head.weight"] * np.float32(1.25),
    )
    found = compared(tmp_path, before, after, measures="default")
    assert [one.name for one in found.layers][:2] == ["features.1", "head"]
    assert [one.changed for one in found.layers] == [True, True, False, False]
    assert found.row("features.1", "weight-change", "relative").change == pytest.approx(1.0)
    assert found.row("features.1", "weight-change", "cosine").change == pytest.approx(1.0)
    assert found.row("features.1", "subspace-angle", "left").change < 1e-4
    volume = found.row("features.1", "log-volume.density")
    assert volume.change == pytest.approx(8 * math.log(2), abs=0.05)
    assert volume.beyond is True
    assert found.row("head", "log-volume").change == pytest.approx(4 * math.log(1.25), abs=1e-6)
    assert verdict(found).startswith(
        "2 of 3 layers and 0 of 1 normalisation changed; most: features.1 (relative change 1)"
    )


def test_a_zeroed_filter_and_its_return(tmp_path):
    before = network()
    weight = before["features.1.weight"].copy()
    weight[2] = 0
    after = with_change(before, features_1_weight=weight)
    there = compared(tmp_path, before, after, measures="default")
    row = there.row("features.1", "log-volume.density")
    assert row.outcome is Outcome.BECAME_INFINITE
    assert row.before is not None
    assert row.after is row.change is None
    assert "output channels is exactly zero (2)" in row.note
    assert there.row("features.1", "rank").change == -1
    assert there.row("features.1", "filters.dead").change == 1
    zeros = there.row("features.1", "weight-change", "zeros")
    assert (zeros.before, zeros.after) == (0, 72)
    assert {one.rule for one in there.findings if one.fate is Fate.APPEARED} >= {"dead-filters"}
    back = compared(tmp_path, after, before, measures="default")
    row = back.row("features.1", "log-volume.density")
    assert row.outcome is Outcome.LEFT_INFINITE
    assert {one.rule for one in back.findings if one.fate is Fate.DISAPPEARED} >= {"dead-filters"}


def test_a_layer_that_was_all_zero_comes_first(tmp_path):
    before = with_change(network(), head_weight=np.zeros((4, 8), np.float32))
    after = with_change(network(), features_0_weight=gaussian(8, 3, 3, 3, seed=99))
    found = compared(tmp_path, before, after)
    assert found.layers[0].name == "head"
    assert found.layers[0].score is None
    assert "most: head (every weight was exactly zero before)" in verdict(found)


def test_swapped_every_change_changes_sign(tmp_path):
    one, other = network(), network(seed=7)
    there = compared(tmp_path, one, other, measures="default")
    back = compared(tmp_path, other, one, measures="default")
    for row in there.changes:
        mirrored = back.row(row.layer, row.measure, row.statistic)
        if row.measure == "subspace-angle":
            assert mirrored.change == pytest.approx(row.change, abs=1e-5)
        elif row.before is not None and row.after is not None:
            assert mirrored.change == -row.change


def test_values_that_are_not_finite(tmp_path):
    weight = network()["head.weight"].copy()
    weight[0, 0] = np.nan
    found = compared(tmp_path, network(), with_change(network(), head_weight=weight))
    row = found.row("head", "weight-change", "relative")
    assert row.change is None
    assert row.note == "the weights hold 1 value that is NaN or infinite"
    assert found.row("head", "subspace-angle", "left").change is None
    assert found.row("head", "non-finite", "count").change == 1


def test_another_stored_type_is_told(tmp_path):
    before = network()
    after = {name: array.astype("float16") for name, array in before.items()}
    found = compared(tmp_path, before, after)
    assert {one.dtypes for one in found.layers} == {("float32", "float16")}
    assert 0 < found.row("head", "weight-change", "relative").change < 2**-10


def test_layers_of_one_file_only_and_of_other_shapes_are_listed(tmp_path):
    before, after = network(), network()
    del after["head.weight"]
    after["tail.weight"] = gaussian(3, 3)
    after["features.1.weight"] = gaussian(6, 8, 3, 3)
    found = compared(tmp_path, before, after)
    assert {one.name: one.reason for one in found.unpaired} == {
        "head": "not in after.safetensors",
        "tail": "not in before.safetensors",
        "features.1": "8×8×3×3 in before.safetensors, 6×8×3×3 in after.safetensors",
    }
    assert [one.name for one in found.layers] == ["features.0", "norm"]
    assert differs(found)
    assert "3 layers not compared" in verdict(found)


def test_files_without_a_layer_in_common_are_refused(tmp_path):
    one, other = {"a.weight": gaussian(3, 3)}, {"b.weight": gaussian(3, 3)}
    with pytest.raises(ComparisonError, match=r"no layer in common.*has a; .*has b\.$"):
        compared(tmp_path, one, other)
    with pytest.raises(ComparisonError, match=r"same shape in all files: a is 3×3 in .*4×3 in"):
        compared(tmp_path, one, {"a.weight": gaussian(4, 3)})


def test_one_file_is_no_comparison(tmp_path):
    (path,) = saved(tmp_path, only=network())
    with pytest.raises(ComparisonError, match="two or more"):
        compare(path)
    with pytest.raises(CheckpointError, match="no such file"):
        compare(path, tmp_path / "missing.pt")


def test_a_sequence_in_the_order_of_its_numbers(tmp_path):
    step0, step2, step10 = trained(tmp_path)
    found = compare(step0, step10, step2, measures="paper")
    assert [one.step for one in found.snapshots] == [0, 2, 10]
    assert "order of the number in their names, not as given" in found.notes[0]
    pairs = {(r.first, r.second) for r in found.changes if r.measure == "weight-change"}
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    assert {(r.first, r.second) for r in found.changes if r.measure == "zeros"} == {(0, 1), (0, 2)}
    near = found.row("head", "weight-change", "relative", second=1)
    far = found.row("head", "weight-change", "relative")
    assert 0 < near.change < far.change
    two = compare(step0, step10, measures="paper")
    assert two.row("head", "weight-change", "relative").change == far.change


@pytest.fixture
def reports(tmp_path):
    before = network()
    after = with_change(before, head_weight=before["head.weight"] * np.float32(3))
    paths = saved(tmp_path, before=before, after=after)
    files = []
    for path in paths:
        report = analyze(path, complete=False)
        files.append(path.with_suffix(".json"))
        files[-1].write_text(to_json(report), encoding="utf-8")
    return paths, files


def test_every_file_is_opened_once(tmp_path, monkeypatch):
    opened = []
    real = measuring.open_network
    monkeypatch.setattr(
        measuring, "open_network", lambda path, **how: (opened.append(path), real(path, **how))[1]
    )
    paths = saved(tmp_path, before=network(), after=network(seed=9))
    assert len(compare(*paths, measures="paper").layers) == 4
    assert opened == [str(path) for path in paths]


class Counting:
    """Says in a file that its code has run, each time it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f"with open({str(self.path)!r}, 'a') as file: file.write('x')",)


def test_trusted_code_runs_once_a_file(tmp_path):
    torch = pytest.importorskip("torch")
    files = [tmp_path / "before.pt", tmp_path / "after.pt"]
    for path in files:
        module = torch.nn.Linear(5, 4)
        torch.save({"model": module, "more": Counting(path.with_suffix(".ran"))}, path)
    compare(*files, measures="paper", trust_pickle=True)
    assert [path.with_suffix(".ran").read_text() for path in files] == ["x", "x"]


def test_settings_are_said_as_in_a_report(tmp_path):
    paths = saved(tmp_path, before=network(), after=network(seed=9))
    asked = {"measures": "rank,zeros", "layers": "head", "fast": True, "seed": 3}
    of_report = analyze(paths[0], **asked).settings
    of_comparison = compare(*paths, **asked).settings
    shared = ("measures", "layers", "weights", "fast", "seed")
    assert {key: of_comparison[key] for key in shared} == {key: of_report[key] for key in shared}


def test_reports_alone_compare_measures(reports):
    _, files = reports
    found = compare(*files)
    assert not any(row.measure == "weight-change" for row in found.changes)
    assert found.layers[0].name == "head"
    assert "in standard deviations over layers" in found.layers[0].reason
    assert found.row("head", "weight-scale").change > 0
    assert any("no weights in reports" in note for note in found.notes)
    assert [one.report for one in found.snapshots] == [True, True]
    assert verdict(compare(files[0], files[0])).startswith("no difference: the figures of 4 layers")


def test_reports_and_files_may_be_mixed(reports):
    paths, files = reports
    found = compare(files[0], paths[1])
    assert not any(row.measure == "weight-change" for row in found.changes)
    assert "no weights in before.json" in found.notes[0]
    same = compare(files[0], paths[0])
    assert not [row for row in same.changes if row.outcome is Outcome.CHANGED]


def test_a_file_of_several_reports_is_several(reports, tmp_path):
    paths, _ = reports
    both = tmp_path / "both.json"
    text = to_json_list([analyze(path, complete=False) for path in paths])
    both.write_text(text, encoding="utf-8")
    assert [one.label for one in compare(both).snapshots] == [
        "before.safetensors", "after.safetensors",
    ]  # fmt: skip


def test_reports_are_narrowed_to_what_is_asked_for(reports):
    _, files = reports
    found = compare(*files, layers="head", measures="rank,zeros")
    assert [one.name for one in found.layers] == ["head"]
    assert {row.measure for row in found.changes} == {"rank", "zeros"}
    with pytest.raises(SelectionError, match="No layer matches"):
        compare(*files, layers="nothing")


def test_analyses_that_differ_are_told(reports, tmp_path):
    paths, files = reports
    other = tmp_path / "fast.json"
    other.write_text(to_json(analyze(paths[0], fast=True, complete=False)), encoding="utf-8")
    assert any("differ in fast" in note for note in compare(files[0], other).notes)


def test_a_damaged_report_is_named(reports, tmp_path):
    _, files = reports
    data = json.loads(files[0].read_text("utf-8"))
    data["schema_version"] = 99
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ReportError, match=r"broken\.json: The report has schema version 99"):
        compare(files[0], broken)


def test_an_index_of_shards_is_no_report(tmp_path):
    path = tmp_path / "x.index.json"
    path.write_text('{"weight_map": {}}', encoding="utf-8")
    with pytest.raises(CheckpointError):
        compare(path, path)


def test_reports_in_memory_and_live_modules(tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 4))
    other = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 4))
    other.load_state_dict(module.state_dict())
    with torch.no_grad():
        other[1].weight *= 2
    found = compare(module, other, measures="paper", complete=False)
    assert {one.name: one.changed for one in found.layers} == {"0": False, "1": True}
    report = analyze(module, measures="paper", complete=False)
    assert compare(report, report).layers


def test_digests_only_where_they_are_asked_for(tmp_path):
    paths = saved(tmp_path, a=network(), b=network())
    assert all(len(one.digest) == 64 for one in compare(*paths, measures="zeros").snapshots)
    found = compare(*paths, measures="zeros", complete=False)
    assert all(one.digest == "" for one in found.snapshots)


def test_progress_tells_files_then_weights(tmp_path):
    seen = []
    paths = saved(tmp_path, a=network(), b=network())
    compare(*paths, measures="zeros", progress=lambda label, step: seen.append((label, step.done)))
    labels = list(dict.fromkeys(label for label, _ in seen))
    assert labels == ["a.safetensors", "b.safetensors", "weights"]
    assert [done for label, done in seen if label == "weights"] == [0, 1, 2, 3]


def test_settings_say_how_it_was_made(tmp_path):
    found = compared(tmp_path, network(), network(), layers="head", seed=3)
    assert found.settings["seed"] == "3"
    assert found.settings["layers"] == "head"
    assert found.versions["infoflow"]


def test_two_resnets_of_other_depth():
    folder = SHARED / "data" / "weights"
    paths = [folder / "resnet20-12fca82f.th", folder / "resnet32-d509ac18.th"]
    if not all(path.exists() for path in paths):
        pytest.skip(f"needs {folder}, which is not here")
    found = compare(*paths, measures="paper", complete=False)
    assert sum(one.linear for one in found.layers) == 20
    assert {one.reason for one in found.unpaired} == {"not in resnet20-12fca82f.th"}
    assert any("architectures differ (ResNet-20" in note for note in found.notes)
