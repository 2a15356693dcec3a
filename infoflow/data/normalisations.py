"""What networks were trained on: from a file's own metadata, or by the architecture's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infoflow.architectures.factories import package
from infoflow.data.preprocessing import Preprocessing
from infoflow.errors import DataError

if TYPE_CHECKING:
    from infoflow.architectures.architecture import Architecture

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,), (0.5,))
MNIST = ((0.1307,), (0.3081,))
FASHION_MNIST = ((0.286,), (0.353,))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))

SAMPLES: dict[str, tuple[tuple[float, ...], tuple[float, ...], int, int]] = {
    "infoflow:lenet5": (*MNIST, 1, 28),
    "infoflow:deep-fnn-torch": (*MNIST, 1, 28),
    "infoflow:deep-fnn-he": (*MNIST, 1, 28),
    "infoflow:transformer-encoder": (*FASHION_MNIST, 1, 28),
    "infoflow:vgg-style": (*CIFAR10, 3, 32),
}
"""Mean, standard deviation, channels and side of the sample models' images (their cards)."""

_PICTURES = (1, 3)

INCEPTION = frozenset({"torchvision:googlenet", "torchvision:inception_v3"})
"""Their published weights, of TensorFlow, take −1..1 (torchvision's ``transform_input``)."""


def own_preprocessing(
    metadata: Mapping[str, str], architecture: Architecture | None, channels: int | None = None
) -> Preprocessing:
    """What is known of a network's input before anybody says otherwise.

    Args:
        metadata: The file's: ``mean`` and ``std`` (numbers with commas between), ``input_size``
            (``3x32x32``).
        architecture: As recognised or named.
        channels: That the file's first convolution takes, None where it has none.

    Raises:
        DataError: The metadata are there but make no sense.
        MissingDependencyError: Torchvision or timm, whose network it is, does not work.
    """
    found = _by_name(architecture)
    if channels is not None and channels != found.channels:
        # A network that was trained on other pictures than its namesake: its figures are not known.
        found = Preprocessing(found.size, channels if channels in _PICTURES else None)
    size = architecture.input_size if architecture is not None else None
    if found.size is None and size is not None and len(size) == 2:
        found = replace(found, size=(size[0], size[1]))
    if not {"mean", "std", "input_size"} & metadata.keys():
        return found
    shape = _metadata_numbers(metadata, "input_size", "x")
    if shape is not None and (len(shape) != 3 or min(shape) < 1):
        raise DataError(
            f"the file's metadata give the input size {metadata['input_size']!r}, which is not "
            "channels x height x width, such as 3x32x32: say --input-size."
        )
    return found.changed(
        mean=_metadata_numbers(metadata, "mean", ","),
        std=_metadata_numbers(metadata, "std", ","),
        size=None if shape is None else (int(shape[1]), int(shape[2])),
        channels=int(shape[0]) if shape is not None and shape[0] in _PICTURES else None,
        said_by="from the file's metadata",
    )


def _by_name(architecture: Architecture | None) -> Preprocessing:
    name = architecture.name if architecture is not None else ""
    if name in SAMPLES:
        mean, std, channels, side = SAMPLES[name]
        title = f"as the sample model {name} was trained"
        return Preprocessing((side, side), channels, mean, std, source=title)
    if architecture is not None and name.startswith("infoflow:cifar-resnet"):
        # Two published families differ in the name of their last layer, and in what they take.
        mean, std = HALF if "fc.weight" in architecture.shapes else IMAGENET
        family = "Distiller's" if mean == HALF[0] else "Idelbayev's"
        return Preprocessing(
            (32, 32), 3, mean, std, source=f"as {family} ResNets for CIFAR were trained"
        )
    if name.startswith("torchvision:"):
        return _torchvision(name)
    if name.startswith("timm:"):
        return _timm(name)
    return Preprocessing()


def _torchvision(name: str) -> Preprocessing:
    models = package("torchvision.models", "torchvision", name, "give another network")
    default = getattr(models.get_model_weights(name.partition(":")[2]), "DEFAULT", None)
    transform: Any = default.transforms() if default is not None else None
    mean, std = HALF if name in INCEPTION else IMAGENET
    crop, resize = (_side(getattr(transform, f"{what}_size", None)) for what in ("crop", "resize"))
    side = crop or resize
    return Preprocessing(
        (side, side) if side else None,
        3,
        mean,
        std,
        resize=resize if crop else None,
        source=f"as {name} with torchvision's published weights",
    )


def _side(size: Any) -> int | None:
    numbers = list(size or ()) if not isinstance(size, int) else [size]
    return int(numbers[0]) if len(set(numbers)) == 1 else None


def _timm(name: str) -> Preprocessing:
    timm = package("timm", "timm", name, "give another network")
    bare = name.partition(":")[2]
    default = timm.get_pretrained_cfg(bare) or timm.get_pretrained_cfg(bare.partition(".")[0])
    if default is None:
        return Preprocessing()
    channels, height, width = default.input_size
    return Preprocessing(
        (height, width),
        channels,
        tuple(default.mean),
        tuple(default.std),
        resize=round(height / default.crop_pct),
        source=f"as {name} with timm's published weights",
    )


def _metadata_numbers(
    metadata: Mapping[str, str], name: str, separator: str
) -> tuple[float, ...] | None:
    if name not in metadata:
        return None
    try:
        return tuple(float(part) for part in metadata[name].strip("()[] ").split(separator))
    except ValueError:
        raise DataError(
            f"the file's metadata give the {name} {metadata[name]!r}, which are no numbers: "
            "give --mean and --std."
        ) from None
