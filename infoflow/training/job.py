"""All that a step needs, put together from the settings."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from infoflow.architectures.factories import package
from infoflow.checkpoints import open_checkpoint
from infoflow.data import Batch
from infoflow.errors import SelectionError
from infoflow.losses import EntropyLoss, read
from infoflow.models.trial import first_output
from infoflow.training import networks
from infoflow.training.augmentation import Augmentation, read_augmentation
from infoflow.training.networks import Network, Subject
from infoflow.training.samples import Samples, Sets, open_sets
from infoflow.training.sampling import Plan
from infoflow.training.schedule import make_optimizer
from infoflow.training.settings import RunSettings, Settings
from infoflow.training.tasks import Task, task_of

LOOKED_AT = 2
"""Samples of the first run, in which network and data are tried."""


@dataclass
class Job:
    """A network, its data, its losses and what moves it.

    Args:
        settings: Of the run.
        fabric: Lightning's, which places and communicates.
        network: What is trained, with what its file must say.
        module: The same as Fabric runs it.
        entropy: The entropy losses, None without.
        optimizer: As Fabric steps it.
        task: What is asked of the network.
        sets: What it is trained and tested on.
        plan: Which samples make which step.
        example: Some samples.
        source: The checkpoint that is trained on, None for a fresh network.
    """

    settings: Settings
    fabric: Any
    network: Network
    module: nn.Module
    entropy: EntropyLoss | None
    optimizer: Optimizer
    task: Task
    sets: Sets
    plan: Plan
    example: Batch
    source: Subject

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        found: torch.device = self.fabric.device
        return found

    @property
    def processes(self) -> int:
        """How many share each step."""
        return int(self.fabric.world_size)

    @property
    def total(self) -> int:
        """Steps of the run."""
        run = self.settings.run
        return run.steps or run.epochs * self.plan.steps_an_epoch

    def steps(self, first: int) -> Iterator[list[Batch]]:
        """This process's parts of each step from one on."""
        data = self.settings.data
        own = self.sets.preprocessing
        black = tuple(-m / s for m, s in zip(own.mean, own.std, strict=True))
        augment = read_augmentation(data.augment, black, self.settings.run.seed)
        rank = int(self.fabric.global_rank)
        loader = DataLoader(
            _Steps(self.plan, self.sets.training, augment, rank, self.processes),
            batch_size=None,
            sampler=range(first, self.total),
            num_workers=data.workers,
            collate_fn=_as_it_is,
            worker_init_fn=_leave_signals,
            generator=torch.Generator(),  # not the global one, whose state belongs to the network
        )
        return iter(loader)


class _Steps(Dataset[list[Batch]]):
    """A process's parts of each step, by the step's number."""

    def __init__(
        self, plan: Plan, samples: Samples, augment: Augmentation, process: int, processes: int
    ) -> None:
        self.plan, self.samples, self.augment = plan, samples, augment
        self.process, self.processes = process, processes

    def __getitem__(self, step: int) -> list[Batch]:
        epoch = self.plan.epoch(step)
        parts = self.plan.parts_of(step, self.process, self.processes)
        return [self.augment(self.samples.take(part), epoch, part) for part in parts]


def _leave_signals(_worker: int) -> None:
    """Ctrl-C goes to all processes of a terminal; only the run itself may answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _as_it_is(parts: list[Batch]) -> list[Batch]:
    return parts


def make_fabric(settings: RunSettings) -> Any:
    """Lightning's Fabric, launched: from here on every process runs the same.

    Raises:
        MissingDependencyError: It is not there.
        SelectionError: The device is not there, or cannot do such precision.
    """
    home = package("lightning_fabric", "lightning-fabric", "training", "install infoflow[train]")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise SelectionError("run.device is cuda, and torch finds no such device here.")
    if settings.precision == "16-mixed" and device == "cpu":
        raise SelectionError("run.precision 16-mixed needs a GPU; bf16-mixed runs on the CPU.")
    everywhere = int(os.environ.get("WORLD_SIZE", settings.processes))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", settings.processes))
    several = everywhere > 1 or "TORCHELASTIC_RUN_ID" in os.environ
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends what this run is already told
        fabric = home.Fabric(
            accelerator=device,
            devices=here,
            num_nodes=max(1, everywhere // here),
            strategy="ddp" if several else "auto",
            precision=settings.precision,
        )
        fabric.launch()
    return fabric


def named(settings: Settings) -> Subject:
    """What will be trained; what can be told wrong of the settings without any data is told.

    Raises:
        InfoflowError: The network, a loss or the data are not named rightly.
    """
    found = networks.subject(settings.network)
    if not settings.data.name:
        raise SelectionError("data.name is empty: say what to train on, such as --data shapes.")
    for text in settings.loss.entropy:
        read(text)
    return found


def assemble(settings: Settings, found: Subject, fabric: Any) -> Job:
    """The network, the data, the losses and the optimizer that the settings name.

    Args:
        settings: Of the run.
        found: What they name to be trained.
        fabric: From `make_fabric`.

    Raises:
        InfoflowError: Something is not there, or does not fit the rest; one sentence says what.
    """
    run = settings.run
    sets = open_sets(settings.data, run.seed, found.preprocessing)
    sample = sets.training.take(torch.arange(min(LOOKED_AT, len(sets.training))).numpy())
    if settings.data.augment and sample.x.ndim != 4:
        raise SelectionError("data.augment changes pictures, and these samples are none.")
    own = sets.preprocessing
    task = task_of(settings.loss, found.task, sets.training.data, own.mean, own.std)
    network = networks.build(found, sample, task.classes, run.seed)
    module = network.module
    module.eval()
    task.check(first_output(module, sample, settings.data.name), sample)
    module.train()
    entropy = EntropyLoss(module, *settings.loss.entropy) if settings.loss.entropy else None
    if entropy is not None:
        entropy.to(fabric.device)
    optimizer = make_optimizer(settings.optimizer, module, entropy)
    compiled = torch.compile(module) if run.compile else module
    wrapped, stepped = fabric.setup(compiled, optimizer)
    parts = int(fabric.world_size) * run.accumulate
    plan = Plan(len(sets.training), min(run.batch_size, len(sets.training)), run.seed, parts)
    if plan.batch_size < parts:
        raise SelectionError(
            f"A step of {plan.batch_size} samples cannot be divided among {parts} parts: raise "
            "run.batch_size, or lower run.accumulate or run.processes."
        )
    return Job(
        settings, fabric, network, wrapped, entropy, stepped, task, sets, plan, sample, found
    )


def digest_of_source(found: Subject) -> str:
    """SHA-256 of the checkpoint or of the user's file, ``""`` where there is none."""
    name = found.settings.name
    if found.source is not None:
        return open_checkpoint(name).digest()
    path = Path(name.rpartition(":")[0])
    if path.suffix == ".py" and path.is_file():
        import hashlib

        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""
