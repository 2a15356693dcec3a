"""The trained network as a file that needs no flags to be analysed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infoflow.training import atomic
from infoflow.training.job import Job
from infoflow.training.networks import input_size


def write_network(job: Job, path: Path, step: int, figures: Mapping[str, float]) -> None:
    """Writes the network's tensors with how it is run and what made it.

    Args:
        job: Whose network.
        path: A ``.safetensors``.
        step: Steps that it was trained for.
        figures: Of its last test.

    Raises:
        OutputError: It cannot be written.
    """
    from safetensors.torch import save

    own, settings = job.sets.preprocessing, job.settings
    metadata = {
        "format": "pt",
        "architecture": job.network.architecture,
        "input_size": input_size(job.example),
        "mean": ",".join(f"{number:g}" for number in own.mean),
        "std": ",".join(f"{number:g}" for number in own.std),
        "data": settings.data.name,
        "task": job.task.name,
        "entropy": " ".join(settings.loss.entropy),
        "steps": str(step),
        **{name: f"{value:.4f}" for name, value in figures.items()},
    }
    state = {
        name: tensor.detach().cpu().clone().contiguous()
        for name, tensor in job.network.module.state_dict().items()
    }
    atomic.write(path, save(state, {key: value for key, value in metadata.items() if value}))
