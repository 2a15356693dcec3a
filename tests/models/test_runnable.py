"""Networks that run: built, filled and tried; and their accuracy on real test data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from infoflow.data import Preprocessing, open_data  # noqa: E402
from infoflow.data.normalisations import own_preprocessing  # noqa: E402
from infoflow.errors import ArchitectureError, DataError  # noqa: E402
from infoflow.measures.outputs.stream import OutputStream  # noqa: E402
from infoflow.models import runnable, trial  # noqa: E402
from infoflow.zoo import ZOO, CifarResNet, VGGStyle  # noqa: E402
from tests.cases import SAMPLES, SHARED  # noqa: E402

WEIGHTS = SHARED / "data" / "weights"


def logits_of(module: nn.Module, seed: int = 0, shape: tuple[int, ...] = (3, 32, 32)):
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        return module(torch.randn(4, *shape, generator=generator))


def saved(module: nn.Module, path: Path, **changes) -> Path:
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()} | changes
    save_file({name: tensor for name, tensor in state.items() if tensor is not None}, path)
    return path


def settled(module: nn.Module, seed: int = 0) -> nn.Module:
    """With running statistics that are no longer those of a fresh network."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    return module.eval()


FILES = [path for path in sorted(SAMPLES.iterdir()) if path.suffix in {".pt", ".safetensors"}]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_samples_run_as_torch_loads_them(path):
    found = runnable(path)
    assert not found.module.training
    twins = "deep-fnn" in path.name  # two names of one network
    assert [note[:29] for note in found.notes] == ["Run as infoflow:deep-fnn-he, "] * twins
    entry = ZOO[found.architecture.name.removeprefix("infoflow:")]
    twin = entry.factory().eval()
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, weights_only=True)
    twin.load_state_dict(state.get("state_dict", state))
    one, other = (logits_of(m, shape=entry.input_shape) for m in (found.module, twin))
    assert torch.equal(one, other)


def test_nobodys_random_numbers_are_used_up():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    runnable(SAMPLES / "lenet5-mnist.pt")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shortcut", ["", "downsample", "shortcut"])
@pytest.mark.parametrize("head", ["linear", "fc"])
def test_residual_networks_in_each_spelling(tmp_path, shortcut, head):
    twin = settled(CifarResNet(14, shortcut, head, classes=7))
    found = runnable(saved(twin, tmp_path / "a.safetensors"))
    assert torch.equal(logits_of(found.module), logits_of(twin))
    assert found.channels == 3
    assert found.notes[0].startswith(f"1 layer in the file's size instead of the usual one: {head}")


def test_a_residual_network_by_name(tmp_path):
    twin = settled(CifarResNet(8))
    path = saved(twin, tmp_path / "a.safetensors")
    found = runnable(path, arch="infoflow:cifar-resnet8")
    assert torch.equal(logits_of(found.module), logits_of(twin))


def test_another_first_convolution(tmp_path):
    twin = CifarResNet(8)
    twin.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
    settled(twin)
    found = runnable(saved(twin, tmp_path / "a.safetensors"))
    assert found.channels == 1
    shape = (1, 32, 32)
    assert torch.equal(logits_of(found.module, shape=shape), logits_of(twin, shape=shape))


def test_half_precision_is_run_in_single(tmp_path):
    twin = settled(CifarResNet(8)).to(torch.bfloat16)
    found = runnable(saved(twin, tmp_path / "a.safetensors"))
    assert {p.dtype for p in found.module.parameters()} == {torch.float32}
    assert torch.equal(logits_of(found.module), logits_of(twin.float()))


def folded(network: VGGStyle) -> dict[str, torch.Tensor | None]:
    """What a network's tensors become when each norm is put into the convolution before it."""
    changes: dict[str, torch.Tensor | None] = {}
    layers = list(network.features)
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            scale = layer.weight / torch.sqrt(layer.running_var + layer.eps)
            weight = layers[i - 1].weight * scale[:, None, None, None]
            changes[f"features.{i - 1}.weight"] = weight.detach().clone()
            changes[f"features.{i - 1}.bias"] = (layer.bias - layer.running_mean * scale).detach()
            for key in layer.state_dict():
                changes[f"features.{i}.{key}"] = None
    return changes


def test_folded_norms(tmp_path):
    twin = settled(VGGStyle())
    path = saved(twin, tmp_path / "a.safetensors", **folded(twin))
    found = runnable(path, arch="infoflow:vgg-style")
    assert torch.allclose(logits_of(found.module), logits_of(twin), rtol=1e-3, atol=1e-4)
    assert "6 norms folded into the layers before" in found.notes[0]


