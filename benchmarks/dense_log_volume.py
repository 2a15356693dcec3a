"""The log-volume of a dense layer of 4096 × 25088 (float32), in this process, one thread.

Run: python benchmarks/dense_log_volume.py
Needs numpy, scipy and infoflow, and 2.5 GB. Two and a half minutes.
Goal: at most 1.2 times the symmetric product and Cholesky decomposition of the whole matrix in
float64, where the condition number allows that; and the right value by QR where it does not.
infoflow's side is everything that `--measures log-volume` computes: the rank first, with the
channels that are zero, negligible or copies.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from harness import again, compare_here, header

from infoflow.layers import Layer
from infoflow.measures.weights.subject import Subject
from infoflow.operators.blocks import BlockedMatrix
from infoflow.spectra import triangle

SHAPE = (4096, 25088)


def ours(weight: np.ndarray) -> float:
    """Rank first, then the log-volume."""
    density = Subject(Layer("layer", "dense", weight, "float32")).density
    assert density.value is not None
    assert density.method == "exact, Gram"
    return density.value


def theirs(weight: np.ndarray) -> float:
    """½ log det(WWᵀ) by scipy's BLAS and LAPACK."""
    from scipy.linalg.blas import dsyrk
    from scipy.linalg.lapack import dpotrf

    gram = dsyrk(1.0, weight.astype(np.float64).T, trans=1, lower=1)
    factor, info = dpotrf(gram, lower=1, overwrite_a=1)
    assert info == 0
    return float(np.log(np.diagonal(factor)).sum())


def verify_by_qr() -> None:
    """A condition number of 1e9: the Gram matrix forgets it, QR does not."""
    generator = np.random.default_rng(1)
    left = np.linalg.qr(generator.standard_normal((600, 600)))[0]
    right = np.linalg.qr(generator.standard_normal((3000, 600)))[0]
    values = np.geomspace(1.0, 1e-9, 600)
    found = triangle(BlockedMatrix((left * values) @ right.T))
    exact = float(np.log(values).sum())
    assert found.way == "QR"
    assert abs(found.log_volume - exact) < 1e-6
    error = abs(found.log_volume - exact)
    print(f"\nCondition number 1e9 (600 × 3000): by {found.way}, off by {error:.1e} nats.")


def main() -> None:
    if len(sys.argv) == 1:
        print(header("what | infoflow | syrk and Cholesky | ratio | goal"))
        again(1)
        return
    weight = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32) / np.float32(158)
    assert abs(ours(weight) / theirs(weight) - 1) < 1e-9
    comparison = compare_here(
        "log-volume of 4096 × 25088", lambda: ours(weight), lambda: theirs(weight), 5
    )
    print(comparison.row("≤ 1.2"), flush=True)
    verify_by_qr()


if __name__ == "__main__":
    main()
