"""Exact log-volumes of convolutions against the textbook method, in this process.

Run: python benchmarks/convolution.py
Needs numpy and infoflow. Five minutes. The textbook method, as published (Sedghi, Gupta and Long,
ICLR 2019): np.fft.fft2 of the kernel padded to the input's size, all singular values of every
frequency by np.linalg.svd.
Goals: the circular log-volume of a 512 × 512 × 3 × 3 layer on 14 × 14 at least 6 times faster on
one thread and 10 on two, equal to 1e-9; the log-volume density of VGG16's thirteen convolutions,
to 1e-3 nats a channel, at least 100 times faster than the textbook method on 224 × 224. Nobody
waits for that one: its time is measured on a small grid for one layer of each shape, and
multiplied by the number of frequencies.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from harness import Comparison, Run, again, compare_here, header, timed

from infoflow.operators.polyphase import convolution_kernel
from infoflow.spectra import circular_log_volume, generic_rank, log_volume_density

VGG16 = (
    (64, 3),
    (64, 64),
    (128, 64),
    (128, 128),
    (256, 128),
    (256, 256),
    (256, 256),
    (512, 256),
    *[(512, 512)] * 5,
)
SMALL = 4
"""Side of the grid on which the textbook method is timed before it is extrapolated."""


def kernel(outputs: int, inputs: int) -> np.ndarray:
    """Gaussian weights as He et al. initialise them, in float32."""
    drawn = np.random.default_rng(0).standard_normal((outputs, inputs, 3, 3), dtype=np.float32)
    return drawn * np.float32(np.sqrt(2 / (9 * inputs)))


def textbook(weight: np.ndarray, size: int) -> float:
    """Σ log σ over all frequencies of a size × size input."""
    # In float64: numpy would transform float32 to complex64, which is right to 1e-7 only.
    taps = weight.transpose(2, 3, 0, 1).astype(np.float64)
    transformed = np.fft.fft2(taps, (size, size), axes=(0, 1))
    return float(np.log(np.linalg.svd(transformed, compute_uv=False)).sum())


def circular(weight: np.ndarray, size: int) -> float:
    """The same by infoflow, rank first."""
    layer = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    rank = generic_rank(layer, epsilon=2.0**-23, generator=np.random.default_rng(0))
    value = circular_log_volume(layer, rank, (size, size)).value
    assert value is not None
    return value


def density(weight: np.ndarray) -> tuple[float, float]:
    """Log-volume a position for any input's size, and the half width of its interval."""
    layer = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    rank = generic_rank(layer, epsilon=2.0**-23, generator=np.random.default_rng(0))
    found = log_volume_density(layer, rank, np.random.default_rng(1))
    assert found.value is not None
    assert found.high is not None
    return found.value, found.high - found.value


def on_a_grid(threads: str) -> None:
    """512 × 512 × 3 × 3 on 14 × 14."""
    weight = kernel(512, 512)
    expected = textbook(weight, 14)
    assert abs(circular(weight, 14) / expected - 1) < 1e-9
    comparison = compare_here(
        f"circular log-volume, 512 × 512 × 3 × 3 on 14 × 14, threads: {threads}",
        lambda: circular(weight, 14),
        lambda: textbook(weight, 14),
        3 if threads == "1" else 1,
    )
    print(comparison.row("≥ 6 ×" if threads == "1" else "≥ 10 ×", times=True), flush=True)


def any_size(threads: str) -> None:
    """Densities of all thirteen, against the extrapolated textbook."""
    for outputs, inputs in ((16, 16), (24, 8)):
        small = kernel(outputs, inputs)
        value, half = density(small)
        tolerance = 4 * half + 1e-3 * min(outputs, inputs)
        assert abs(value - textbook(small, 64) / 64**2) < tolerance
    weights = [kernel(*shape) for shape in VGG16]
    ours = timed(lambda: [density(weight) for weight in weights])
    seconds = {
        shape: timed(lambda shape=shape: textbook(kernel(*shape), SMALL)).seconds / SMALL**2
        for shape in set(VGG16)
    }
    theirs = Run(sum(seconds[shape] for shape in VGG16) * 224**2)
    name = f"log-volume density, VGG16's 13 convolutions, threads: {threads} (textbook on 224 × 224"
    comparison = Comparison(f"{name}, extrapolated)", (ours,), (theirs,))
    print(comparison.row("≥ 100 ×", times=True), flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        on_a_grid(sys.argv[1])
        any_size(sys.argv[1])
        return
    print(header("what | infoflow | textbook | faster | goal"))
    for threads in (1, 2):
        again(threads)


if __name__ == "__main__":
    main()
