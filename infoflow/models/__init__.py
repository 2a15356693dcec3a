"""Networks that run: a checkpoint's weights in the module that they belong to."""

from infoflow.models.building import Runnable, first_channels, runnable
from infoflow.models.live import live
from infoflow.models.trial import Trial, trial

__all__ = ["Runnable", "Trial", "first_channels", "live", "runnable", "trial"]
