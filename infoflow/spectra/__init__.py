"""From an operator to what its spectrum says, by the cheapest exact way, and which way it was."""

from infoflow.spectra.blocked import Decomposition, blocked_log_volume, exact_density
from infoflow.spectra.blocked_rank import blocked_rank
from infoflow.spectra.boundaries import Boundary, boundaries, circular_boundary
from infoflow.spectra.density import (
    Circular,
    Density,
    circular_log_volume,
    log_volume_density,
    slice_densities,
)
from infoflow.spectra.matrix import (
    MatrixVolume,
    exact_log_volume,
    is_affordable,
    matrix_log_volume,
)
from infoflow.spectra.rank import Rank, generic_rank
from infoflow.spectra.spectrum import Spectrum, singular_spectrum
from infoflow.spectra.triangle import Triangle, triangle

__all__ = [
    "Boundary",
    "Circular",
    "Decomposition",
    "Density",
    "MatrixVolume",
    "Rank",
    "Spectrum",
    "Triangle",
    "blocked_log_volume",
    "blocked_rank",
    "boundaries",
    "circular_boundary",
    "circular_log_volume",
    "exact_density",
    "exact_log_volume",
    "generic_rank",
    "is_affordable",
    "log_volume_density",
    "matrix_log_volume",
    "singular_spectrum",
    "slice_densities",
    "triangle",
]
