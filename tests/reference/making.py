"""Tables of networks made by hand or drawn."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import strategies as st

from infoflow.reference.strata import DENSE, SPATIAL
from infoflow.reference.table import Network, Table, rounded


def network(name: str, *samples: float, kind: str = DENSE, quantity: str = "gain") -> Network:
    """A network of one kind and quantity."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    values = tuple(sorted(rounded(sample) for sample in samples))
    return Network(name, digest, {kind: len(values)}, {kind: {quantity: values}})


def gaussians(networks: int = 4, layers: int = 10, seed: int = 0) -> Table:
    """Networks of normal values in two kinds."""
    draw = np.random.default_rng(seed)
    kinds = (DENSE, SPATIAL)
    return Table(
        tuple(
            network(f"{seed}-{place}", *draw.standard_normal(layers), kind=kinds[place % 2])
            for place in range(networks)
        )
    )


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(rounded)
samples = st.lists(st.lists(numbers, min_size=1, max_size=8), min_size=1, max_size=6)
