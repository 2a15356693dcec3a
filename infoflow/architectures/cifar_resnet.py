"""The residual networks of He et al. for CIFAR, of any depth 6n + 2, under their usual names.

Three stages of n blocks with 16, 32 and 64 channels on 32 × 32 images; the first blocks of the
second and third stage have stride 2. Shortcuts there are free of parameters (option A) or a
1 × 1 convolution with batch normalisation (option B: ``downsample.0`` or ``shortcut.0``). The
head is ``linear`` or ``fc``.

Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015, §4.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from infoflow.architectures.architecture import Architecture
from infoflow.architectures.fingerprint import Fingerprint, Shapes, compare, decide
from infoflow.errors import ArchitectureError
from infoflow.facts import Geometry, Initialisation, ParameterFacts

PREFIX = "infoflow:cifar-resnet"
WIDTHS = (16, 32, 64)
SIDE = 32
EPSILON = 1e-5

_BLOCK = re.compile(r"layer1\.(\d+)\.conv1\.weight")


@dataclass(frozen=True)
class Variant:
    """How somebody spelled the network.

    Args:
        depth: 6n + 2.
        shortcut: Module name of the shortcut's convolution and norm, ``""`` for option A.
        head: ``linear`` or ``fc``.
    """

    depth: int
    shortcut: str = ""
    head: str = "linear"

    @property
    def blocks(self) -> int:
        """Blocks a stage: n."""
        return (self.depth - 2) // 6


def recognise(shapes: Shapes) -> Architecture | None:
    """The network that these names and shapes are of, None if they are of something else."""
    if shapes.get("conv1.weight", ())[:1] != WIDTHS[:1] or "layer4.0.conv1.weight" in shapes:
        return None
    variant = spelled(shapes)
    match = compare(fingerprint(variant), shapes) if variant.blocks else None
    return decide([match]) if match is not None else None


def spelled(shapes: Shapes) -> Variant:
    """The variant that these names are of, where they are of such a network at all."""
    shortcuts = [s for s in ("downsample", "shortcut") if f"layer2.0.{s}.0.weight" in shapes]
    return Variant(
        depth=6 * sum(_BLOCK.fullmatch(name) is not None for name in shapes) + 2,
        shortcut=shortcuts[0] if shortcuts else "",
        head="fc" if "fc.weight" in shapes else "linear",
    )


def named(name: str) -> Variant | None:
    """What ``infoflow:cifar-resnet20`` names: option A; None where it says something else."""
    depth = name.removeprefix(PREFIX)
    if depth == name or not depth.isdigit() or int(depth) < 8 or (int(depth) - 2) % 6:
        return None
    return Variant(int(depth))


def build(name: str) -> Architecture | None:
    """``infoflow:cifar-resnet20`` with option A; None where the name says something else."""
    variant = named(name)
    return fingerprint(variant).architecture if variant is not None else None


@lru_cache(maxsize=8)
def fingerprint(variant: Variant) -> Fingerprint:
    """Names, shapes and facts of a variant."""
    shapes: dict[str, tuple[int, ...]] = {}
    parameters: dict[str, ParameterFacts] = {}
    for name, norm, shape, stride, side in _convolutions(variant):
        shapes[f"{name}.weight"] = shape
        parameters[f"{name}.weight"] = ParameterFacts(
            "convolution",
            Geometry(
                stride=(stride, stride),
                padding=(shape[2] // 2,) * 2,
                dilation=(1, 1),
                input_size=(side, side),
            ),
            normalisation=f"{norm}.weight",
            initialisation=_drawn(variant, math.prod(shape[1:])),
        )
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{leaf}"] = shape[:1]
        shapes[f"{norm}.num_batches_tracked"] = ()
        parameters[f"{norm}.weight"] = ParameterFacts(
            "normalisation", epsilon=EPSILON, initialisation=Initialisation("constant", 1.0)
        )
    head = f"{variant.head}.weight"
    shapes |= {head: (10, WIDTHS[-1]), f"{variant.head}.bias": (10,)}
    parameters[head] = ParameterFacts("dense", initialisation=_drawn(variant, WIDTHS[-1]))
    architecture = Architecture(
        name=f"{PREFIX}{variant.depth}",
        title=f"ResNet-{variant.depth} (CIFAR)",
        input_size=(SIDE, SIDE),
        parameters=parameters,
        shapes=shapes,
    )
    return Fingerprint(architecture, 10, {head: 1, f"{variant.head}.bias": 1}, first="conv1.weight")


def _drawn(variant: Variant, inputs: int) -> Initialisation | None:
    """N(0, √(2/inputs)), as the implementation that calls its head ``linear`` draws.

    Those that call it ``fc`` draw in different ways: unknown.
    """
    if variant.head != "linear":
        return None
    return Initialisation("normal", math.sqrt(2 / inputs))


def _convolutions(variant: Variant) -> Iterator[tuple[str, str, tuple[int, ...], int, int]]:
    """Name, name of its norm, shape, stride and the side of its input, in order."""
    yield "conv1", "bn1", (WIDTHS[0], 3, 3, 3), 1, SIDE
    before, side = WIDTHS[0], SIDE
    for stage, width in enumerate(WIDTHS, start=1):
        for block in range(variant.blocks):
            prefix = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            yield f"{prefix}.conv1", f"{prefix}.bn1", (width, before, 3, 3), stride, side
            after = side // stride
            yield f"{prefix}.conv2", f"{prefix}.bn2", (width, width, 3, 3), 1, after
            if stride == 2 and variant.shortcut:
                shortcut = f"{prefix}.{variant.shortcut}"
                yield f"{shortcut}.0", f"{shortcut}.1", (width, before, 1, 1), stride, side
            before, side = width, after


def at_size(architecture: Architecture, input_size: tuple[int, ...] | None) -> Architecture:
    """The network on images of another size; each stride of 2 halves it, rounding up."""
    if input_size is None:
        return architecture
    if len(input_size) != 2 or min(input_size) < 1:
        raise ArchitectureError(
            f"{architecture.name} takes images: an input size of height and width, not {input_size}"
        )

    def resized(facts: ParameterFacts) -> ParameterFacts:
        if facts.geometry is None or facts.geometry.input_size is None:
            return facts
        halved = SIDE // facts.geometry.input_size[0]
        size = tuple(-(-side // halved) for side in input_size)
        return replace(facts, geometry=replace(facts.geometry, input_size=size))

    return replace(
        architecture,
        input_size=input_size,
        parameters={name: resized(facts) for name, facts in architecture.parameters.items()},
    )
