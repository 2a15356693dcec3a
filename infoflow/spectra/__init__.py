"""From an operator to what its spectrum says, by the cheapest exact way, and which way it was."""

from infoflow.spectra.density import (
    Circular,
    Density,
    circular_log_volume,
    log_volume_density,
    slice_densities,
)
from infoflow.spectra.rank import Rank, generic_rank
from infoflow.spectra.spectrum import Spectrum, singular_spectrum

__all__ = [
    "Circular",
    "Density",
    "Rank",
    "Spectrum",
    "circular_log_volume",
    "generic_rank",
    "log_volume_density",
    "singular_spectrum",
    "slice_densities",
]
