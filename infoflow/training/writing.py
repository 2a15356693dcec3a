"""The trained network as a file that needs no flags to be analysed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

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
    atomic.write(path, _file(state, {key: value for key, value in metadata.items() if value}))


def _file(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; the same tensors and metadata give the same bytes.

    The library writes the metadata in an order of chance.
    """
    from safetensors.torch import save

    written = save(dict(state))
    length = int.from_bytes(written[:8], "little")
    header = {"__metadata__": dict(metadata), **json.loads(written[8 : 8 + length])}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + written[8 + length :]
