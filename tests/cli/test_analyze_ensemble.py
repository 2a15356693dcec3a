"""`infoflow analyze --ensemble` as a user meets it."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_analyze import mistake

torch = pytest.importorskip("torch")
from infoflow.render.to_json import from_json  # noqa: E402
from infoflow.zoo import CifarResNet, LeNet5  # noqa: E402


@pytest.fixture
def three(tmp_path):
    """Small networks of three seeds, two of them as snapshots of the same name."""
    paths = []
    for seed, name in enumerate(("one.pt", "early/net.pt", "late/net.pt")):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = LeNet5()
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(network.state_dict(), tmp_path / name)
        paths.append(name)
    return paths


def analyze(run, *arguments, **more):
    few = ("--samples", 24, "--measures", "paper", "--reference", "none")
    return run("analyze", *arguments, *few, **more)


def test_files_as_one_network(run, three, tmp_path):
    result = analyze(run, *three, "--ensemble", "--data", "shapes", "--out", "out")
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    for word in ("total entropy", "early/net.pt", "KL(row‖column)", "uncertain samples"):
        assert word in result.stdout
    folders = {path.name for path in (tmp_path / "out").iterdir()}
    assert folders == {"one.pt", "net.pt", "net.pt-2", "ensemble"}
    endings = {path.name for path in (tmp_path / "out" / "ensemble").iterdir()}
    assert endings == {"report.json", "report.csv", "report.md", "report.html", "plots"}
    report = from_json((tmp_path / "out" / "ensemble" / "report.json").read_text("utf-8"))
    assert report.members == ("one.pt", "early/net.pt", "late/net.pt")
    single = from_json((tmp_path / "out" / "one.pt" / "report.json").read_text("utf-8"))
    for measure in ("accuracy", "negative-log-likelihood", "predictive-entropy"):
        ours, theirs = report.row("one.pt", measure), single.row("", measure)
        assert ours.value == pytest.approx(theirs.value, abs=1e-6), measure
    assert len(single.samples) == 12
    assert sum(row.statistic.startswith("class ") for row in single.measurements) == 10
    assert "samples" in (tmp_path / "out" / "one.pt" / "report.html").read_text("utf-8")


def test_what_cannot_be_one_network_is_said_before_the_work(run, three, tmp_path):
    mistake(analyze(run, three[0], "--ensemble", "--data", "shapes"), "two files or more")
    mistake(analyze(run, *three, "--ensemble"), "--data shapes")
    torch.save(CifarResNet(8, classes=7).state_dict(), tmp_path / "seven.pt")
    result = analyze(run, three[0], "seven.pt", "--ensemble", "--data", "shapes", "--out", "out")
    mistake(result, "one.pt 10 and seven.pt 7", "networks of the same classes")
    assert not (tmp_path / "out").exists()


def test_one_html_file_takes_one_input(run, three):
    mistake(analyze(run, *three, "--ensemble", "--data", "shapes", "--html", "x.html"), "--out")


@pytest.mark.long
def test_a_list_of_reports_ends_with_the_ensemble(run, three):
    result = analyze(run, *three[:2], "--ensemble", "--data", "shapes", "--json", "-")
    assert result.returncode == 0, result.stderr
    assert [one["source"] for one in json.loads(result.stdout)] == ["one.pt", "early/net.pt",
                                                                   "ensemble"]  # fmt: skip
