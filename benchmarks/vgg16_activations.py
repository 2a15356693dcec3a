"""The activations of a VGG16 at 224 × 224: CPU time over that of the passes, peak over the budget.

Run: python benchmarks/vgg16_activations.py [SAMPLES]
Needs torch, torchvision, and free on the disk what the activations and error signals take (256
samples: 40 GB, twice). One thread; CPU time (user and system), so that others at work on the
machine disturb it little. Half an hour.
Goal: all measures of 256 samples cost at most twice the forward and backward passes they need, and
the peak of memory is stated beforehand and within the budget.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import INFOFLOW, Run, header, once, vgg16

SAMPLES = 256
BUDGET = "2GB"

PASSES = """
import resource, sys, torch, torchvision
path, samples, batch, passes = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(1)
network = torchvision.models.vgg16()
network.load_state_dict(torch.load(path))
network.eval().requires_grad_(False)
drawn = torch.rand(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))
if not passes:
    sys.exit()
for _ in range(passes):
    for start in range(0, samples, batch):
        images = drawn[: samples - start].clone().requires_grad_()
        classes = torch.zeros(len(images), dtype=torch.long)
        loss = torch.nn.functional.cross_entropy(network(images), classes, reduction="sum")
        torch.autograd.grad(loss, images)
"""
"""The gradient reaches the pictures, and no weight: what error signals of every layer need."""


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    with vgg16() as path:
        report = path.parent / "report.json"
        weights = [INFOFLOW, "analyze", str(path), "--measures", "paper", "-q"]
        data = ["--data", "shapes", "--samples", str(samples), "--input-size", "224"]
        asked = [*weights, *data, "--mem-budget", BUDGET, "--json", str(report)]
        whole, alone = once(asked), once(weights)
        plan = gathered(report)
        least, passes = _passes(path, samples, plan)
    print(header("samples | side | CPU time | peak of the process"))
    ours = whole.cpu - alone.cpu
    for name, cpu, peak in (
        ("whole process", whole.cpu, whole.peak),
        ("the weights alone", alone.cpu, alone.peak),
        ("the passes alone", passes, least.peak),
    ):
        print(f"| {samples} | {name} | {cpu:,.0f} s | {peak:,.0f} MiB |")
    print(f"\nOf the data over the passes: **{ours / passes:.2f}** (goal ≤ 2).\n\n{plan}")


def gathered(report: Path) -> str:
    """The plan's sentence, as the report has it."""
    found = re.search(r'"(The activations and error signals of [^"]*)"', report.read_text())
    assert found is not None
    return str(json.loads(f'"{found[1]}"'))


def _passes(path: Path, samples: int, plan: str) -> tuple[Run, float]:
    """The passes of the plan without anything else, and their CPU time without the start."""
    counted = re.search(r"gathered in (\d+) passes", plan)
    count = int(counted[1]) if counted else 1
    command = [sys.executable, "-c", PASSES, str(path), str(samples), "16"]
    start, run = once([*command, "0"]), once([*command, str(count)])
    return run, run.cpu - start.cpu


if __name__ == "__main__":
    main()
