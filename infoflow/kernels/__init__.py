"""Kernels between samples: distances, bandwidth rules, Gram matrices and their products.

Float64 inside, on the device of the input. "σ" is always the one of exp(−‖x − y‖²/(2σ²)).
"""

from infoflow.kernels.bandwidths import BANDWIDTHS, Bandwidth, bandwidth
from infoflow.kernels.distances import (
    DistanceMatrix,
    Distances,
    Points,
    duplicates,
    points,
    squared_distances,
    standardised,
    tiles,
)
from infoflow.kernels.gram import (
    Gaussian,
    Indicator,
    Kernel,
    Minimum,
    Product,
    centred,
    gram,
    kernel_of,
    normalised,
    product_of_gaussians,
)
from infoflow.kernels.packed import Lengthened, PackedDistances

__all__ = [
    "BANDWIDTHS",
    "Bandwidth",
    "DistanceMatrix",
    "Distances",
    "Gaussian",
    "Indicator",
    "Kernel",
    "Lengthened",
    "Minimum",
    "PackedDistances",
    "Points",
    "Product",
    "bandwidth",
    "centred",
    "duplicates",
    "gram",
    "kernel_of",
    "normalised",
    "points",
    "product_of_gaussians",
    "squared_distances",
    "standardised",
    "tiles",
]
