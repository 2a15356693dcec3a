"""A live module as a network that runs."""

from __future__ import annotations

from torch import nn

from infoflow.architectures.architecture import Architecture
from infoflow.models.building import Runnable, first_channels


def live(module: nn.Module, architecture: Architecture | None) -> Runnable:
    """The user's own module, which is run as it is and left as it was."""
    return Runnable(module, architecture, first_channels(module), {})
