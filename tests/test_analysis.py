"""analyze(): files, folders and live modules, with and without torch, end to end."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

import infoflow
from infoflow.errors import ArchitectureError, CheckpointError, InfoflowError, SelectionError
from infoflow.render.to_json import from_json, to_json
from infoflow.report import Status
from tests.cases import SAMPLES, SHARED, gaussian

NO_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


def without_torch(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which torch cannot be imported, as if it were not installed."""
    return subprocess.run(
        [sys.executable, "-c", NO_TORCH + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_test_that_hides_torch_hides_it():
    assert "No module named 'torch'" in without_torch("import torch").stderr


@pytest.mark.parametrize(
    "name", ["lenet5-mnist.pt", "deep-fnn-he-init.pt", "vgg-cifar10.safetensors"]
)
def test_samples_are_analysed_whole_without_torch(name, tmp_path):
    code = "import infoflow.cli; sys.argv[0] = 'infoflow'; infoflow.cli.main()"
    done = without_torch(
        code, "analyze", SAMPLES / name, "--measures", "all", "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    report = from_json((tmp_path / "o" / "report.json").read_text("utf-8"))
    assert report.coverage.accounted == 1.0
    assert (tmp_path / "o" / "plots" / "figure1.png").exists() or "fnn" in name


def test_what_needs_torch_says_so_where_there_is_none(tmp_path):
    code = "import infoflow.cli; sys.argv[0] = 'infoflow'; infoflow.cli.main()"
    sample = SAMPLES / "lenet5-mnist.pt"
    for options in (["--device", "cuda"], ["--arch", "timm:resnet18"], ["--input-size", "64"]):
        done = without_torch(code, "analyze", sample, *options)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "not installed" in done.stderr
    assert without_torch(code, "info").returncode == 0
    assert without_torch(code, "selftest").returncode == 0


@pytest.mark.skipif(
    not (SHARED / "data/weights").is_dir(), reason="the shared weights are not here"
)
def test_every_shared_file_is_read_and_measured_without_torch():
    code = """
from infoflow import analyze
for path in sys.argv[1:]:
    report = analyze(path, measures="all", complete=False)
    assert report.architecture and report.coverage.accounted == 1.0, path
    print(path, len(report.measurements))
assert "torch" not in sys.modules
"""
    files = sorted((SHARED / "data/weights").iterdir())
    done = without_torch(code, *files)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files) == 6


def test_a_live_module_reads_like_its_file(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, bias=False),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 49, 5),
    )
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    report = infoflow.analyze(module, input_size=(15, 15), reference="none")
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    convolution = report.layers[0]
    assert (convolution.stride, convolution.input_size) == ((2, 2), (15, 15))
    assert report.row("0", "log-volume.density.folded") is not None
    torch.save(before, tmp_path / "m.pt")
    from_file = infoflow.analyze(tmp_path / "m.pt", reference="none")
    for layer, measure in (("0", "entropy-change.c11"), ("4", "entropy-change.logdet")):
        rows = [r.rows(layer=layer, measure=measure) for r in (report, from_file)]
        assert [row.value for row in rows[0]] == [row.value for row in rows[1]]
    assert from_file.layers[0].geometry.startswith("assumed")
    assert from_file.coverage.assumed > 0


def test_half_precision_modules_are_widened_exactly():
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(6, 6).to(torch.bfloat16)
    report = infoflow.analyze(module)
    weight = module.weight.detach().double().numpy()
    expected = np.linalg.slogdet(weight)[1]
    assert report.row("weight", "entropy-change.logdet").value == pytest.approx(expected, rel=1e-9)
    assert report.layers[0].dtype == "bfloat16"


def test_torch_on_the_cpu_gives_numpys_numbers_with_two_threads():
    torch = pytest.importorskip("torch")
    from infoflow.layers import Layer
    from infoflow.measures import choose
    from infoflow.measures.weights.subject import Subject

    weight = gaussian(256, 256, 3, 3, seed=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sides = [
            {
                (row.measure, row.statistic): row.value
                for measure in choose("log-volume.density,entropy-change.block-c11")
                for row in measure.compute(Subject(Layer("c", "convolution", array, "float32")))
            }
            for array in (weight, torch.from_numpy(weight))
        ]
    finally:
        torch.set_num_threads(threads)
    assert sides[0].keys() == sides[1].keys()
    for key, value in sides[0].items():
        assert value == pytest.approx(sides[1][key], rel=1e-9), key


def test_a_report_reads_back_the_same():
    report = infoflow.analyze(SAMPLES / "vgg-cifar10.safetensors")
    assert from_json(to_json(report)) == report


def test_row_identities_are_unique():
    report = infoflow.analyze(SAMPLES / "lenet5-mnist.pt", measures="all")
    keys = [(row.layer, row.measure, row.statistic) for row in report.measurements]
    assert len(keys) == len(set(keys))


def test_another_device_gives_the_same_numbers():
    """``cpu:0`` takes the path of ``cuda``: float64 torch tensors."""
    pytest.importorskip("torch")
    sample = SAMPLES / "lenet5-mnist.pt"
    plain, tensors = (infoflow.analyze(sample, measures="all", device=d) for d in ("cpu", "cpu:0"))
    assert [f.rule for f in plain.findings] == [f.rule for f in tensors.findings]
    assert len(plain.measurements) == len(tensors.measurements)
    for row, other in zip(plain.measurements, tensors.measurements, strict=True):
        assert (row.layer, row.measure, row.statistic, row.unit) == (
            other.layer,
            other.measure,
            other.statistic,
            other.unit,
        )
        assert (row.value is None) == (other.value is None), row
        if row.value is not None:
            assert row.value == pytest.approx(other.value, rel=1e-6, abs=1e-9), row


def test_seeds_and_notes_arrive():
    sample = SAMPLES / "lenet5-mnist.pt"
    first, second = (
        infoflow.analyze(sample, measures="log-volume.density", seed=seed) for seed in (0, 1)
    )
    values = [r.row("conv2", "log-volume.density").value for r in (first, second)]
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], abs=0.1)
    nested = infoflow.analyze(SAMPLES / "deep-fnn-he-init.pt", measures="paper")
    assert any("state_dict" in note for note in nested.notes)


