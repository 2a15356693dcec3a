"""The papers' measures of a VGG16 file (553 MB, fresh weights), cold, one thread, float64.

Run: python benchmarks/vgg16_paper.py [PYTHON]
Needs torch and torchvision. PYTHON is the interpreter of an environment with weightwatcher, torch
and torchvision; without it WeightWatcher is left out. One and a half minutes; three more with it.
Goals: at most 1.2 times vgg16_floor.py; at most 0.65 times vgg16_torch.py; at least 30 times faster
than WeightWatcher with at most a quarter of its memory. WeightWatcher computes other things (full
spectra and power-law fits of spatial slices): this row compares what a first look costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import HERE, INFOFLOW, Comparison, compare, header, once, vgg16


def main() -> None:
    with vgg16() as path:
        ours = [INFOFLOW, "analyze", str(path), "--measures", "paper"]
        floor = [sys.executable, str(HERE / "vgg16_floor.py"), str(path)]
        torch = [sys.executable, str(HERE / "vgg16_torch.py"), str(path)]
        verify(ours, floor)
        verify(ours, torch)
        print(header("papers' measures of vgg16.pth against | infoflow | other | ratio | goal"))
        print(compare("torch-free floor script", ours, floor, 7).row("≤ 1.2"), flush=True)
        print(compare("torch script, float64", ours, torch, 5).row("≤ 0.65"), flush=True)
        for python in sys.argv[1:2]:
            peer = [python, str(HERE / "vgg16_weightwatcher.py"), str(path)]
            pairs = Comparison("WeightWatcher", (once(ours),), (once(peer),))
            print(pairs.row("≥ 30 ×, a quarter of the memory", times=True))


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
    printed = subprocess.run(theirs, check=True, capture_output=True, text=True).stdout
    lines = printed.splitlines()
    assert len(lines) == len(figures) == 16
    for line in lines:
        name, value = line.split()
        assert abs(figures[name.removesuffix(".weight")] / float(value) - 1) < 1e-9, line


if __name__ == "__main__":
    main()
