"""Trains a sample model and writes its checkpoint and its card.

    python sample_models/train.py NAME --data-root FOLDER [--out FOLDER]

FOLDER holds ``mnist``, ``fashion-mnist`` and ``cifar10``, each with ``train.npz`` and ``test.npz``
of two uint8 arrays: ``images``, N x H x W or N x H x W x 3, and ``labels``, N.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from card import card
from recipes import RECIPES, Recipe, Result
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from infoflow.zoo import ZOO, ZooEntry


class UserError(Exception):
    """A mistake of the caller, said in one sentence."""


@dataclass(frozen=True)
class Split:
    """Images (N x H x W x C, uint8) and their labels (N)."""

    images: Tensor
    labels: Tensor


def read_split(path: Path, entry: ZooEntry) -> Split:
    """The images and labels of one file, checked against what the network takes."""
    try:
        with path.open("rb") as stream, np.load(stream) as archive:
            missing = {"images", "labels"} - set(archive)
            if missing:
                raise UserError(f"{path} has no array {' and no array '.join(sorted(missing))}")
            images, labels = archive["images"], archive["labels"]
    except FileNotFoundError:
        raise UserError(f"there is no {path}") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path} cannot be read as an .npz file of plain arrays") from None
    expected = (*entry.input_size, entry.channels)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.shape[1:] != expected or len(images) == 0:
        found = f"{len(images)} images of {images.dtype} {images.shape[1:]}"
        raise UserError(f"{path} holds {found}, not at least one of uint8 {expected}")
    if labels.shape != images.shape[:1] or not np.isin(labels, np.arange(10)).all():
        raise UserError(f"{path} does not hold one label from 0 to 9 for each of its images")
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def prepared(images: Tensor, recipe: Recipe) -> Tensor:
    """Pixels in 0..1, minus the mean, over the standard deviation; channels first."""
    data = recipe.data
    scaled = (images.to(torch.float32) / 255 - torch.tensor(data.mean)) / torch.tensor(data.std)
    return scaled.permute(0, 3, 1, 2).contiguous()


def augmented(images: Tensor, generator: torch.Generator, border: int = 4) -> Tensor:
    """Each image flipped or not, and cut at random out of itself with a black border."""
    count, height, width, _ = images.shape
    framed = pad(images, (0, 0, border, border, border, border))
    corners = torch.randint(2 * border + 1, (2, count, 1), generator=generator)
    rows = corners[0] + torch.arange(height)
    columns = corners[1] + torch.arange(width)
    flipped = torch.rand((count, 1), generator=generator) < 0.5
    columns = torch.where(flipped, columns.flip(1), columns)
    return framed[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def batches(count: int, size: int, steps: int, generator: torch.Generator) -> Iterator[Tensor]:
    """``steps`` batches of indices: epoch after epoch in a new order, incomplete ones dropped."""
    size = min(size, count)
    done = 0
    while done < steps:
        for batch in torch.split(torch.randperm(count, generator=generator), size):
            if len(batch) == size and done < steps:
                done += 1
                yield batch


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Constant, or a linear warm-up over a twentieth of the steps and half a cosine down to 0."""
    if not recipe.cosine:
        return recipe.learning_rate
    warmup = min(1.0, (step + 1) / max(1, steps // 20))
    return recipe.learning_rate * warmup * (1 + math.cos(math.pi * step / steps)) / 2


def optimiser_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Decay acts on matrices and filters only, not on biases, normalisations and tokens."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim in (2, 4)], "weight_decay": recipe.decay},
        {"params": [p for p in parameters if p.ndim not in (2, 4)], "weight_decay": 0.0},
    ]
    if recipe.optimiser == "SGD":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def train(network: nn.Module, recipe: Recipe, split: Split, steps: int) -> float:
    """Trains in place; the mean loss of the last 50 steps, in nats."""
    generator = torch.Generator().manual_seed(recipe.seed)
    optimiser = optimiser_of(recipe, network)
    losses = []
    network.train()
    for step, batch in enumerate(batches(len(split.labels), recipe.batch, steps, generator)):
        images = split.images[batch]
        if recipe.augment:
            images = augmented(images, generator)
        loss = cross_entropy(network(prepared(images, recipe)), split.labels[batch])
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step, steps)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            recent = sum(losses[-100:]) / 100
            print(f"{recipe.name}: step {step + 1} of {steps}, loss {recent:.4f}", file=sys.stderr)
    return sum(losses[-50:]) / len(losses[-50:])


