"""A small real file of each format: trained weights of a sample model, written by its library."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from infoflow.checkpoints import FORMATS, open_checkpoint
from tests.cases import SAMPLES

INDEX = "model.safetensors.index.json"
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Original:
    """A format that is mutated: one row in ``ORIGINALS``.

    Args:
        make: Makes a file or folder in a folder, and returns it.
        format: A word of the format's name in ``FORMATS``; without such a row it is skipped.
        mutators: Names of ``mutate.MUTATORS`` that fit it beside those of bytes.
    """

    make: Callable[[Path], Path]
    format: str
    mutators: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether infoflow reads the format."""
        return any(self.format in kind.name.lower() for kind in FORMATS)


def weights() -> Arrays:
    """A convolution, a normalisation and a dense layer: 6 KB of a trained network."""
    opened = open_checkpoint(SAMPLES / "vgg-cifar10.safetensors")
    small = {name: tensor for name, tensor in opened.tensors.items() if tensor.size <= 1000}
    return {name: np.array(tensor.load()) for name, tensor in list(small.items())[:8]}


def _state() -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(array) for name, array in weights().items()}


def _network() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.Flatten(),
        torch.nn.Linear(8 * 16, 4),
    ).eval()  # fmt: skip


def _zip(folder: Path) -> Path:
    import torch

    torch.save({"epoch": 3, "state_dict": _state()}, folder / "zip.pt")
    return folder / "zip.pt"


def _legacy(folder: Path) -> Path:
    import torch

    path = folder / "legacy.pth"
    torch.save({"state_dict": _state()}, path, _use_new_zipfile_serialization=False)
    return path


def _safetensors(folder: Path) -> Path:
    save_file(weights(), folder / "file.safetensors", {"format": "pt"})
    return folder / "file.safetensors"


def _shards(folder: Path) -> Path:
    arrays = list(weights().items())
    parts = {"model-1.safetensors": dict(arrays[:4]), "model-2.safetensors": dict(arrays[4:])}
    places = {name: file for file, part in parts.items() for name in part}
    for file, part in parts.items():
        save_file(part, folder / file)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return folder


def _folder(folder: Path) -> Path:
    save_file(weights(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "vgg", "architectures": ["V"]}))
    return folder


def _torchscript(folder: Path) -> Path:
    import torch

    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(_network(), torch.ones(1, 3, 4, 4)), folder / "script.pt")
    return folder / "script.pt"


def _exported(folder: Path) -> Path:
    import torch

    program = torch.export.export(_network(), (torch.ones(1, 3, 4, 4),))
    torch.export.save(program, folder / "program.pt2")
    return folder / "program.pt2"


def _onnx(folder: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)
    dense = np.random.default_rng(1).standard_normal((32, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "conv.weight"], ["y"], kernel_shape=[3, 3]),
            helper.make_node("Flatten", ["y"], ["f"]),
            helper.make_node("Gemm", ["f", "fc.weight"], ["z"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4])],
        [
            numpy_helper.from_array(kernel, "conv.weight"),
            numpy_helper.from_array(dense, "fc.weight"),
        ],
    )
    onnx.save(helper.make_model(graph), folder / "model.onnx")
    return folder / "model.onnx"


def _keras_h5(folder: Path) -> Path:
    import h5py

    generator = np.random.default_rng(0)
    with h5py.File(folder / "model.h5", "w") as file:
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv", b"dense"]
        for name, shape in (("conv", (3, 3, 3, 8)), ("dense", (16, 4))):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            layer.create_dataset(
                f"{name}/kernel:0", data=generator.standard_normal(shape).astype("f4")
            )
        file.attrs["keras_version"] = "2.15.0"
    return folder / "model.h5"


def _keras(folder: Path) -> Path:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    with warnings.catch_warnings(action="ignore"):
        import keras

        layers = [
            keras.layers.Input((4, 4, 3)), keras.layers.Conv2D(8, 3), keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]  # fmt: skip
        keras.Sequential(layers).save(folder / "model.keras")
    return folder / "model.keras"


def _gguf(folder: Path) -> Path:
    from gguf import GGUFWriter

    writer = GGUFWriter(str(folder / "model.gguf"), "llama")
    for place, name in enumerate(("blk.0.attn_q.weight", "blk.0.ffn_up.weight")):
        array = np.random.default_rng(place).standard_normal((8, 8)).astype(np.float32)
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "model.gguf"


_ZIPPED = ("zip_directory", "zip_member", "pickle_in_zip", "storage_in_zip", "deflated")

ORIGINALS: dict[str, Original] = {
    "zip": Original(_zip, "pytorch zip", _ZIPPED),
    "legacy": Original(_legacy, "pytorch legacy", ("pickles",)),
    "safetensors": Original(_safetensors, "safetensors", ("header",)),
    "shards": Original(_shards, "sharded", ("header", "json")),
    "folder": Original(_folder, "model folder", ("header", "json")),
    "torchscript": Original(_torchscript, "torchscript", _ZIPPED),
    "exported": Original(_exported, "export", _ZIPPED),
    "onnx": Original(_onnx, "onnx"),
    "keras-h5": Original(_keras_h5, "hdf5"),
    "keras": Original(_keras, "keras", ("zip_directory", "zip_member")),
    "gguf": Original(_gguf, "gguf"),
}
"""Every format that is mutated; where one is added."""
