"""Keras files of every kind against the weights that Keras itself reports, and files that lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infoflow.checkpoints import open_checkpoint
from infoflow.checkpoints.checkpoint import StoredTensor
from infoflow.checkpoints.faults import ReadError
from infoflow.checkpoints.hdf5 import hdf5
from infoflow.checkpoints.keras_layers import LayerConfig, in_torch_layout, layer_configs
from infoflow.checkpoints.source import Source
from infoflow.errors import CheckpointError
from infoflow.facts import Geometry
from infoflow.network import open_network
from tests.cases import gaussian

h5py = pytest.importorskip("h5py")

MAKE = """
import os, sys, warnings
os.environ["KERAS_BACKEND"] = "torch"
warnings.filterwarnings("ignore")
import keras, numpy as np
from keras import layers as L
keras.utils.set_random_seed(0)
inner = keras.Sequential([L.Input((8,)), L.Dense(6, name="inside")], name="inner")
i = L.Input((16, 16, 3))
x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(i)
x = L.BatchNormalization(epsilon=2e-3, scale=True, name="norm")(x)
x = L.DepthwiseConv2D(3, dilation_rate=2, depth_multiplier=2, name="depthwise")(x)
x = L.Conv2D(8, 3, groups=4, padding="same", name="grouped")(x)
x = L.SeparableConv2D(6, 3, strides=2, padding="same", name="separable")(x)
x = L.Conv2DTranspose(4, 2, strides=2, name="up")(x)
x = L.Reshape((-1, 4))(x)
x = L.MultiHeadAttention(2, 3, name="attention")(x, x)
x = L.Bidirectional(L.LSTM(4, return_sequences=True), name="both")(x)
x = L.GRU(8, name="gru")(x)
x = inner(x)
x = L.LayerNormalization(center=False, name="layer_norm")(x)
x = L.Lambda(lambda y: y * 2, name="lambda")(x)
x = L.Dense(5, name="head")(x)
net = keras.Model(i, x)
net.compile("adam", "mse")
net.fit(np.zeros((2, 16, 16, 3)), np.zeros((2, 5)), verbose=0)
folder = sys.argv[1]
net.save(f"{folder}/net.keras")
net.save(f"{folder}/net.h5")
net.save_weights(f"{folder}/net.weights.h5")
x = np.random.default_rng(0).standard_normal((1, 16, 16, 8)).astype("float32")
for name, channels in (("depthwise", 8), ("up", 6)):
    output = net.get_layer(name)(x[..., :channels])
    np.save(f"{folder}/{name}.npy", keras.ops.convert_to_numpy(output))
row = keras.Sequential([
    L.Input((17, 15, 3)),
    L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(),
    keras.Sequential([L.Conv2D(4, (3, 2), dilation_rate=2), L.SeparableConv2D(4, 2)]),
    L.Conv2D(8, 2, strides=2), L.AveragePooling2D(2, strides=1, padding="same"),
    L.Flatten(), L.Dense(5),
])
row.save(f"{folder}/row.keras")
row.save(f"{folder}/row.h5")
np.savez(f"{folder}/expected.npz", **{v.path: keras.ops.convert_to_numpy(v) for v in net.weights})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    found = tmp_path_factory.mktemp("keras")
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(found)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERAS_BACKEND": "torch"},
        timeout=300,
    )
    if "No module named 'keras'" in done.stderr:
        pytest.skip("keras is not installed")
    assert done.returncode == 0, done.stderr[-2000:]
    return found


FILES = ("net.keras", "net.h5", "net.weights.h5")


def opened(folder: Path, file: str) -> dict[str, StoredTensor]:
    return dict(open_checkpoint(folder / file).tensors)


@pytest.mark.parametrize("file", FILES)
def test_numbers_are_those_of_keras(folder: Path, file: str) -> None:
    tensors = opened(folder, file)
    with np.load(folder / "expected.npz") as expected:
        values = {name.replace("/", "."): expected[name] for name in expected.files}
    assert len(values) == len(tensors)
    np.testing.assert_array_equal(tensors["head.weight"].load(), values["head.kernel"].T)
    np.testing.assert_array_equal(
        tensors["inner.inside.weight"].load(), values["inner.inside.kernel"].T
    )
    stem = values["stem.kernel"].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(tensors["stem.weight"].load(), stem)
    np.testing.assert_array_equal(
        tensors["norm.running_var"].load(), values["norm.moving_variance"]
    )
    np.testing.assert_array_equal(tensors["norm.weight"].load(), values["norm.gamma"])
    np.testing.assert_array_equal(tensors["layer_norm.weight"].load(), values["layer_norm.gamma"])
    gru = tensors["gru.gru_cell.recurrent_kernel"]
    np.testing.assert_array_equal(gru.load(), values["gru.gru_cell.recurrent_kernel"].T)
    lstm = "both.forward_lstm.lstm_cell.kernel"
    np.testing.assert_array_equal(tensors[lstm].load(), values[lstm].T)
    query = values["attention.query.kernel"]
    np.testing.assert_array_equal(tensors["attention.query.weight"].load(), query.reshape(4, 6).T)
    output = values["attention.attention_output.kernel"]
    np.testing.assert_array_equal(
        tensors["attention.attention_output.weight"].load(), output.reshape(6, 4).T
    )
    assert not any("optimizer" in name for name in tensors)


