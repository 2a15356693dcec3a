"""Make the table of fingerprints: `python -m infoflow.architectures.generate [FOLDER]`.

Every network of torchvision and of `infoflow.zoo` is built on the meta device and traced.
Quantised networks are left out: their state dicts hold packed integers, not weights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

from infoflow.architectures import table
from infoflow.architectures.architecture import Architecture
from infoflow.architectures.factories import (
    ours,
    torchvision_blueprint,
    torchvision_options,
)
from infoflow.architectures.fingerprint import Fingerprint
from infoflow.architectures.initialisation import Recorder
from infoflow.architectures.live import build
from infoflow.architectures.trace import first_convolution

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.", "aux_classifier.")


def architecture_names() -> list[str]:
    """Everything that the table holds: torchvision's networks and our own."""
    from torchvision import models

    from infoflow.zoo import ZOO

    listed = [name for name in models.list_models() if not name.startswith("quantized_")]
    return [*(f"torchvision:{name}" for name in listed), *(f"infoflow:{name}" for name in ZOO)]


def fingerprint(name: str) -> Fingerprint:
    """The fingerprint of one network, built and traced."""
    source, _, bare = name.partition(":")
    plan = torchvision_blueprint(bare) if source == "torchvision" else ours(bare)
    architecture, module = build(name, plan)
    head, classes = _torchvision_head(bare, module) if source == "torchvision" else _head(module)
    return Fingerprint(
        architecture,
        classes=classes,
        head=head,
        optional=tuple(
            prefix
            for prefix in AUXILIARY
            if any(key.startswith(prefix) for key in architecture.shapes)
        ),
        first=_first(architecture, module),
    )


def _first(architecture: Architecture, module: nn.Module) -> str:
    """Weight of the first convolution, if it takes an image."""
    name = f"{first_convolution(module)}.weight"
    facts = architecture.parameters.get(name)
    image = facts is not None and facts.geometry is not None and facts.geometry.groups == 1
    return name if image and architecture.shapes[name][1] in (1, 3) else ""


def _torchvision_head(name: str, module: nn.Module) -> tuple[dict[str, int], int]:
    """Tensors that grow with the number of classes, found by building two other numbers."""
    from torchvision import models

    builder = models.get_model_builder(name)
    options = torchvision_options(name, builder)
    shapes = []
    for classes in (7, 11):
        try:
            made = Recorder().build(partial(builder, **options, num_classes=classes))
        except TypeError:
            return {}, 0
        shapes.append({key: tuple(value.shape) for key, value in made.state_dict().items()})
    seven, eleven = shapes
    head = {
        key: (eleven[key][0] - shape[0]) // 4
        for key, shape in seven.items()
        if shape != eleven[key]
    }
    fresh = module.state_dict()
    counts = {fresh[key].shape[0] // multiple for key, multiple in head.items()}
    return (head, counts.pop()) if len(counts) == 1 else ({}, 0)


def _head(module: nn.Module) -> tuple[dict[str, int], int]:
    """The last dense layer."""
    dense = [(name, part) for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not dense:
        return {}, 0
    name, part = dense[-1]
    return {f"{name}.{leaf}": 1 for leaf, _ in part.named_parameters()}, part.out_features


def _fingerprints() -> Iterator[Fingerprint]:
    for name in architecture_names():
        found = fingerprint(name)
        convolutions = [
            facts.geometry for facts in found.architecture.parameters.values() if facts.geometry
        ]
        sized = sum(geometry.input_size is not None for geometry in convolutions)
        sys.stderr.write(
            f"{name}: {found.architecture.title}, input {found.architecture.input_size}, "
            f"{sized} of {len(convolutions)} convolutions sized. {found.architecture.note}\n"
        )
        yield found


def main() -> None:
    """Write the table into a folder, by default the package's own."""
    import torchvision

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else table.FOLDER
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    table.write(list(_fingerprints()), versions, folder)


if __name__ == "__main__":
    main()
