"""What is known of a network beyond its tensors: facts by name, order, shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infoflow.facts import ParameterFacts


@dataclass(frozen=True)
class Architecture:
    """A network by name, and the facts of its weight tensors by tensor name.

    Args:
        name: ``torchvision:resnet50``, ``infoflow:cifar-resnet20``, ``timm:…`` or
            ``model.py:factory``.
        title: For people: ``ResNet-50 (torchvision)``.
        input_size: Spatial size of the network's input, None where it has none.
        parameters: Facts by the *tensor* name (``features.0.weight``). Biases, running
            statistics and counters need not be listed.
        shapes: Shape of every tensor of a fresh network, by name.
        note: How it was recognised, and what differs (``head of 10 outputs instead of 1000``).
    """

    name: str
    title: str
    input_size: tuple[int, ...] | None
    parameters: Mapping[str, ParameterFacts]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    note: str = ""
