"""Networks that run: a checkpoint's weights in the module that they belong to."""

from infoflow.models.building import Runnable, first_channels, runnable
from infoflow.models.live import live
from infoflow.models.trial import first_run

__all__ = ["Runnable", "first_channels", "first_run", "live", "runnable"]
