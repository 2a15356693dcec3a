"""What somebody asks of the activations: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ActivationRequest:
    """Which data, how many, on what, and which estimators.

    Args:
        data: As after ``--data`` (`infoflow.data.open_data`).
        split: ``test``, ``train``, or another that is there.
        samples: How many to draw; 0 for all.
        root: Folder of the named sets; None for the usual places.
        download: Whether a named set may be fetched.
        input_size: Height and width of the network's input, instead of its usual ones.
        mean: Of each channel, instead of the network's own; None for those.
        std: Likewise.
        batch_size: Samples run at a time. No figure depends on it.
        device: ``cpu`` or a torch device such as ``cuda``.
        precision: ``float32``, ``float64``, ``bfloat16`` or ``float16``, of the network's run.
        seed: Of the samples drawn and of the permutations.
        sigma: Name of a bandwidth rule (`infoflow.kernels.BANDWIDTHS`), or σ itself.
        standardise: Whether features of X and of the sites are divided by their standard deviation
            before distances are taken.
        alpha: Order of the papers' matrix-based functional; None for the preset's, else 1.01.
        preset: Published convention that the papers' functional follows, by its name in
            `infoflow.measures.activations.presets.PRESETS`; empty for the kernels of I₂.
        permutations: How many for each null; 0 for the exact moments of I₂'s and no others.
        memory: Bytes that activations may take at a time.
        layers: Patterns of the sites to look at, as those of layers (see `chosen_sites`): the
            pattern of a layer takes its module's sites and what functions make of them; empty for
            all.
    """

    data: str
    split: str = "test"
    samples: int = 1000
    root: Path | None = None
    download: bool = False
    input_size: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    batch_size: int = 128
    device: str = "cpu"
    precision: str = "float32"
    seed: int = 0
    sigma: str | float = "half-median"
    standardise: bool = False
    alpha: float | None = None
    preset: str = ""
    permutations: int = 0
    memory: int = 2 * 2**30
    layers: tuple[str, ...] = ()
