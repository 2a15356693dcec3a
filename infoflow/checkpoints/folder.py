"""Hugging Face model folders: a configuration beside one weight file, or beside an index."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from infoflow.checkpoints import sharded
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.checkpoints.json_objects import parse_json
from infoflow.checkpoints.nesting import is_text
from infoflow.checkpoints.single_files import open_one

NAME = "model folder"
_USUAL = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "adapter_model.safetensors",
)
"""The first that is there is read."""
ENDINGS = (
    *(".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th", ".tar", ".index.json"),
    *(".jit", ".ts", ".pt2", ".onnx", ".h5", ".hdf5", ".keras", ".gguf"),
)
_LONGEST_CONFIG = 2**24
_NETWORK = ("num_attention_heads", "n_head", "head_dim")
_QUANTISATION = ("quant_method", "bits", "checkpoint_format")
_ADAPTER = ("lora_alpha", "use_rslora")
"""What is read of the configurations: numbers that say how stored weights are to be multiplied."""


def sniff(head: bytes, path: Path) -> bool:
    """Whether it is a folder."""
    return path.is_dir()


def open(path: Path, trust_pickle: bool) -> Contents:
    """Opens the weight file or the index of a folder."""
    names = sorted(entry.name for entry in path.iterdir())
    chosen, others = _choice(names)
    file = path / chosen
    if chosen.endswith(".json"):
        contents = sharded.open(file, trust_pickle)
    else:
        contents = open_one(file, trust_pickle)
    metadata, notes = _configuration(path)
    note = f"Of the folder, {quoted(chosen)} was read."
    if others:
        note = f"{note[:-1]}, not {listed(others)}."
    return replace(
        contents,
        format=f"model folder, {contents.format}",
        metadata={**contents.metadata, **metadata},
        notes=(note, *contents.notes, *notes),
    )


def _choice(names: list[str]) -> tuple[str, list[str]]:
    """The file to read, and other weight files that are not read."""
    usual = [name for name in _USUAL if name in names]
    if usual:
        return usual[0], usual[1:]
    if any(name.endswith(".distcp") for name in names):
        raise ReadError("is a distributed PyTorch checkpoint, which is not read yet")
    candidates = [name for name in names if name.lower().endswith(ENDINGS)]
    indices = [name for name in candidates if name.endswith(".index.json")]
    single = [name for name in candidates if name.endswith(".safetensors")]
    for choice in (indices, single, candidates):
        if len(choice) == 1:
            return choice[0], [name for name in candidates if name not in choice and not indices]
    if candidates:
        raise ReadError(f"is a folder of several checkpoints; name one: {listed(candidates)}")
    raise ReadError("is a folder without weights (model.safetensors, pytorch_model.bin, …)")


def _configuration(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    config, note = _object(path / "config.json")
    metadata = {}
    if isinstance(config.get("model_type"), str):
        metadata["model_type"] = config["model_type"]
    architectures = config.get("architectures")
    if isinstance(architectures, list) and all(isinstance(name, str) for name in architectures):
        metadata["architectures"] = ", ".join(architectures)
    quantised, second = config.get("quantization_config"), ""
    if not isinstance(quantised, dict):
        quantised, second = _object(path / "quantize_config.json")
    quantised = {"bits": _group_bits(quantised)} | quantised
    adapter, third = _object(path / "adapter_config.json")
    for prefix, keys, said in (
        ("config", _NETWORK, config),
        ("quantisation", _QUANTISATION, quantised),
        ("adapter", _ADAPTER, adapter),
    ):
        metadata |= {f"{prefix}.{key}": str(said[key]) for key in keys if is_text(said.get(key))}
    if isinstance(adapter.get("alpha_pattern"), dict):
        metadata["adapter.alpha_pattern"] = json.dumps(adapter["alpha_pattern"])
    return metadata, tuple(filter(None, (note, second, third)))


def _group_bits(quantised: dict[str, Any]) -> object:
    """The width of compressed-tensors' first group of layers, where it says one."""
    groups = quantised.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    weights = first.get("weights") if isinstance(first, dict) else None
    return weights.get("num_bits") if isinstance(weights, dict) else None


def _object(file: Path) -> tuple[dict[str, Any], str]:
    """A configuration, empty where there is none; and what is wrong with it."""
    if not file.is_file() or file.stat().st_size > _LONGEST_CONFIG:
        return {}, ""
    try:
        return parse_json(file.read_bytes(), file.name), ""
    except ReadError:
        return {}, f"{file.name} is damaged and was ignored."