@pytest.mark.parametrize("file", FILES[:2])
def test_kinds_and_geometry_of_the_configuration(folder: Path, file: str) -> None:
    tensors = opened(folder, file)
    with np.load(folder / "expected.npz") as expected:
        depthwise = expected["depthwise/kernel"]
    geometry = {
        name.removesuffix(".weight"): tensor.facts.geometry
        for name, tensor in tensors.items()
        if tensor.facts and tensor.facts.geometry
    }
    assert geometry["stem"] == Geometry((2, 2), (), (1, 1), input_size=(16, 16))
    assert geometry["grouped"].input_size == (4, 4)
    assert (geometry["depthwise"].groups, geometry["depthwise"].dilation) == (8, (2, 2))
    assert (geometry["grouped"].groups, geometry["grouped"].padding) == (4, (1, 1))
    assert geometry["separable.depthwise"].stride == (2, 2)
    assert geometry["separable.pointwise"].stride == (1, 1)
    assert geometry["up"].transposed
    assert geometry["up"].stride == (2, 2)
    kernel = tensors["depthwise.weight"]
    assert kernel.shape == (16, 1, 3, 3)
    # Filter 2·channel + multiple is torch's order of a grouped convolution.
    np.testing.assert_array_equal(kernel.load()[5, 0], depthwise[:, :, 2, 1])
    assert tensors["norm.weight"].facts.epsilon == 2e-3
    assert tensors["both.backward_lstm.lstm_cell.kernel"].facts.parts == (
        "input",
        "forget",
        "cell",
        "output",
    )
    assert tensors["gru.gru_cell.kernel"].facts.parts == ("update", "reset", "new")


@pytest.mark.parametrize("name", ["net", "row"])
def test_one_network_is_the_same_in_both_formats(folder: Path, name: str) -> None:
    # (Within an attention each format has an order of its own.)
    archive, hdf5 = (
        [(one.summary.name, one.summary.shape, one.geometry) for one in found.plan.layers]
        for found in (open_network(folder / f"{name}.{ending}") for ending in ("keras", "h5"))
    )
    if name == "net":
        hdf5, archive = (
            sorted(hdf5, key=lambda one: one[0]),
            sorted(archive, key=lambda one: one[0]),
        )
    assert hdf5 == archive
    sizes = {layer: geometry.input_size for layer, _, geometry in archive if geometry is not None}
    if name == "row":
        assert all(size for layer, size in sizes.items() if not layer.endswith(".pointwise"))


def test_sizes_of_a_sequential_end_where_a_layer_is_not_known() -> None:
    convolution = {"filters": 2, "kernel_size": [3, 3]}
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 9, 9, 3]}},
        {"class_name": "Conv2D", "config": {"name": "a", **convolution}},
        {"class_name": "Mystery", "config": {"name": "b"}},
        {"class_name": "Conv2D", "config": {"name": "c", **convolution}},
    ]
    found = layer_configs({"class_name": "Sequential", "config": {"layers": layers}})
    shapes = {name: one.input_shape for name, one in found.items() if one}
    assert shapes == {
        "in": (None, 9, 9, 3), "a": (None, 9, 9, 3), "b": (None, 7, 7, None), "c": (),
    }  # fmt: skip


@pytest.mark.parametrize("kernel", [[10, 10], ["3", 3], [0, 1], 2.5])
def test_sizes_that_cannot_be_are_not_known(kernel: Any) -> None:
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 9, 9, 3]}},
        {"class_name": "Conv2D", "config": {"name": "a", "kernel_size": kernel}},
        {"class_name": "Conv2D", "config": {"name": "b", "kernel_size": [1, 1]}},
    ]
    last = layer_configs({"class_name": "Sequential", "config": {"layers": layers}})["b"]
    assert last is not None
    assert set(last.input_shape) <= {None}


