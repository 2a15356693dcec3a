"""The papers' measures on VGG16 (553 MB, random weights) against a torch-free script.

Run: python benchmarks/vgg16_paper.py
The script maps the file and does the same LU in float64: log|c₁₁| of every kernel and log|det| of
the square part of three dense layers. Goal: at most 1.2 times it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import compare, machine

INFOFLOW = str(Path(sys.executable).with_name("infoflow"))
FLOOR = """
import json, struct, sys
import numpy as np
from scipy.linalg.lapack import dgetrf
path = sys.argv[1]
with open(path, "rb") as file:
    size = struct.unpack("<Q", file.read(8))[0]
    header = json.loads(file.read(size))
data = np.memmap(path, np.uint8, "r", offset=8 + size)
for name, entry in header.items():
    if not name.endswith("weight"):
        continue
    begin, end = entry["data_offsets"]
    weight = data[begin:end].view("<f4").reshape(entry["shape"])
    if weight.ndim == 4:
        print(name, np.log(np.abs(weight[:, :, 0, 0].astype(np.float64))).mean())
    else:
        k = min(weight.shape)
        square = np.asfortranarray(weight[:k, :k].T, dtype=np.float64)
        factor, _, _ = dgetrf(square, overwrite_a=1)
        print(name, np.log(np.abs(np.diagonal(factor))).sum())
"""


def main() -> None:
    import torch
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder) / "vgg16.safetensors", Path(folder) / "floor.py"
        save_file(vgg16().state_dict(), path)
        script.write_text(FLOOR)
        ours = [INFOFLOW, "analyze", str(path), "--measures", "paper"]
        theirs = [sys.executable, str(script), str(path)]
        verify(ours, theirs)
        comparison = compare("infoflow analyze vgg16 --measures paper", ours, theirs, 5)
        print(f"{machine()}\n\n| command | infoflow | script | ratio |\n| --- | --- | --- | --- |")
        print(comparison.row())


def verify(ours: list[str], theirs: list[str]) -> None:
    """Both sides print the same figures."""
    found = json.loads(
        subprocess.run([*ours, "--json", "-"], check=True, capture_output=True).stdout
    )
    wanted = {("entropy-change.c11", "mean"), ("entropy-change.logdet", "value")}
    figures = {
        row["layer"]: row["value"]
        for row in found["measurements"]
        if (row["measure"], row["statistic"]) in wanted
    }
    for line in subprocess.run(theirs, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    ):
        if line:
            name, value = line.split()
            assert abs(figures[name.removesuffix(".weight")] - float(value)) < 1e-6, line


if __name__ == "__main__":
    main()
