"""The files that a checkpoint consists of, as far as names tell, those in an ONNX model too."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from infoflow.checkpoints.folder import ENDINGS

_CONFIGURATIONS = ("config.json", "adapter_config.json", "quantize_config.json")
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])", re.S)
"""In an ONNX file: key (1) of 8 bytes, value (2) of a length in one or two bytes."""
_LONGEST_NAME = 4000
_OUTPUTS = (".json", ".jsonl", ".csv", ".md", ".html", ".xml", ".png", ".svg", ".pdf")
"""Endings of what is written beside a checkpoint, which no ONNX file keeps its data in."""


def weight_files(path: Path) -> list[Path]:
    """The file, or of a folder, an index or an ONNX file all that may be read with it, by name.

    A file beside an ONNX file is taken unless its ending is one of an output, and one in a folder
    below where the model names it.
    """
    if path.is_dir() or path.suffix.lower() == ".json":
        folder = path if path.is_dir() else path.parent
        return sorted(file for file in folder.iterdir() if path == file or _is_read(file.name))
    if path.suffix.lower() == ".onnx":
        beside = (file for file in path.parent.iterdir() if file.is_file())
        near = (file for file in beside if not file.name.lower().endswith(_OUTPUTS))
        return sorted({path, *near, *_external_data(path)})
    return [path]


def _external_data(path: Path) -> Iterator[Path]:
    """The files that an ONNX model names as its data, found by the bytes before such a name.

    The model may be of gigabytes and is not parsed. What only looks like a name is no file there.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in re.finditer(_LOCATION, content):
            length = found[1][0] if len(found[1]) == 1 else found[1][0] - 128 + 128 * found[1][1]
            name = content[found.end() : found.end() + length].decode("utf-8", "replace")
            place = path.parent / name
            if "\0" not in name and len(name) < _LONGEST_NAME and place.is_file():
                yield place


def _is_read(name: str) -> bool:
    return name in _CONFIGURATIONS or name.lower().endswith(ENDINGS)
