"""A network run on data, on the device that was asked for or, where that is full, on the CPU."""

from __future__ import annotations

from dataclasses import replace

import torch

from infoflow.activations.produced import Interrupted, Produced
from infoflow.activations.request import ActivationRequest
from infoflow.activations.run import Progress, Run
from infoflow.capture.stream import DeviceFullError
from infoflow.errors import CaptureError
from infoflow.models import Runnable

__all__ = ["Interrupted", "Produced", "produce"]


def produce(
    network: Runnable, request: ActivationRequest, progress: Progress = lambda words: None
) -> Produced:
    """Run a network on data and measure its activations.

    Raises:
        DataError: The data cannot be read, or do not fit the network.
        CaptureError: The network cannot be run on them, or gives NaN.
        SelectionError: A name or number of the request is unknown.
        Interrupted: Somebody interrupted it after a site was measured.
    """
    try:
        return Run(network, request, progress).whole()
    except (CaptureError, torch.OutOfMemoryError) as error:
        if request.device == "cpu" or not is_out_of_memory(error):
            raise
    note = (
        f"{request.device} has too little memory for a single sample: the network ran on the CPU."
    )
    progress(note)
    torch.cuda.empty_cache()
    found = Run(network, replace(request, device="cpu"), progress).whole()
    return replace(found, data=replace(found.data, notes=(note, *found.data.notes)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device had too little memory, even for a single sample."""
    full = (DeviceFullError, torch.OutOfMemoryError)
    return isinstance(error, full) or isinstance(error.__cause__, full)
