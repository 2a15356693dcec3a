"""WeightWatcher's cold analyze() of a VGG16 file.

Run: PYTHON benchmarks/vgg16_weightwatcher.py vgg16.pth
PYTHON is the interpreter of an environment with weightwatcher, torch and torchvision.
"""

from __future__ import annotations

import sys

import torch
import weightwatcher
from torchvision.models import vgg16

network = vgg16(weights=None)
network.load_state_dict(torch.load(sys.argv[1], map_location="cpu", weights_only=True))
details = weightwatcher.WeightWatcher(model=network).analyze()
assert len(details) == 16, "16 layers of weights"