def test_pruned_by_a_mask(tmp_path):
    from torch.nn.utils import prune

    twin = settled(VGGStyle())
    for layer in (twin.features[0], twin.classifier[1]):
        prune.random_unstructured(layer, "weight", 0.5)
    found = runnable(saved(twin, tmp_path / "a.safetensors"), arch="infoflow:vgg-style")
    assert torch.equal(logits_of(found.module), logits_of(twin))


NORMED = """
import torch
from torch.nn.utils.parametrizations import weight_norm
def normed(): return torch.nn.Sequential(weight_norm(torch.nn.Linear(4, 3)))
def plain(): return torch.nn.Sequential(torch.nn.Linear(4, 3))
"""


@pytest.mark.parametrize("factory", ["normed", "plain"])
def test_weight_norm_in_a_module_that_has_it_and_in_one_that_has_not(tmp_path, factory):
    code = tmp_path / "net.py"
    code.write_text(NORMED)
    twin = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    with torch.no_grad():
        twin[0].parametrizations.weight.original0.mul_(2)
    found = runnable(saved(twin, tmp_path / "a.safetensors"), arch=f"{code}:{factory}")
    one, other = (logits_of(m, shape=(4,)) for m in (found.module, twin))
    assert torch.allclose(one, other, atol=1e-6)


def test_whole_numbers_are_no_weights(tmp_path):
    twin = VGGStyle()
    changes = {"features.0.weight": torch.ones(16, 3, 3, 3, dtype=torch.int8)}
    path = saved(twin, tmp_path / "a.safetensors", **changes)
    with pytest.raises(ArchitectureError, match=r"1 stored as whole numbers .features.0.weight"):
        runnable(path, arch="infoflow:vgg-style")


def thinned(network: VGGStyle, kept: list[int]) -> dict[str, torch.Tensor]:
    """Without some filters of the first convolution, in every tensor that they touch."""
    state = network.state_dict()
    names = ["features.0.weight"]
    names += [f"features.1.{leaf}" for leaf in ("weight", "bias", "running_mean", "running_var")]
    changes = {name: state[name][kept].clone() for name in names}
    return changes | {"features.3.weight": state["features.3.weight"][:, kept].clone()}


def test_removed_filters(tmp_path):
    twin = settled(VGGStyle())
    gone = [2, 5]
    with torch.no_grad():
        for leaf in ("weight", "bias"):
            getattr(twin.features[1], leaf)[gone] = 0
    kept = [i for i in range(16) if i not in gone]
    path = saved(twin, tmp_path / "a.safetensors", **thinned(twin, kept))
    found = runnable(path, arch="infoflow:vgg-style")
    assert torch.allclose(logits_of(found.module), logits_of(twin), rtol=1e-3, atol=1e-4)
    assert "3 layers in the file's size" in found.notes[0]


def test_sizes_that_do_not_fit_each_other(tmp_path):
    twin = VGGStyle()
    changes = thinned(twin, list(range(14))) | {"features.3.weight": torch.zeros(16, 13, 3, 3)}
    path = saved(twin, tmp_path / "a.safetensors", **changes)
    with pytest.raises(ArchitectureError, match="do not fit each other there"):
        runnable(path, arch="infoflow:vgg-style")


def test_a_missing_tensor_and_one_too_many(tmp_path):
    twin = VGGStyle()
    path = saved(
        twin, tmp_path / "a.safetensors", **{"classifier.4.bias": None, "x": torch.ones(3)}
    )
    with pytest.raises(ArchitectureError) as found:
        runnable(path, arch="infoflow:vgg-style")
    assert "1 tensor missing (classifier.4.bias); 1 that it has no place for (x)" in str(
        found.value
    )


def test_another_kernel(tmp_path):
    twin = VGGStyle()
    path = saved(twin, tmp_path / "a.safetensors", **{"features.0.weight": torch.ones(16, 3, 5, 5)})
    with pytest.raises(ArchitectureError, match=r"1 of another shape .*is 16×3×5×5, not 16×3×3×3"):
        runnable(path, arch="infoflow:vgg-style")


def test_weights_of_an_unknown_network(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a.weight": torch.ones(3, 3)}, path)
    with pytest.raises(ArchitectureError, match=r"holds weights but no network.*--arch"):
        runnable(path)


CODE = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 4)
        self.head = torch.nn.Linear(4, 5, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids):
        return self.head(self.embedding(ids))