def test_without_a_configuration_strides_are_not_claimed(folder: Path) -> None:
    network = open_network(folder / "net.weights.h5")
    records = {record.name: record for record in network.plan.records}
    assert "whose stride the file does not hold" in records["up.weight"].reason
    assert "whose stride the file does not hold" in records["depthwise.weight"].reason
    layers = {layer.summary.name: layer.summary.geometry for layer in network.plan.layers}
    assert layers["stem"].startswith("assumed")
    assert any("no configuration" in note for note in network.checkpoint.notes)


def test_the_convolution_is_the_one_that_keras_computes(folder: Path) -> None:
    """The layout is right if torch's convolution with our weight gives Keras' own output."""
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((1, 16, 16, 8)).astype("float32")
    image = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    tensors = opened(folder, "net.keras")
    for name in ("depthwise", "up"):
        weight = torch.from_numpy(np.array(tensors[f"{name}.weight"].load()))
        bias = torch.from_numpy(np.array(tensors[f"{name}.bias"].load()))
        if name == "up":
            found = torch.nn.functional.conv_transpose2d(image[:, :6], weight, bias, stride=2)
        else:
            found = torch.nn.functional.conv2d(image, weight, bias, dilation=2, groups=8)
        expected = np.load(folder / f"{name}.npy")
        np.testing.assert_allclose(found.numpy().transpose(0, 2, 3, 1), expected, atol=1e-5)


