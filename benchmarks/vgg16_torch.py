"""The papers' measures of a VGG16 by a bare torch script, in float64.

Run: python benchmarks/vgg16_torch.py vgg16.pth
"""

from __future__ import annotations

import sys

import torch

with torch.inference_mode():
    state = torch.load(sys.argv[1], map_location="cpu", weights_only=True, mmap=True)
    for name, weight in state.items():
        if weight.ndim == 4:
            print(name, weight[:, :, 0, 0].double().abs().log().mean().item())
        elif weight.ndim == 2:
            k = min(weight.shape)
            print(name, torch.linalg.slogdet(weight[:k, :k].double()).logabsdet.item())
