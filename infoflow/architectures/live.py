"""From a blueprint to an architecture: build on the meta device, run as far as numbers allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from infoflow.architectures.architecture import Architecture
from infoflow.architectures.factories import Blueprint
from infoflow.architectures.initialisation import Recorder
from infoflow.architectures.trace import trace

RunForward = Callable[[nn.Module, torch.Tensor], Any]


def build(
    name: str, plan: Blueprint, input_size: tuple[int, ...] | None = None
) -> tuple[Architecture, nn.Module]:
    """The traced architecture, and the module it was read from."""
    recorder = Recorder()
    module = recorder.build(plan.make)
    run_forward, fixed = how_to_run(module)
    found = trace(
        module,
        input_size or fixed or plan.input_size,
        name=name,
        title=plan.title,
        draws=recorder.initialisation,
        channels=plan.channels,
        run_forward=run_forward,
    )
    return found, module


def how_to_run(module: nn.Module) -> tuple[RunForward | None, tuple[int, ...] | None]:
    """How to call networks that want more than an image, and the size that they resize to.

    Torchvision's detectors are run through their backbone and heads; the boxes in between
    depend on the numbers. Its optical flow takes two images.
    """
    homes = " ".join(kind.__module__ for kind in type(module).__mro__)
    if "torchvision.models.detection" in homes and hasattr(module, "transform"):
        size = getattr(module.transform, "fixed_size", None)
        return _detect, size and (size[1], size[0])
    if "torchvision.models.optical_flow" in homes:
        return lambda twin, x: twin(x, x), None
    # Vision transformers take one size of image only, which published weights may differ from.
    side = getattr(module, "image_size", None)
    return None, (side, side) if isinstance(side, int) else None


def _detect(twin: nn.Module, x: torch.Tensor) -> None:
    detector: Any = twin
    features = detector.backbone(x)
    maps = list(features.values())
    if hasattr(detector, "head"):
        detector.head(maps)
        return
    detector.rpn.head(maps)
    rois = detector.roi_heads
    for part in ("box", "mask", "keypoint"):
        pool, head = getattr(rois, f"{part}_roi_pool"), getattr(rois, f"{part}_head")
        if pool is not None:
            pooled = torch.empty(1, maps[0].shape[1], *pool.output_size, device=x.device)
            getattr(rois, f"{part}_predictor")(head(pooled))
