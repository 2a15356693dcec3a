"""The default set of measures of a VGG16 file (553 MB, fresh weights) against WeightWatcher.

Run: python benchmarks/vgg16_default.py [PYTHON]
Needs torch and torchvision. PYTHON is the interpreter of an environment with weightwatcher, torch
and torchvision; without it only infoflow is timed. Two minutes; six more with WeightWatcher.
Goals: at most half of WeightWatcher's time (a third is the aim) and half its memory, on one thread
and on two. Both compute every singular value of every layer. They are not the same ones for
convolutions: WeightWatcher's are those of the kernel's spatial slices (nine matrices of
C_out × C_in for a 3 × 3 kernel), ours those of the operator, the symbol on a grid of frequencies.
For dense layers they agree, which is verified here. infoflow adds the papers' measures, ranks,
log-volumes with intervals, random twins and findings; WeightWatcher adds power-law fits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from harness import HERE, INFOFLOW, Comparison, header, once, vgg16


def main() -> None:
    with vgg16() as path:
        report = path.with_name("report.json")
        ours = [INFOFLOW, "analyze", str(path), "--quiet", "--json", str(report)]
        print(header("default set of vgg16.pth | infoflow | WeightWatcher | ratio | goal"))
        for threads in (1, 2):
            name = f"{threads} thread{'s' if threads > 1 else ''}"
            mine = once(ours, threads)
            verify(path, report)
            if len(sys.argv) < 2:
                print(f"| {name} | {mine.seconds:.3g} s, {mine.peak:,.0f} MiB | | | |", flush=True)
                continue
            peer = [sys.argv[1], str(HERE / "vgg16_weightwatcher.py"), str(path)]
            comparison = Comparison(name, (mine,), (once(peer, threads),))
            print(comparison.row("≤ 0.5, half the memory"), flush=True)


def verify(path: Path, report: Path) -> None:
    """The last dense layer's figures, from a plain SVD of the whole matrix."""
    import torch

    rows = json.loads(report.read_text())["measurements"]
    found = {(r["layer"], r["measure"], r["statistic"]): r["value"] for r in rows}
    weight = torch.load(path, weights_only=True, mmap=True)["classifier.6.weight"].double().numpy()
    values = np.linalg.svd(weight, compute_uv=False)
    share = values**2 / np.sum(values**2)
    for measure, expected in (
        ("log-volume", np.log(values).sum()),
        ("spectral-norm", values[0]),
        ("condition-number", values[0] / values[-1]),
        ("spectral-entropy.von-neumann", -np.sum(share * np.log2(share))),
    ):
        value = found["classifier.6", measure, "value"]
        assert abs(value / expected - 1) < 1e-9, (measure, value, expected)


if __name__ == "__main__":
    main()