@torch.no_grad()
def count_correct(network: nn.Module, recipe: Recipe, split: Split) -> int:
    """How many images the network gives their label."""
    network.eval()
    correct = 0
    parts = zip(torch.split(split.images, 500), torch.split(split.labels, 500), strict=True)
    for images, labels in parts:
        correct += int((network(prepared(images, recipe)).argmax(dim=1) == labels).sum())
    return correct


def moved(network: nn.Module, start: dict[str, Tensor]) -> float:
    """Frobenius norm of what training added to the weights, over that of the weights drawn."""
    matrices = [(p.detach(), start[name]) for name, p in network.named_parameters() if p.ndim > 1]
    change = sum(float(((now - before) ** 2).sum()) for now, before in matrices)
    return math.sqrt(change / sum(float((before**2).sum()) for _, before in matrices))


def encoded(network: nn.Module, recipe: Recipe, result: Result) -> bytes:
    """The checkpoint in the recipe's format; saved to memory, so that no file name gets in."""
    weights = network.state_dict()
    if recipe.format == "safetensors":
        entry, data = ZOO[recipe.network], recipe.data
        metadata = {
            "format": "pt",
            "architecture": f"infoflow:{recipe.network}",
            "input_size": "x".join(map(str, entry.input_shape)),
            "mean": ",".join(map(str, data.mean)),
            "std": ",".join(map(str, data.std)),
            "data": data.name,
            "steps": str(result.steps),
            "accuracy": f"{result.accuracy:.4f}",
        }
        return safetensors.torch.save(weights, metadata)
    content = weights
    if recipe.nested:
        content = {"state_dict": weights, "step": result.steps, "accuracy": result.accuracy}
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=recipe.format == "PyTorch zip")
    return buffer.getvalue()


def claim(paths: list[Path], *, overwrite: bool) -> None:
    """Makes sure, before the time is spent, that the files can be written."""
    for path in paths:
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already; --overwrite would replace it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror})") from None


def write(path: Path, content: bytes) -> None:
    """Writes beside and renames, so that no half a file is ever at the path."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)


def make(recipe: Recipe, options: argparse.Namespace) -> None:
    """Trains one sample, writes the checkpoint and its card, and prints the accuracy."""
    checkpoint, note = options.out / recipe.file, options.out / f"{recipe.name}.md"
    entry = ZOO[recipe.network]
    folder = options.data_root / recipe.data.name
    training = read_split(folder / "train.npz", entry)
    test = read_split(folder / "test.npz", entry)
    claim([checkpoint, note], overwrite=options.overwrite)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    # Nothing here reads memory that it has not written: filling it would cost a quarter of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(recipe.seed)
    network = entry.factory()
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    began = time.perf_counter()
    steps = options.steps or recipe.steps
    loss = train(network, recipe, training, steps)
    result = Result(
        steps=steps,
        training_images=len(training.labels),
        test_images=len(test.labels),
        correct=count_correct(network, recipe, test),
        loss=loss,
        moved=moved(network, start),
        seconds=time.perf_counter() - began,
        threads=options.threads,
        torch_version=torch.__version__,
        parameters=sum(p.numel() for p in network.parameters()),
    )
    write(checkpoint, encoded(network, recipe, result))
    write(note, card(recipe, entry.title, result).encode())
    print(f"{checkpoint}: {result.accuracy:.2%} of {result.test_images:,} test images")


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description="Train a sample model.")
    parser.add_argument("name", choices=[*RECIPES, "all"], help="which one")
    parser.add_argument("--data-root", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path(), help="where to write (here)")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the recipe's)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    options = parser.parse_args(words)
    if options.threads < 1 or (options.steps is not None and options.steps < 1):
        parser.error("--steps and --threads are at least 1")
    return options


def main(words: list[str] | None = None) -> int:
    """Runs the command; 0 done, 2 the caller's mistake."""
    options = arguments(words)
    try:
        if not options.data_root.is_dir():
            raise UserError(f"the data root {options.data_root} is not a folder")
        for name in RECIPES if options.name == "all" else [options.name]:
            make(RECIPES[name], options)
    except UserError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
