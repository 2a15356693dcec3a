"""Every real file is read where importing torch raises; the same numbers as torch's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infoflow.checkpoints import FORMATS, open_checkpoint

READ_ALL = """
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is hidden")
sys.meta_path.insert(0, Blocked())
from infoflow.checkpoints import open_checkpoint
totals = {}
for path in sys.argv[1:]:
    opened = open_checkpoint(path)
    totals[path] = sum(float(t.load().astype("float64").sum()) for t in opened.tensors.values())
assert "torch" not in sys.modules
print(json.dumps(totals))
"""


def test_every_real_file_is_read_where_torch_cannot_be_imported(weight_files: list[Path]) -> None:
    torch = pytest.importorskip("torch")
    run = subprocess.run(
        [sys.executable, "-c", READ_ALL, *map(str, weight_files)],
        capture_output=True,
        text=True,
        check=True,
    )
    totals = json.loads(run.stdout)
    for path in weight_files:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        expected = sum(t.double().sum().item() for t in loaded.get("state_dict", loaded).values())
        assert totals[str(path)] == pytest.approx(expected, rel=1e-9)


def test_the_blocker_can_fail() -> None:
    code = READ_ALL.replace("totals = {}", "import torch")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "torch is hidden" in run.stderr


def test_real_files_equal_torch_tensor_by_tensor(weight_files: list[Path]) -> None:
    torch = pytest.importorskip("torch")
    for path in weight_files:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        expected = loaded.get("state_dict", loaded)
        tensors = open_checkpoint(path).tensors
        assert list(tensors) == [name.removeprefix("module.") for name in expected]
        for tensor, reference in zip(tensors.values(), expected.values(), strict=True):
            array = tensor.load()
            assert array.shape == tensor.shape == tuple(reference.shape)
            assert array.dtype.name == tensor.dtype
            np.testing.assert_array_equal(array, reference.numpy())


def test_notes_and_metadata_of_a_training_checkpoint(weight_files: list[Path]) -> None:
    (path,) = [file for file in weight_files if "4D" in file.name]
    opened = open_checkpoint(path)
    assert opened.format == "PyTorch legacy file"
    assert opened.metadata == {"epoch": "179", "best_top1": "90.62", "arch": "resnet20_cifar"}
    assert opened.notes == (
        "The weights are those under 'state_dict'.",
        "Beside 'state_dict', 'compression_sched' and 'optimizer' were ignored.",
        "Removed from the names: 'module.'.",
    )


def test_the_digest_is_the_files(weight_files: list[Path]) -> None:
    (path,) = [file for file in weight_files if file.name.startswith("resnet20")]
    assert open_checkpoint(path).digest().startswith("12fca82f")


def test_formats_are_named_once_and_described() -> None:
    names = [kind.name for kind in FORMATS]
    assert len(set(names)) == len(names)
    assert all(kind.summary for kind in FORMATS)
    unmapped = {"PyTorch legacy file", "ONNX", "Keras archive", "Keras HDF5 file", "GGUF"}
    assert {kind.name for kind in FORMATS if not kind.memory_mapped} == unmapped
