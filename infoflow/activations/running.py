"""What a network needs to run on data: the data as it takes them, its device and its precision."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from infoflow.activations.request import ActivationRequest
from infoflow.data import Data, Preprocessing, open_data
from infoflow.data.normalisations import own_preprocessing
from infoflow.errors import DataError, SelectionError
from infoflow.models import Runnable
from infoflow.report import DataSummary

FEWEST = 8
"""Samples below which nothing is measured."""
PRECISIONS = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Of a network's run, by their names."""


def preprocessing_of(network: Runnable, request: ActivationRequest) -> Preprocessing:
    """What is done to pictures for this network: its own, but for what was asked."""
    known = own_preprocessing(network.metadata, network.architecture, network.channels)
    asked = request.input_size
    size = (asked[0], asked[1]) if asked is not None and len(asked) == 2 else None
    return known.changed(size=size, mean=request.mean, std=request.std)


def opened(request: ActivationRequest, preprocessing: Preprocessing) -> Data:
    """The data that were asked for.

    Raises:
        DataError: They cannot be read, or are too few.
    """
    data = open_data(
        request.data,
        split=request.split,
        samples=request.samples or None,
        seed=request.seed,
        root=request.root,
        download=request.download,
        preprocessing=preprocessing,
    )
    if data.samples < FEWEST:
        raise DataError(
            f"{request.data} has {data.samples} samples here; at least {FEWEST} are needed to say "
            "anything about information (some hundreds to say it well)."
        )
    return data


def summary(data: Data, request: ActivationRequest, notes: Sequence[str] = ()) -> DataSummary:
    """The data in words; ``notes`` are what else must be known of the run."""
    return DataSummary(
        name=request.data,
        split=request.split,
        samples=data.samples,
        available=None,
        task=data.task,
        classes=tuple(data.classes or ()),
        preprocessing=data.preprocessing,
        x=data.x_name,
        notes=(data.description, *data.notes, *notes),
    )


def placed(module: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The network where it shall run; the caller's own stays where it is."""
    tensors = (*module.parameters(), *module.buffers())
    there = all(
        one.device == device and (one.dtype == dtype or not one.is_floating_point())
        for one in tensors
    )
    return module if there else copy.deepcopy(module).to(device, dtype)


def device_of(name: str) -> torch.device:
    """The device of this name.

    Raises:
        SelectionError: It cannot be used.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if reason.startswith(("Expected one of", "Invalid device string")):
            raise SelectionError(
                f"There is no device {name!r}: write cpu, cuda, cuda:1 or mps."
            ) from error
        raise SelectionError(f"The device {name!r} cannot be used: {reason}") from error
    return device


def dtype_of(name: str) -> torch.dtype:
    """The precision of this name.

    Raises:
        SelectionError: There is none.
    """
    if name not in PRECISIONS:
        raise SelectionError(f"No precision is called {name!r}; there are {', '.join(PRECISIONS)}.")
    return PRECISIONS[name]
