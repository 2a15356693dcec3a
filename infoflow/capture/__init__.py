"""Activations and error signals of unmodified modules.

``capture`` watches a network; ``Site`` is a place that is watched.
"""

from infoflow.capture.recorder import Recorder, capture
from infoflow.capture.site import Site

__all__ = ["Recorder", "Site", "capture"]
