"""infoflow: see how information flows through a trained neural network.

>>> import infoflow
>>> report = infoflow.analyze("sample_models/lenet5-mnist.pt")  # doctest: +SKIP

The public names are in the table below; each is imported on its first use, so that
``import infoflow`` costs nothing and loads neither torch nor matplotlib.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infoflow.activations.request import ActivationRequest as ActivationRequest
    from infoflow.analysis import analyze as analyze
    from infoflow.comparing import compare as compare
    from infoflow.comparison.comparison import Comparison as Comparison
    from infoflow.errors import InfoflowError as InfoflowError
    from infoflow.pruning.prune import Pruned as Pruned
    from infoflow.pruning.prune import prune as prune
    from infoflow.report import Finding as Finding
    from infoflow.report import Measurement as Measurement
    from infoflow.report import Report as Report

_PUBLIC = {
    "ActivationRequest": "infoflow.activations.request",
    "analyze": "infoflow.analysis",
    "compare": "infoflow.comparing",
    "Comparison": "infoflow.comparison.comparison",
    "InfoflowError": "infoflow.errors",
    "Pruned": "infoflow.pruning.prune",
    "prune": "infoflow.pruning.prune",
    "Finding": "infoflow.report",
    "Measurement": "infoflow.report",
    "Report": "infoflow.report",
}

__all__ = [
    "ActivationRequest",
    "Comparison",
    "Finding",
    "InfoflowError",
    "Measurement",
    "Pruned",
    "Report",
    "analyze",
    "compare",
    "prune",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("infoflow")
    raise AttributeError(f"module 'infoflow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if "IPython" in sys.modules:
    from infoflow.notebook import register

    register()
