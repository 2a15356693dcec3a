"""What the measures need of the memory budget for themselves, besides the activations."""

from __future__ import annotations

from infoflow.activations.units import NUMBERS
from infoflow.kernels.bandwidths import MEDIAN_SAMPLES
from infoflow.kernels.packed import block_of, packed_bytes

HELD = 3
"""Variables whose distances are held together: X, the last error signal, and a site or its own."""
SQUARES = 3
"""Matrices of m × m that a median, an eigenvalue problem or a probe takes for at most 4,096
samples."""
DENSE = 5
"""Matrices of n × n that permutations take."""
VECTORS = 12
"""Numbers that are held of each unit of a site: moments, counts, entropies."""


def measures_need(samples: int, units: int, inputs: int, maps: int, *, permutations: bool) -> int:
    """Bytes that measuring takes at its peak.

    Args:
        samples: n.
        units: Numbers of one sample at the largest site.
        inputs: Bytes of one sample of X, its targets and the last site's error signal.
        maps: Bytes that the maps of a convolution take, at most.
        permutations: Whether nulls are drawn, which needs whole matrices.
    """
    few = min(samples, MEDIAN_SAMPLES)
    site = packed_bytes(samples) + SQUARES * 8 * few**2
    if permutations:
        site += DENSE * 8 * samples**2
    blocks = 8 * (3 * NUMBERS + 2 * samples * min(block_of(samples), units))
    # A convolution's maps are through before the site's distances are made.
    kernels = (HELD - 1) * packed_bytes(samples) + max(maps, site)
    return kernels + blocks + 8 * VECTORS * units + samples * inputs
