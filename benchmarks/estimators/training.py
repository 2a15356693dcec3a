"""Two networks through training: seeded plain loops that keep the state at some steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from infoflow.zoo import CifarResNet, LeNet5

Stages = dict[str, Callable[[Tensor], Tensor]]

TESTED = 1000
"""Test images, the first ones, on which everything is measured."""


@dataclass(frozen=True)
class Course:
    """How a network is trained.

    Args:
        name: Of the network.
        data: Folder below the data's root, with ``train.npz`` and ``test.npz``.
        module: Makes the untrained network.
        images: Training images, the first ones.
        batch: Images of a step.
        epochs: Over these images.
        rate: First learning rate of SGD; falls to 0 by a cosine.
        decay: Weight decay.
        flipped: Whether images are shifted by up to four pixels and mirrored at random.
        kept: Steps after which the state is kept; the last step is kept as well.
        stages: From the network to the maps from one measured site to the next, in the chain's
            order; every path from input to output passes each, so that it is a Markov chain.
    """

    name: str
    data: str
    module: Callable[[], nn.Module]
    images: int
    batch: int
    epochs: int
    rate: float
    decay: float
    flipped: bool
    kept: tuple[int, ...]
    stages: Callable[[nn.Module], Stages]

    @property
    def steps(self) -> int:
        """In all."""
        return self.images // self.batch * self.epochs

    @property
    def words(self) -> str:
        """For the head of a table."""
        return (
            f"{self.name}, {self.images:,} training images of {self.data}, {self.epochs} epochs "
            f"of SGD (momentum 0.9, rate {self.rate} falling to 0 by a cosine, weight decay "
            f"{self.decay:g}, batches of {self.batch}"
            f"{', random shifts and mirroring' if self.flipped else ''})"
        )


def lenet_stages(module: nn.Module) -> Stages:
    part = module.get_submodule
    return {
        "conv1": lambda x: torch.relu(part("conv1")(x)),
        "pool1": part("pool"),
        "conv2": lambda x: torch.relu(part("conv2")(x)),
        "pool2": part("pool"),
        "fc1": lambda x: torch.relu(part("fc1")(x.flatten(1))),
        "fc2": lambda x: torch.relu(part("fc2")(x)),
        "fc3": part("fc3"),
    }


def resnet_stages(module: nn.Module) -> Stages:
    part = module.get_submodule
    blocks = {f"{s}.{b}": part(f"layer{s}.{b}") for s in (1, 2, 3) for b in range(3)}
    return {
        "stem": lambda x: torch.relu(part("bn1")(part("conv1")(x))),
        **blocks,
        "avgpool": part("avgpool"),
        "linear": lambda x: part("linear")(x.flatten(1)),
    }


LENET = Course(
    "LeNet-5", "mnist", LeNet5, 60_000, 64, 3, 0.02, 0.0, False,
    (0, 30, 100, 300, 937), lenet_stages,
)  # fmt: skip
RESNET = Course(
    "ResNet-20", "cifar10", lambda: CifarResNet(20), 20_000, 128, 15, 0.1, 5e-4, True,
    (0, 40, 156, 624, 1404), resnet_stages,
)  # fmt: skip
COURSES = {"lenet5": LENET, "resnet20": RESNET}


@dataclass(frozen=True)
class Images:
    """Pictures as the network is given them (n, channels, h, w), and labels (n,)."""

    pictures: Tensor
    labels: Tensor


def missing(course: Course, root: Path) -> str:
    """Why a course cannot be run; empty if it can."""
    lost = [p for s in ("train", "test") if not (p := root / course.data / f"{s}.npz").is_file()]
    return f"{lost[0]} is not there" if lost else ""


def images(course: Course, root: Path) -> tuple[Images, Images]:
    """Training and test images, normalised by the channels' means and deviations of the former."""
    first, second = (
        _read(root / course.data / f"{split}.npz", count)
        for split, count in (("train", course.images), ("test", TESTED))
    )
    mean = first.pictures.mean(dim=(0, 2, 3), keepdim=True)
    deviation = first.pictures.std(dim=(0, 2, 3), keepdim=True)
    train, test = (Images((i.pictures - mean) / deviation, i.labels) for i in (first, second))
    return train, test


def _read(path: Path, count: int) -> Images:
    with np.load(path) as arrays:
        pixels = torch.from_numpy(arrays["images"][:count]).float() / 255
        labels = torch.from_numpy(arrays["labels"][:count].astype(np.int64))
    pictures = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return Images(pictures.contiguous(), labels)


def trained(course: Course, root: Path, folder: Path) -> list[tuple[int, nn.Module]]:
    """The network at each kept step, in evaluation mode; trained where the folder lacks them."""
    steps = sorted({*course.kept, course.steps})
    paths = {step: folder / f"{course.name}-{step:05d}.pt" for step in steps}
    if not all(path.is_file() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        for step, module in _train(course, images(course, root)[0]):
            if step in paths:
                torch.save(module.state_dict(), paths[step])
    found = []
    for step, path in paths.items():
        module = course.module()
        module.load_state_dict(torch.load(path, weights_only=True))
        found.append((step, module.eval()))
    return found


def _train(course: Course, train: Images) -> Iterator[tuple[int, nn.Module]]:
    """The module before the first step and after each."""
    torch.manual_seed(0)
    module = course.module().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        module.parameters(), lr=course.rate, momentum=0.9, weight_decay=course.decay
    )
    step, losses, begun = 0, [], time.process_time()
    yield step, module
    for epoch in range(course.epochs):
        order = torch.randperm(course.images)[: course.images // course.batch * course.batch]
        for chosen in order.split(course.batch):
            for group in optimiser.param_groups:
                group["lr"] = course.rate / 2 * (1 + math.cos(math.pi * step / course.steps))
            pictures = train.pictures[chosen]
            pictures = _flipped(pictures) if course.flipped else pictures
            module.train()
            loss = functional.cross_entropy(module(pictures), train.labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            step += 1
            yield step, module
        spent = time.process_time() - begun
        mean = sum(losses) / len(losses)
        print(f"<!-- {course.name}, epoch {epoch + 1}: loss {mean:.3f}, {spent:.0f} s of CPU -->")
        losses = []


def _flipped(pictures: Tensor) -> Tensor:
    """One shift of the batch by up to four pixels, half of its images mirrored."""
    down, right = torch.randint(0, 9, (2,)).tolist()
    size = pictures.shape[-1]
    padded = functional.pad(pictures, (4, 4, 4, 4))
    shifted = padded[:, :, down : down + size, right : right + size]
    mirrored = torch.rand(len(pictures)) < 0.5
    return torch.where(mirrored[:, None, None, None], shifted.flip(3), shifted)
