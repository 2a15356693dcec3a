"""Adapters, gates and packed weights as a user meets them on the command line."""

from __future__ import annotations

import json
import re

import numpy as np
from safetensors.numpy import save_file

from tests.cases import gaussian


def test_an_adapter_folder(run, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    name = "base_model.model.h.0.q_proj.lora_{}.weight"
    factors = {name.format("A"): gaussian(2, 8), name.format("B"): gaussian(6, 2)}
    save_file(factors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 4}))
    listed = run("layers", folder, columns=120)
    assert listed.returncode == 0
    assert re.search(r"h\.0\.q_proj +low-rank update", listed.stdout)
    assert "LoRA update of width 2 to this layer" in listed.stdout
    told = run("analyze", folder, "--csv", "-")
    assert told.returncode == 0
    assert "over rank 2 of 2" in told.stdout
    assert "−∞" not in told.stdout


def test_a_tensor_that_cannot_be_dequantised_is_one_sentence(run, tmp_path):
    arrays = {
        "fc.weight": np.ones((6, 8), np.int8),
        "fc.SCB": np.ones(6, np.float32),
        "fc.weight_format": np.full((), 2, np.uint8),
    }
    save_file(arrays, tmp_path / "tiled.safetensors")
    result = run("analyze", "tiled.safetensors")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "tiled.safetensors: fc.weight is stored in the tiles" in result.stderr
    assert "Traceback" not in result.stderr
