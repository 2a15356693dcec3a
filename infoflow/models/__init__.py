"""Networks that run: a checkpoint's weights in the module that they belong to."""

from infoflow.models.building import Runnable, first_channels, runnable

__all__ = ["Runnable", "first_channels", "runnable"]
