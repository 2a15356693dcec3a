"""Small runs for tests."""

from __future__ import annotations

from pathlib import Path

import torch

from infoflow.training.checkpointing import FOLDER, NAME
from infoflow.training.reading import changed
from infoflow.training.run_folder import METRICS, MODEL
from infoflow.training.settings import Settings

SMALL = (
    "network.name=cnn", "blocks=1", "width=4", "hidden=8", "dropout=0.2",
    "data.name=shapes", "data.samples=96", "validation_samples=40", "size=[16,16]",
    "augment=['flip','crop=2']", "learning_rate=0.01", "schedule=cosine", "warmup=3",
    "run.steps=24", "batch_size=20", "log_every=4", "evaluate_every=6", "checkpoint_every=3",
    "threads=1", "device=cpu",
    "entropy=['batch-entropy=0.2','conv=0.01:first']",
)  # fmt: skip


def settings(*assignments: str) -> Settings:
    """A run of some seconds at most: dropout, augmentation, a schedule, Adam, learnable α."""
    return changed(Settings(), [*SMALL, *assignments])


def last_state(run: Path) -> dict[str, object]:
    """What the newest checkpoint holds."""
    files = sorted(file for file in (run / FOLDER).iterdir() if NAME.fullmatch(file.name))
    return torch.load(files[-1], weights_only=True)


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimizer state, α, position and metrics.csv, byte for byte."""
    assert (one / METRICS).read_bytes() == (other / METRICS).read_bytes()
    assert (one / MODEL).read_bytes() == (other / MODEL).read_bytes()
    _assert_equal(last_state(one), last_state(other))


def _assert_equal(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            _assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            _assert_equal(a, b)
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.numpy().tobytes() == other.numpy().tobytes()
    else:
        assert one == other