def legacy(path: Path, **datasets: Any) -> Path:
    """Weights as Keras 2 writes them."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in datasets]
        for layer, value in datasets.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/kernel:0".encode()]
            group.create_dataset(f"{layer}/kernel:0", data=value)
    return path


def test_old_files_and_the_order_of_their_layers(tmp_path: Path) -> None:
    first, second = gaussian(3, 4), gaussian(5, 6, 7)
    path = legacy(tmp_path / "old.h5", dense_2=first, conv1d_1=second)
    tensors = open_checkpoint(path).tensors
    assert list(tensors) == ["dense_2.weight", "conv1d_1.weight"]
    np.testing.assert_array_equal(tensors["dense_2.weight"].load(), first.T)
    np.testing.assert_array_equal(tensors["conv1d_1.weight"].load(), second.transpose(2, 1, 0))


def test_compressed_and_half_precision_data(tmp_path: Path) -> None:
    weight = gaussian(30, 40)
    path = legacy(tmp_path / "net.h5", dense=weight)
    with h5py.File(path, "a") as file:
        file["dense/dense"].create_dataset(
            "other:0", data=weight, compression="gzip", chunks=(5, 5)
        )
        half = weight.astype(np.float16).view(np.uint16)
        file["dense/dense"].create_dataset("bits:0", data=half).attrs["dtype"] = "bfloat16"
    tensors = open_checkpoint(path).tensors
    np.testing.assert_array_equal(tensors["dense.other"].load(), weight)
    assert tensors["dense.bits"].load().dtype.name == "bfloat16"


def outside(path: Path, kind: str) -> Path:
    other = legacy(path.parent / "other.h5", dense=gaussian(3, 4))
    legacy(path, dense=gaussian(3, 4))
    with h5py.File(path, "a") as file:
        group = file["dense/dense"]
        if kind == "external link":
            group["bias:0"] = h5py.ExternalLink(str(other), "/dense/dense/kernel:0")
        elif kind == "soft link":
            group["bias:0"] = h5py.SoftLink("/dense/dense/kernel:0")
        elif kind == "external storage":
            group.create_dataset("bias:0", (4,), "f4", external=[(str(other), 0, 16)])
        else:
            layout = h5py.VirtualLayout((3, 4), "f4")
            layout[:] = h5py.VirtualSource(str(other), "dense/dense/kernel:0", (3, 4))
            group.create_virtual_dataset("bias:0", layout)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("external link", "links are not followed"),
        ("soft link", "links are not followed"),
        ("external storage", "in another file"),
        ("virtual data set", "in another file"),
    ],
)
def test_what_points_out_of_the_file(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(outside(tmp_path / "net.h5", kind))


def test_claims_without_data(tmp_path: Path) -> None:
    path = legacy(tmp_path / "net.h5", dense=gaussian(3, 4))
    with h5py.File(path, "a") as file:
        file["dense/dense"].create_dataset("huge:0", (10**6, 10**6), "f4", chunks=(1000, 1000))
    with pytest.raises(CheckpointError, match="has no data"):
        open_checkpoint(path)
    with h5py.File(path, "a") as file:
        file["dense/dense/huge:0"][0, 0] = 1.0
    with pytest.raises(CheckpointError, match="bytes"):
        open_checkpoint(path)


def test_groups_within_themselves(tmp_path: Path) -> None:
    path = legacy(tmp_path / "net.h5", dense=gaussian(3, 4))
    with h5py.File(path, "a") as file:
        file["dense/again"] = file["dense"]
    with pytest.raises(CheckpointError, match="nested without end"):
        open_checkpoint(path)


def test_other_files_of_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = gaussian(3, 4)
    with pytest.raises(CheckpointError, match="not one that Keras wrote"):
        open_checkpoint(tmp_path / "data.h5")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.95])
def test_truncated(tmp_path: Path, folder: Path, file: str, keep: float) -> None:
    content = (folder / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError, match=r"truncated|damaged"):
        open_checkpoint(tmp_path / file)


def test_archives_whose_weights_are_no_hdf5(tmp_path: Path) -> None:
    for weights, config in ((b"x" * 100, b"{}"), (b"", b"[")):
        with zipfile.ZipFile(tmp_path / "net.keras", "w") as file:
            file.writestr("model.weights.h5", weights)
            file.writestr("config.json", config)
        with pytest.raises(CheckpointError, match=r"truncated|damaged"):
            open_checkpoint(tmp_path / "net.keras")


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {"class_name": "Model"},
        {"config": 7},
        {"config": {"layers": 7}},
        {"config": {"layers": [7, {"config": {"name": ["x"]}}]}},
        {"config": {"name": "a", "layer": {"config": 7}}, "class_name": "TimeDistributed"},
    ],
)
def test_configurations_of_any_shape(config: Any) -> None:
    assert layer_configs(json.loads(json.dumps(config))) is not None


def test_a_name_of_two_layers_says_nothing() -> None:
    dense = {"class_name": "Dense", "config": {"name": "a"}}
    conv = {"class_name": "Conv2D", "config": {"name": "a", "strides": [2, 2]}}
    found = layer_configs({"class_name": "Model", "config": {"layers": [dense, conv]}})
    assert found == {"a": None}


def test_only_the_librarys_failures_are_the_files(tmp_path: Path) -> None:
    """A mistake of this program is not told as a damaged file."""
    path = legacy(tmp_path / "m.h5", dense=gaussian(3, 4))
    file = hdf5(path, source := Source(path), 0, source.size)
    with pytest.raises(ReadError, match="damaged as an HDF5 file"), file.opened() as root:
        root["nothing"]
    own: dict[str, int] = {}
    with pytest.raises(KeyError, match="mine"), file.opened():
        own["mine"]


def test_compressed_weights_whose_two_lengths_are_equal(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "net.keras").read_bytes())
    at = content.rindex(b"model.weights.h5") - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    content[at + 10] = 8
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"has 'model[.]weights[.]h5' compressed"):
        open_checkpoint(tmp_path / "m.keras")


@pytest.mark.parametrize(("groups", "told"), [(2, 2), (7, None), (0, None), (-1, None)])
def test_groups_must_divide_the_channels(groups: int, told: int | None) -> None:
    stored = StoredTensor("", (3, 3, 2, 8), "float32", lambda: gaussian(3, 3, 2, 8))
    layer = LayerConfig("Conv2D", {"groups": groups})
    facts = in_torch_layout(stored, "kernel", ("conv",), "conv2d", layer, 0).facts
    assert (facts and facts.geometry and facts.geometry.groups) == told


@pytest.mark.parametrize(
    "names", [5, 0.5, "text", h5py.Empty("f4"), np.zeros((2, 2)), np.array([b"other", b"dense"])]
)
def test_a_list_of_names_of_any_type(tmp_path: Path, names: Any) -> None:
    path = legacy(tmp_path / "net.h5", dense=gaussian(3, 4))
    before = list(open_checkpoint(path).tensors)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = names
    assert list(open_checkpoint(path).tensors) == before


@pytest.mark.parametrize("size", [0, 8, 2**60])
def test_a_heap_that_would_keep_the_library_for_ever_is_refused(tmp_path, size):
    """A size of 0 in a heap of texts is an endless loop in the HDF5 library."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.1"
        file.attrs["layer_names"] = ["dense"]
        file.create_dataset("dense/dense/kernel:0", data=np.ones((4, 3), np.float32))
    content = bytearray(path.read_bytes())
    place = content.find(b"GCOL") + 16
    assert place > 16
    content[place + 8 : place + 16] = size.to_bytes(8, "little")
    content[place : place + 2] = b"\0\0"  # the free space counts its own header
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="heap of texts"):
        open_checkpoint(path)
