"""The network that is trained: a family's member, torchvision's, a file's, or a checkpoint's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from infoflow.architectures.architecture import Architecture
from infoflow.architectures.factories import blueprint, package
from infoflow.data import Batch, Preprocessing
from infoflow.data.normalisations import own_preprocessing
from infoflow.errors import ArchitectureError, SelectionError, first_line
from infoflow.models import Runnable, runnable
from infoflow.models.building import SAFE
from infoflow.nearest import nearest
from infoflow.training.recipes import names
from infoflow.training.settings import NetworkSettings
from infoflow.zoo.families import FAMILIES, built, member, spelled

TORCHVISION = "torchvision:"


@dataclass(frozen=True)
class Subject:
    """What will be trained, before its data are known.

    Args:
        settings: As given.
        source: A checkpoint's network, None for a fresh one.
    """

    settings: NetworkSettings
    source: Runnable | None = None

    @property
    def task(self) -> str:
        """What the network is for, ``""`` where it says nothing."""
        name = self.settings.name
        if self.source is not None and self.source.architecture is not None:
            name = self.source.architecture.name.removeprefix("infoflow:").partition("(")[0]
        return FAMILIES[name].task if name in FAMILIES else ""

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What its pictures go through, None where the data's own is right."""
        if self.source is not None:
            found = self.source
            return own_preprocessing(found.metadata, found.architecture, found.channels)
        if self.settings.name.startswith(TORCHVISION):
            architecture = Architecture(self.settings.name, "", None, {})
            return replace(own_preprocessing({}, architecture), size=None, resize=None)
        return None


@dataclass(frozen=True)
class Network:
    """A network and what a file of it must say.

    Args:
        module: To be trained.
        architecture: Its name, as ``--arch`` takes it; ``""`` where it is recognised by itself.
        notes: Sentences for people.
    """

    module: nn.Module
    architecture: str
    notes: tuple[str, ...] = ()


def subject(settings: NetworkSettings) -> Subject:
    """What the settings name; a checkpoint is read.

    Raises:
        SelectionError: They name nothing.
        InfoflowError: The checkpoint cannot be read or run.
    """
    name = settings.name
    if name in FAMILIES:
        _check_options(name, settings.options)
        return Subject(settings)
    if settings.options:
        option = next(iter(settings.options))
        raise SelectionError(
            f"network.{option}: only families have options ({', '.join(FAMILIES)}), and "
            f"{name or 'no network'} is none."
        )
    path = name.rpartition(":")[0]
    if name.startswith(TORCHVISION):
        _torchvision(name)
        return Subject(settings)
    if path.endswith(".py"):
        return Subject(settings)
    if not name or not Path(name).exists():
        raise SelectionError(
            f"There is no recipe or network {name!r}, and no such file; "
            f"{nearest(name, [*FAMILIES, *names()])}. Others are torchvision:NAME, "
            "path/file.py:factory, or a checkpoint's path."
        )
    return Subject(settings, runnable(name, arch=settings.arch or None))


def build(found: Subject, sample: Batch, classes: int, seed: int) -> Network:
    """The network for these data, drawn with a seed.

    Args:
        found: What it is.
        sample: Some of the data.
        classes: That the labels have, 0 where there are none.
        seed: Of its weights.

    Raises:
        ArchitectureError: It does not fit the data, or cannot be built.
    """
    if found.source is not None:
        return _of_checkpoint(found.source, found.settings)
    name = found.settings.name
    torch.manual_seed(seed)
    if name in FAMILIES:
        return _of_family(found.settings, sample, classes)
    if name.startswith(TORCHVISION):
        return Network(_of_torchvision(name, classes), name)
    return Network(blueprint(name).make(), "", (_UNSAFE.format(name),))


_UNSAFE = (
    "The network is of {0}, which no file may name for itself: --data of the written weights needs "
    "--arch {0}."
)


def input_size(sample: Batch) -> str:
    """The shape of one sample, as metadata say it: ``3x32x32``."""
    return "x".join(map(str, sample.x.shape[1:]))


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = FAMILIES[name].chosen
    for key in options:
        if key not in known:
            raise SelectionError(f"network: {name} has no option {key!r}; {nearest(key, known)}.")


def _of_family(settings: NetworkSettings, sample: Batch, classes: int) -> Network:
    family = FAMILIES[settings.name]
    fixed: dict[str, Any] = {"inputs": tuple(sample.x.shape[1:])}
    if "classes" in family.options:
        fixed["classes"] = classes
    try:
        options = member(family, settings.name, {**settings.options, **fixed})
        module = built(family, settings.name, options)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ArchitectureError(f"network: {first_line(error)}.") from error
    return Network(module, f"infoflow:{spelled(settings.name, options)}")


def _torchvision(name: str) -> tuple[Any, str]:
    """Its module of networks, and the network's name there."""
    models = package("torchvision.models", "torchvision", name, "train another network")
    bare = name.removeprefix(TORCHVISION)
    if bare not in models.list_models():
        raise ArchitectureError(
            f"torchvision has no network {bare!r}; {nearest(bare, models.list_models())}."
        )
    return models, bare


def _of_torchvision(name: str, classes: int) -> nn.Module:
    models, bare = _torchvision(name)
    try:
        made: nn.Module = models.get_model(bare, weights=None, num_classes=classes)
    except (TypeError, ValueError) as error:
        raise ArchitectureError(f"{name} cannot be built: {first_line(error)}.") from error
    return made


def _of_checkpoint(source: Runnable, settings: NetworkSettings) -> Network:
    known = source.architecture
    name = settings.arch or source.metadata.get("architecture", "")
    if not name.startswith(SAFE):
        name = known.name if known is not None and known.name.startswith(SAFE) else ""
    for parameter in source.module.parameters():
        parameter.requires_grad_(True)
    return Network(source.module.train(), name, source.notes)
