"""What is asked of a network: its loss, what is said of it while it trains, how it is tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from infoflow.architectures.factories import package
from infoflow.capture.nesting import main_output
from infoflow.data import Batch, Data
from infoflow.data.batch import IGNORED
from infoflow.errors import DataError, SelectionError
from infoflow.training.settings import LossSettings
from infoflow.words import shape_text

Metric = Any
"""One of torchmetrics."""


@dataclass(frozen=True)
class Task:
    """A task.

    Args:
        name: classification, reconstruction or segmentation.
        settings: Of its loss.
        classes: Of the labels, 0 where there are none.
        mean: Of the pictures' channels, for reconstruction of their pixels.
        std: Likewise.
    """

    name: str
    settings: LossSettings
    classes: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def main(self) -> tuple[str, bool]:
        """The figure that says how good a network is, and whether more is better."""
        return {
            "classification": ("accuracy", True),
            "segmentation": ("mean_iou", True),
            "reconstruction": ("loss", False),
        }[self.name]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of what is measured beside the loss."""
        return {
            "classification": ("accuracy",),
            "segmentation": ("pixel_accuracy", "mean_iou"),
            "reconstruction": ("ssim",),
        }[self.name]

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """The mean over the samples (over the pixels that count) in nats, or the mean square."""
        found = main_output(output)
        assert found is not None
        if self.name == "reconstruction":
            if self.settings.reconstruction == "bce":
                return functional.binary_cross_entropy_with_logits(found, self.pixels(batch.x))
            return functional.mse_loss(found, batch.x)
        assert batch.targets is not None
        if self.count(batch) == 0:
            return found.sum() * 0
        return functional.cross_entropy(
            found,
            batch.targets,
            ignore_index=IGNORED,
            label_smoothing=self.settings.label_smoothing,
        )

    def count(self, batch: Batch) -> int:
        """What the loss is a mean over: samples, or labels that count."""
        if self.name == "reconstruction" or batch.targets is None:
            return batch.size
        if self.name == "classification":
            return batch.size
        return int((batch.targets != IGNORED).sum())

    def scores(self, output: Any, batch: Batch) -> dict[str, float]:
        """What a row of the training says beside the loss; means over what ``count`` counts."""
        found = main_output(output)
        if self.name == "reconstruction" or found is None or batch.targets is None:
            return {}
        right = (found.detach().argmax(1) == batch.targets)[batch.targets != IGNORED]
        share = float(right.float().mean()) if len(right) else 0.0
        return {"accuracy" if self.name == "classification" else "pixel_accuracy": share}

    def metrics(self, device: torch.device) -> Mapping[str, Metric]:
        """Fresh metrics of a test."""
        home = package("torchmetrics", "torchmetrics", "training", "install infoflow[train]")
        if self.name == "reconstruction":
            image = package("torchmetrics.image", "torchmetrics", "training")
            made = {"ssim": image.StructuralSimilarityIndexMeasure(data_range=1.0, kernel_size=7)}
        else:
            options = {"task": "multiclass", "num_classes": self.classes, "ignore_index": IGNORED}
            accuracy = home.Accuracy(**options, average="micro")
            if self.name == "classification":
                made = {"accuracy": accuracy}
            else:
                union = home.JaccardIndex(**options, average="macro")
                made = {"pixel_accuracy": accuracy, "mean_iou": union}
        return {name: metric.to(device) for name, metric in made.items()}

    def update(self, metrics: Mapping[str, Metric], output: Any, batch: Batch) -> None:
        """Adds a batch to the metrics of a test."""
        found = main_output(output)
        assert found is not None
        if self.name == "reconstruction":
            if batch.x.ndim == 4 and min(batch.x.shape[2:]) >= 7:
                bce = self.settings.reconstruction == "bce"
                made = torch.sigmoid(found) if bce else self.pixels(found)
                metrics["ssim"].update(made.float(), self.pixels(batch.x).float())
            return
        assert batch.targets is not None
        for metric in metrics.values():
            metric.update(found.float(), batch.targets)

    def pixels(self, x: Tensor) -> Tensor:
        """Pictures in 0..1, from what the network takes."""
        if x.ndim != 4:
            return x
        mean, std = (
            torch.tensor(numbers, dtype=x.dtype, device=x.device).reshape(1, -1, 1, 1)
            for numbers in (self.mean, self.std)
        )
        return (x * std + mean).clamp(0, 1)

    def check(self, output: Any, batch: Batch) -> None:
        """Refuses a network whose output does not fit the data.

        Raises:
            DataError: With both shapes.
        """
        found = main_output(output)
        if found is None or not found.is_floating_point():
            raise DataError("the network gives no tensor of numbers, so that it has no loss.")
        have, shape = tuple(found.shape[1:]), tuple(batch.x.shape[1:])
        if self.name == "reconstruction":
            if have != shape:
                raise DataError(
                    f"the network makes {shape_text(have)} of samples of {shape_text(shape)}, "
                    "which is no reconstruction of them."
                )
            return
        assert batch.targets is not None
        if have[1:] != tuple(batch.targets.shape[1:]):
            raise DataError(
                f"an output of {shape_text(have)} a sample does not fit {self.name} with targets "
                f"of {shape_text(tuple(batch.targets.shape[1:]))}."
            )
        if have[0] < self.classes:
            raise DataError(
                f"the network tells {have[0]} classes apart, and the data have {self.classes}: "
                "their labels do not fit its head."
            )


def task_of(
    settings: LossSettings,
    own: str,
    data: Data,
    mean: tuple[float, ...] = (0.0,),
    std: tuple[float, ...] = (1.0,),
) -> Task:
    """The task that the settings name, or that network and data are for.

    Args:
        settings: Of the loss.
        own: The network's, ``""`` where it can be any.
        data: To train on.
        mean: Of the pictures.
        std: Likewise.

    Raises:
        SelectionError: The data are for another, or for none.
    """
    name = settings.task
    if name == "auto":
        told = own if own == "reconstruction" else data.task
        if told not in ("classification", "segmentation", "reconstruction"):
            raise SelectionError(
                f"{data.name} is data for {told}, which cannot be trained on; classification, "
                "segmentation and reconstruction can (loss.task)."
            )
        name = told  # type: ignore[assignment]
    if name in ("classification", "segmentation") and data.task != name:
        raise SelectionError(
            f"loss.task is {name}, and {data.name} has the targets of {data.task}."
        )
    classes = len(data.classes or ()) if name != "reconstruction" else 0
    return Task(name, settings, classes, mean, std)