def test_one_layer_is_in_memory_at_a_time(monkeypatch):
    import gc
    import weakref

    from infoflow import measuring

    alive = weakref.WeakSet()
    read = measuring._on_device

    def watched(layer, device):
        gc.collect()
        assert len(alive) == 0
        fresh = read(layer, device)
        alive.add(fresh)
        return fresh

    monkeypatch.setattr(measuring, "_on_device", watched)
    infoflow.analyze(SAMPLES / "lenet5-mnist.pt", measures="paper")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_measurement_is_a_finite_number_or_none_with_a_note(number):
    with pytest.raises(ValueError, match="not a finite number"):
        infoflow.Measurement("l", "m", "value", number, "nats")
    with pytest.raises(ValueError, match="needs a note"):
        infoflow.Measurement("l", "m", "value", None, "nats")


def test_what_was_not_chosen_is_said(tmp_path):
    report = infoflow.analyze(SAMPLES / "lenet5-mnist.pt", layers=["fc*"])
    left = report.coverage.with_status(Status.NOT_SELECTED)
    assert {record.name for record in left} == {"conv1.weight", "conv2.weight"}


def test_an_assumed_input_size_gives_totals(tmp_path):
    save_file({"c.weight": gaussian(2, 2, 3, 3)}, tmp_path / "c.safetensors")
    total = ("c", "entropy-change.c11-total")
    assert infoflow.analyze(tmp_path / "c.safetensors").row(*total).value is None
    report = infoflow.analyze(tmp_path / "c.safetensors", input_size=(8, 8))
    slices = np.log(np.abs(gaussian(2, 2, 3, 3)[:, :, 0, 0].astype(float)))
    assert report.row(*total).value == pytest.approx(36 * slices.sum())


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"arch": "torchvision:vgg61"}, ArchitectureError, "vgg16"),
        ({"arch": "torchvision:resnet18"}, ArchitectureError, "fit"),
        ({"layers": ["conv9"]}, SelectionError, "conv1"),
        ({"measures": "log-volum"}, SelectionError, "log-volume"),
        ({"weights": "ema"}, CheckpointError, "ema|EMA|averaged"),
        ({"device": "cuda:99"}, InfoflowError, "cuda:99"),
    ],
)
def test_mistakes_are_one_sentence(options, error, words):
    pytest.importorskip("torchvision")
    with pytest.raises(error, match=words):
        infoflow.analyze(SAMPLES / "lenet5-mnist.pt", **options)


FRESH = ["mobilenet_v3_small", "convnext_tiny", "swin_t", "resnet50", "vit_b_16", "vgg16"]


@pytest.mark.long
@pytest.mark.parametrize("name", FRESH)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_fresh_network_is_recognised_covered_and_like_its_twin(name, seed, tmp_path):
    """The rate: of fresh networks, 1 % may have a layer that is called unlike its twin.

    So none of 12 does with a probability of 89 %; these seeds pass.
    """
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(seed)
    torch.save(models.get_model(name).state_dict(), tmp_path / "fresh.pt")
    report = infoflow.analyze(tmp_path / "fresh.pt", complete=False)
    assert "torchvision" in report.architecture
    assert report.coverage.accounted == 1.0
    assert report.coverage.assumed == 0.0
    rules = {finding.rule for finding in report.findings}
    zero_head = {"all-zero-layers"} if name == "vit_b_16" else set()
    assert rules <= zero_head
    z = [row.value for row in report.rows(measure="random-twin.z-mean", statistic="value")]
    assert sum(value is not None for value in z) >= len(z) // 2


def test_a_device_that_fails_without_a_word(monkeypatch):
    torch = pytest.importorskip("torch")

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(torch, "from_numpy", fail)
    with pytest.raises(SelectionError, match="cannot be used: RuntimeError"):
        infoflow.analyze(SAMPLES / "lenet5-mnist.pt", measures="zeros", device="cuda")
