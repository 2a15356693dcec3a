"""What makes a run: frozen settings, each with a default that serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from infoflow.errors import SelectionError


@dataclass(frozen=True)
class NetworkSettings:
    """What is trained.

    Args:
        name: A family (fnn, autoencoder, cnn, lenet5, resnet, vgg16, unet, transformer),
            ``torchvision:NAME``, ``path/file.py:factory``, or a checkpoint's path.
        arch: Of a checkpoint that is not recognised.
        options: The family's own, such as depth and width.
    """

    name: str = ""
    arch: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSettings:
    """What it is trained on, and what it is tested on.

    Args:
        name: As after ``--data``.
        split: That is trained on.
        samples: Of them, 0 for all.
        validation: ``test`` or another split; a number of the last training samples that are held
            out; ``auto``: the split ``test``, and of data without splits the last tenth.
        validation_samples: Of a split, 0 for all.
        root: Folder of the named sets.
        download: Fetch a named set.
        size: Height and width of pictures; empty for their own.
        mean: Of each channel; empty for the set's, or the checkpoint's own.
        std: Likewise.
        augment: Of ``flip`` (left and right, one in two) and ``crop=N`` (shifted by up to N
            pixels, black beyond the edge).
        workers: Processes that prepare batches.
    """

    name: str = ""
    split: str = "train"
    samples: int = 0
    validation: str | int = "auto"
    validation_samples: int = 0
    root: str = ""
    download: bool = False
    size: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    augment: tuple[str, ...] = ()
    workers: int = 0


@dataclass(frozen=True)
class LossSettings:
    """What is minimised.

    Args:
        task: ``classification``, ``reconstruction``, ``segmentation``, or ``auto``: as the network
            and the data say.
        reconstruction: ``mse``, or ``bce`` of pixels in 0..1.
        label_smoothing: Of classification.
        entropy: Entropy losses, such as ``conv=0.01:first``.
    """

    task: Literal["auto", "classification", "reconstruction", "segmentation"] = "auto"
    reconstruction: Literal["mse", "bce"] = "mse"
    label_smoothing: float = 0.0
    entropy: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptimizerSettings:
    """How it is minimised.

    Args:
        name: Of the optimizer.
        learning_rate: Before the schedule.
        momentum: Of SGD.
        nesterov: Of SGD.
        betas: Of Adam.
        weight_decay: Of every parameter but those of the losses.
        schedule: Of the learning rate.
        warmup: Steps in which it rises from 0.
        milestones: Of ``steps``: shares of the run after which it falls by ``gamma``.
        gamma: Of ``steps``.
        clip: Norm to which gradients are cut, 0 for none.
    """

    name: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = False
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "steps"] = "constant"
    warmup: int = 0
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    clip: float = 0.0


@dataclass(frozen=True)
class RunSettings:
    """How long, where, and what is kept.

    Args:
        epochs: Passes through the data; where ``steps`` is 0.
        steps: Steps of the optimizer; 0 for ``epochs``.
        batch_size: Samples a step, over all processes and accumulated parts together.
        accumulate: Parts of a step's samples that a process runs one after the other.
        seed: Of weights, order, augmentation and dropout.
        device: ``auto``, ``cpu``, ``cuda``.
        processes: On this machine, each with a part of every step's samples.
        precision: Of the network's run.
        compile: By torch.compile.
        threads: Of torch in each process, 0 for its own choice.
        log_every: Steps a row of metrics.csv.
        evaluate_every: Steps between tests; 0: after every epoch.
        checkpoint_every: Steps between checkpoints; 0: after every epoch.
        patience: Tests without a better result after which the run stops; 0: never.
    """

    epochs: int = 10
    steps: int = 0
    batch_size: int = 128
    accumulate: int = 1
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = 1
    precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: bool = False
    threads: int = 0
    log_every: int = 10
    evaluate_every: int = 0
    checkpoint_every: int = 0
    patience: int = 0


@dataclass(frozen=True)
class Settings:
    """Everything that makes a run.

    Args:
        title: One line for people.
        source: Where the set-up was published, and what differs from there.
        network: What is trained.
        data: On what.
        loss: What is minimised.
        optimizer: How.
        run: How long, and where.
    """

    title: str = ""
    source: str = ""
    network: NetworkSettings = NetworkSettings()
    data: DataSettings = DataSettings()
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    run: RunSettings = RunSettings()

    def __post_init__(self) -> None:
        _check(self)


_LEAST = {
    "run.epochs": 1, "run.batch_size": 1, "run.accumulate": 1, "run.processes": 1,
    "run.log_every": 1, "optimizer.learning_rate": 0.0, "optimizer.weight_decay": 0.0,
}  # fmt: skip


def _check(settings: Settings) -> None:
    """Refuses numbers that no run can have."""
    for section in ("data", "loss", "optimizer", "run"):
        part = getattr(settings, section)
        for one in fields(part):
            value = getattr(part, one.name)
            least = _LEAST.get(f"{section}.{one.name}", 0)
            numbers = value if isinstance(value, tuple) and one.name != "mean" else (value,)
            for number in numbers:
                if isinstance(number, bool) or not isinstance(number, int | float):
                    continue
                if not least <= number < float("inf"):
                    raise SelectionError(
                        f"{section}.{one.name} is {number}; the least that can be is {least}."
                    )
    if len(settings.optimizer.betas) != 2 or max(settings.optimizer.betas) >= 1:
        raise SelectionError(
            "optimizer.betas are two numbers from 0 to below 1, such as 0.9, 0.999."
        )
    if settings.loss.label_smoothing > 1:
        raise SelectionError("loss.label_smoothing is a share, from 0 to 1.")
    if len(settings.data.size) not in (0, 2):
        raise SelectionError("data.size is a height and a width, such as [32, 32].")