"""


def test_a_file_of_the_user_with_tied_weights(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    weight = torch.randn(5, 4)
    path = tmp_path / "a.safetensors"
    save_file({"embedding.weight": weight}, path)
    module = runnable(path, arch=f"{tmp_path / 'net.py'}:Net").module
    assert module.head.weight is module.embedding.weight
    with torch.no_grad():
        assert torch.allclose(module(torch.tensor([2])), weight[2:3] @ weight.T, atol=1e-6)


def test_a_file_cannot_name_code_to_run(tmp_path):
    (tmp_path / "net.py").write_text(CODE)
    path = tmp_path / "a.safetensors"
    spec = f"{tmp_path / 'net.py'}:Net"
    save_file({"embedding.weight": torch.ones(5, 4)}, path, metadata={"architecture": spec})
    with pytest.raises(ArchitectureError, match="holds weights but no network"):
        runnable(path)
    twin = VGGStyle()
    state = {k: v for k, v in twin.state_dict().items() if "classifier.4" not in k}
    save_file(state, path, metadata={"architecture": "infoflow:vgg-style"})
    with pytest.raises(ArchitectureError, match=r"cannot be run as .*: 2 tensors missing"):
        runnable(path)


def test_torchvisions_networks(tmp_path):
    models = pytest.importorskip("torchvision.models")
    twin = settled(models.resnet18(num_classes=3))
    found = runnable(saved(twin, tmp_path / "a.safetensors"))
    shape = (3, 64, 64)
    assert torch.equal(logits_of(found.module, shape=shape), logits_of(twin, shape=shape))
    assert found.architecture.name == "torchvision:resnet18"


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_b_16", {"image_size": 64}),
        ("googlenet", {"aux_logits": False, "init_weights": False}),
        ("squeezenet1_0", {"num_classes": 4}),
        ("mobilenet_v2", {"num_classes": 4}),
        ("fcn_resnet50", {"weights_backbone": None, "num_classes": 5}),
    ],
)
def test_more_of_torchvisions_networks(tmp_path, name, options):
    models = pytest.importorskip("torchvision.models")
    twin = settled(models.get_model(name, weights=None, **options))
    found = runnable(saved(twin, tmp_path / "a.safetensors"))
    shape = (3, 64, 64)
    one, other = (logits_of(m, shape=shape) for m in (found.module, twin))
    if isinstance(one, dict):
        one, other = one["out"], other["out"]
    assert torch.equal(one, other)


def test_data_that_the_network_does_not_take():
    module = runnable(SAMPLES / "lenet5-mnist.pt").module
    good = open_data("shapes", samples=4, preprocessing=Preprocessing((28, 28), channels=1))
    assert trial(module, good).output.shape == (4, 10)
    for size, channels in (((28, 28), 3), ((40, 40), 1)):
        data = open_data("shapes", samples=4, preprocessing=Preprocessing(size, channels))
        words = f"fails on inputs of {channels}×{size[0]}×{size[1]} .float32.*--input-size"
        with pytest.raises(DataError, match=words):
            trial(module, data)


def outputs_of(path: Path, spec: str, root: Path):
    found = runnable(path)
    preprocessing = own_preprocessing(found.metadata, found.architecture, found.channels)
    data = open_data(spec, root=root, preprocessing=preprocessing)
    stream = OutputStream()
    with torch.inference_mode():
        for batch in data.batches(250):
            stream.add(batch.call(found.module), batch.targets)
    return stream.outputs()


@pytest.mark.parametrize(
    ("file", "spec", "stated"),
    [
        (SAMPLES / "lenet5-mnist.pt", "mnist", 99.05),
        (SAMPLES / "vgg-cifar10.safetensors", "cifar10", 83.2),
        (WEIGHTS / "resnet20-12fca82f.th", "cifar10", 91.5),
        (WEIGHTS / "resnet32-d509ac18.th", "cifar10", 92.8),
        (WEIGHTS / "checkpoint_trained_4D_regularized_5Lremoved.pth.tar", "cifar10", 92.1),
        pytest.param(WEIGHTS / "resnet56-4bfd9763.th", "cifar10", 92.6, marks=pytest.mark.long),
        pytest.param(
            WEIGHTS / "checkpoint_trained_ch_regularized_dense.pth.tar",
            "cifar10",
            91.9,
            marks=pytest.mark.long,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_accuracy_on_real_test_data(file, spec, stated, data_root):
    found = outputs_of(file, spec, data_root)
    assert 100 * found.accuracy.value == pytest.approx(stated, abs=0.1)
    assert found.accuracy.low < stated / 100 < found.accuracy.high
    assert 0 < found.reliability.calibration_error < 0.1
    assert np.isfinite(found.mean_nll)


class Drawing(nn.Module):
    def forward(self, x):
        return x + torch.randn(x.shape)


class Failing(nn.Module):
    def forward(self, x):
        raise ValueError("not today")


def test_a_network_that_draws_at_random_is_told():
    (note,) = trial(Drawing().eval(), open_data("shapes", samples=8)).notes
    assert note.startswith("The network draws at random in evaluation mode too")


def test_a_network_that_raises_is_told_with_its_line():
    with pytest.raises(DataError, match=r"ValueError: not today, test_runnable.py line \d+"):
        trial(Failing().eval(), open_data("shapes", samples=8))
