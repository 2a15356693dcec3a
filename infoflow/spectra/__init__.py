"""From an operator to what its spectrum says, by the cheapest exact way, and which way it was."""

from infoflow.spectra.blocked import blocked_log_volume, blocked_spectrum
from infoflow.spectra.blocked_rank import blocked_rank
from infoflow.spectra.density import (
    Circular,
    Density,
    circular_log_volume,
    log_volume_density,
    slice_densities,
)
from infoflow.spectra.rank import Rank, generic_rank
from infoflow.spectra.spectrum import Spectrum, singular_spectrum
from infoflow.spectra.triangle import Triangle, triangle

__all__ = [
    "Circular",
    "Density",
    "Rank",
    "Spectrum",
    "Triangle",
    "blocked_log_volume",
    "blocked_rank",
    "blocked_spectrum",
    "circular_log_volume",
    "generic_rank",
    "log_volume_density",
    "singular_spectrum",
    "slice_densities",
    "triangle",
]
