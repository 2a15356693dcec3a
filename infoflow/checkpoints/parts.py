"""The files that a checkpoint consists of, as far as their names tell: no file is opened."""

from __future__ import annotations

from pathlib import Path

from infoflow.checkpoints.folder import ENDINGS

_CONFIGURATIONS = ("config.json", "adapter_config.json", "quantize_config.json")
_OUTPUTS = (".json", ".jsonl", ".csv", ".md", ".html", ".xml", ".png", ".svg", ".pdf")
"""Endings of what is written beside a checkpoint, which no ONNX file keeps its data in."""


def weight_files(path: Path) -> list[Path]:
    """The file, or of a folder, an index or an ONNX file all that may be read with it, by name.

    A file beside an ONNX file is taken unless its ending is one of an output: only the model
    itself says where its data lie.
    """
    if path.is_dir() or path.suffix.lower() == ".json":
        folder = path if path.is_dir() else path.parent
        return sorted(file for file in folder.iterdir() if path == file or _is_read(file.name))
    if path.suffix.lower() == ".onnx":
        beside = (file for file in path.parent.iterdir() if file.is_file())
        return sorted(file for file in beside if not file.name.lower().endswith(_OUTPUTS))
    return [path]


def _is_read(name: str) -> bool:
    return name in _CONFIGURATIONS or name.lower().endswith(ENDINGS)
