"""Layers shared out over processes: two workers against one, one BLAS thread each.

Run: python benchmarks/workers.py
Needs torch and torchvision. Three minutes, on two idle cores. The same rows come out of both.
Goal: at least 1.7 times as fast with two workers. VGG16's largest layer alone is almost half of its
work; ResNet-50 has 54 layers of which none is large.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))
from harness import INFOFLOW, compare, header, made


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        print(header("default set of | two workers | one worker | faster | goal"))
        for network in ("resnet50", "vgg16"):
            path = made(network, folder / f"{network}.pth")
            sides = []
            for workers in (2, 1):
                target = folder / f"{workers}.json"
                options = ["--workers", str(workers), "--quiet", "--json", str(target)]
                sides.append([INFOFLOW, "analyze", str(path), *options])
            comparison = compare(f"{network}.pth", sides[0], sides[1], 3)
            verify(folder / "2.json", folder / "1.json")
            print(comparison.row("≥ 1.7 ×", times=True), flush=True)


def verify(two: Path, one: Path) -> None:
    """The rows are the same."""
    rows = [json.loads(path.read_text("utf-8"))["measurements"] for path in (two, one)]
    assert rows[0] == rows[1]


if __name__ == "__main__":
    main()
