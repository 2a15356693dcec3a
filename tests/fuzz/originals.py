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


def _packed(folder: Path) -> Path:
    """Packed weights and an update: NF4 with nested scales, GPTQ, LoRA with a configuration."""
    random = np.random.default_rng(0)

    def gaussian(*shape: int) -> np.ndarray[Any, Any]:
        return random.standard_normal(shape).astype(np.float32)

    def bits(kind: Any, *shape: int) -> np.ndarray[Any, Any]:
        return np.frombuffer(random.bytes(np.dtype(kind).itemsize * int(np.prod(shape))), kind)

    said = {"blocksize": 64, "shape": [6, 64], "quant_type": "nf4", "dtype": "float16"}
    said |= {"nested_offset": 0.25, "nested_blocksize": 256}
    arrays = {
        "m.weight": bits(np.uint8, 192).reshape(-1, 1),
        "m.weight.absmax": bits(np.uint8, 6),
        "m.weight.quant_map": np.sort(gaussian(16)),
        "m.weight.nested_absmax": np.abs(gaussian(1)),
        "m.weight.nested_quant_map": gaussian(256),
        "m.weight.quant_state.bitsandbytes__nf4": np.frombuffer(json.dumps(said).encode(), "u1"),
        "g.qweight": bits(np.int32, 4 * 16).reshape(4, 16),
        "g.qzeros": bits(np.int32, 2 * 2).reshape(2, 2),
        "g.scales": gaussian(2, 16).astype(np.float16),
        "l.q_proj.lora_A.weight": gaussian(2, 5),
        "l.q_proj.lora_B.weight": gaussian(6, 2),
        "s.weight": bits(np.int8, 6 * 8).reshape(6, 8),
        "s.weight_scale": np.abs(gaussian(6, 1)),
    }
    adapter = {"adapter.lora_alpha": "16", "adapter.alpha_pattern": json.dumps({"q_proj": 4})}
    save_file(arrays, folder / "packed.safetensors", adapter)
    return folder / "packed.safetensors"


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
    """A convolution, and dense layers whose weights the graph computes from its constants."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    node, random = helper.make_node, np.random.default_rng(0)
    arrays = {
        "conv.weight": random.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "norm.weight": np.ones(8, np.float32),
        "norm.bias": np.zeros(8, np.float32),
        "norm.running_mean": np.zeros(8, np.float32),
        "norm.running_var": np.ones(8, np.float32),
        "top": random.standard_normal((16, 4)).astype(np.float32),
        "bottom": random.standard_normal((16, 4)).astype(np.float32),
        "wide": random.standard_normal((4, 9)).astype(np.float32),
        "starts": np.array([1]),
        "ends": np.array([9]),
        "codes": random.integers(-99, 99, (6, 8)).astype(np.int8),
        "scale": np.full(6, 0.01, np.float32),
        "zero": np.zeros(6, np.int8),
        "axes": np.array([0]),
        "shape": np.array([6, 8]),
    }
    half = numpy_helper.from_array(random.standard_normal((6, 6)).astype(np.float16))
    graph = helper.make_graph(
        [
            node("Conv", ["x", "conv.weight"], ["c"], kernel_shape=[3, 3], strides=[1, 1],
                 pads=[0, 0, 0, 0], dilations=[1, 1], group=1, auto_pad="NOTSET"),
            node("BatchNormalization", ["c", "norm.weight", "norm.bias", "norm.running_mean",
                                        "norm.running_var"], ["n"], epsilon=1e-5),
            node("Flatten", ["n"], ["f"], axis=1),
            node("Concat", ["top", "bottom"], ["both"], axis=0),
            node("Gemm", ["f", "both"], ["g"], alpha=0.5, transB=0),
            node("Slice", ["wide", "starts", "ends", "starts"], ["cut"]),
            node("Transpose", ["cut"], ["turned"], perm=[1, 0]),
            node("Gemm", ["g", "turned"], ["h"], transB=1),
            node("DequantizeLinear", ["codes", "scale", "zero"], ["plain"], axis=0),
            node("Unsqueeze", ["plain", "axes"], ["more"]),
            node("Reshape", ["more", "shape"], ["less"]),
            node("Gemm", ["h", "less"], ["i"], transB=1),
            node("Constant", [], ["half"], value=half),
            node("Cast", ["half"], ["single"], to=1),
            node("MatMul", ["i", "single"], ["z"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 6])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
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
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    writer = GGUFWriter(str(folder / "model.gguf"), "llama")
    for place, name in enumerate(("blk.0.attn_q.weight", "blk.0.ffn_up.weight")):
        array = np.random.default_rng(place).standard_normal((8, 8)).astype(np.float32)
        writer.add_tensor(name, array)
    kind = GGMLQuantizationType.Q8_0
    array = np.random.default_rng(2).standard_normal((8, 32)).astype(np.float32)
    writer.add_tensor("blk.0.ffn_down.weight", quants.quantize(array, kind), raw_dtype=kind)
    writer.add_custom_alignment(32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "model.gguf"


_ARCHIVE = ("zip_directory", "zip_member", "storage_in_zip", "deflated")
_ZIPPED = (*_ARCHIVE, "pickle_in_zip")

ORIGINALS: dict[str, Original] = {
    "zip": Original(_zip, "pytorch zip", _ZIPPED),
    "legacy": Original(_legacy, "pytorch legacy", ("pickles",)),
    "safetensors": Original(_safetensors, "safetensors", ("header",)),
    "packed": Original(_packed, "safetensors", ("header",)),
    "shards": Original(_shards, "sharded", ("header", "json")),
    "folder": Original(_folder, "model folder", ("header", "json")),
    "torchscript": Original(_torchscript, "torchscript", _ZIPPED),
    "exported": Original(_exported, "export", (*_ARCHIVE, "json_in_zip")),
    "onnx": Original(_onnx, "onnx", ("attributes",)),
    "keras-h5": Original(_keras_h5, "hdf5"),
    "keras": Original(_keras, "keras", ("zip_directory", "zip_member", "json_in_zip")),
    "gguf": Original(_gguf, "gguf"),
}
"""Every format that is mutated; where one is added."""
