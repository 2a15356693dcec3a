"""A live module as a network that runs."""

from __future__ import annotations

import copy

from torch import nn

from infoflow.architectures.architecture import Architecture
from infoflow.models.building import Runnable, first_channels


def live(module: nn.Module, architecture: Architecture | None) -> Runnable:
    """A copy of the user's own module, in evaluation mode; the module itself is not touched."""
    return Runnable(copy.deepcopy(module).eval(), architecture, first_channels(module), {})
