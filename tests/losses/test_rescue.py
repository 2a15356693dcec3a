"""A deep network on real MNIST that only batch-entropy regularisation gets to learn."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional

from infoflow.losses import EntropyLoss
from tests.cases import SHARED


@cache
def mnist():
    """Training images (n, 784) and labels, then test images and labels, standardised."""
    script = SHARED / "data" / "unpack.py"
    if not script.is_file():
        pytest.skip(f"needs the shared data of {script.parent}")
    pytest.importorskip("PIL")
    spec = importlib.util.spec_from_file_location("shared_unpack", script)
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    found = []
    for split in ("train", "test"):
        entry = module.read_manifest()["data_sets"]["mnist"]["splits"][split]
        images = torch.as_tensor(module.read_images(entry)).float().flatten(1) / 255
        found += [(images - 0.1307) / 0.3081, torch.as_tensor(module.read_labels(entry)).long()]
    return found


def accuracy(requests, steps=150, depth=30, width=300):
    """Test accuracy after some steps of Adam on torch's default initialisation."""
    x, y, test_x, test_y = mnist()
    torch.manual_seed(0)
    layers = [nn.Linear(784, width), nn.ReLU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    entropy = EntropyLoss(model, *requests) if requests else None
    groups = entropy.parameter_groups() if entropy else []
    optimizer = torch.optim.Adam([{"params": model.parameters()}, *groups], 1e-3)
    for _ in range(steps):
        rows = torch.randint(0, len(x), (256,))
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        loss = entropy(loss) if entropy else loss
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(test_x).argmax(1) == test_y).float().mean())


@pytest.mark.long
def test_torchs_default_initialisation_learns_with_batch_entropy_alone():
    """LBE: 11.35 % without."""
    assert accuracy(()) == pytest.approx(0.1135, abs=1e-4)
    assert accuracy(("batch-entropy=0.2,alpha=0.5",)) > 0.25
