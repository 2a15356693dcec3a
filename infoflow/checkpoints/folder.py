"""Hugging Face model folders: a configuration beside one weight file, or beside an index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from infoflow.checkpoints import sharded
from infoflow.checkpoints.contents import Contents
from infoflow.checkpoints.faults import ReadError, listed, quoted
from infoflow.checkpoints.json_objects import parse_json
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
_ENDINGS = (
    *(".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th", ".tar", ".index.json"),
    *(".jit", ".ts", ".pt2", ".onnx", ".h5", ".hdf5", ".keras", ".gguf"),
)
_LONGEST_CONFIG = 2**24


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
    candidates = [name for name in names if name.lower().endswith(_ENDINGS)]
    indices = [name for name in candidates if name.endswith(".index.json")]
    single = [name for name in candidates if name.endswith(".safetensors")]
    for choice in (indices, single, candidates):
        if len(choice) == 1:
            return choice[0], [name for name in candidates if name not in choice and not indices]
    if candidates:
        raise ReadError(f"is a folder of several checkpoints; name one: {listed(candidates)}")
    raise ReadError("is a folder without weights (model.safetensors, pytorch_model.bin, …)")


def _configuration(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    file = path / "config.json"
    if not file.is_file() or file.stat().st_size > _LONGEST_CONFIG:
        return {}, ()
    try:
        config = parse_json(file.read_bytes(), "config.json")
    except ReadError:
        return {}, ("config.json is damaged and was ignored.",)
    metadata = {}
    if isinstance(config.get("model_type"), str):
        metadata["model_type"] = config["model_type"]
    architectures = config.get("architectures")
    if isinstance(architectures, list) and all(isinstance(name, str) for name in architectures):
        metadata["architectures"] = ", ".join(architectures)
    return metadata, ()
