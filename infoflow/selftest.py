"""Known answers, computed on this machine: what `infoflow selftest` shows.

Each check compares a number of infoflow's own with one that was found another way: by hand, by a
closed form, or by the slow way. One looks at a fault of torch that infoflow avoids; the last ones
are the estimators of `infoflow analyze --data`, on every device and in both float types.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

from infoflow.measures.weights.corner import corners_of
from infoflow.measures.weights.entropy_change import square_log_determinant
from infoflow.measures.weights.twin_slices import TWINS
from infoflow.measures.weights.twin_volumes import log_determinant_twin
from infoflow.operators.frequencies import symmetric_grid
from infoflow.operators.polyphase import convolution_kernel

Matrix = np.ndarray[Any, Any]

EXAMPLE_4 = ((5.0, 4.0, 5.0, 3.0, 2.0), (3.0, 3.0, 1.0, 4.0, 6.0), (0.0, 0.0, 6.0, 2.0, 6.0))
"""A 3 × 5 weight with the figures of ENT's Example 4: det W_sq = 18, log-volume 5.7343."""

EXAMPLE_5 = ((2.0, -1.0), (3.0, 4.0), (-2.0, 1.0))
"""A 3 × 2 filter with the c₁₁ = 2 of ENT's Example 5."""

_TORCH_SIZE = 256
_TIMEOUT = 120
"""Seconds in which torch must be imported and asked, on however busy a machine."""
_PATIENCE = 5
"""Seconds of processor time for an LU that takes milliseconds."""
_DRAWS = 2000


@dataclass(frozen=True)
class Check:
    """One comparison.

    Args:
        name: What was compared.
        passed: Whether infoflow's number is right.
        measured: The number found, None where there is none.
        expected: The number it must be.
        detail: Both in words, and what a difference would mean.
    """

    name: str
    passed: bool
    measured: float | None
    expected: float | None
    detail: str


def run() -> list[Check]:
    """Every check; those that need torch only where it is installed."""
    checks = [
        _example_4(),
        _example_5(),
        _cauchy_binet(),
        *_twins(),
        _circular(),
    ]
    if _installed("torch"):
        checks += _torch_lu()
        checks += _estimators()
    return checks


def _estimators() -> Iterator[Check]:
    """The measures of activations, on every device that torch has here, in both float types."""
    import torch

    from infoflow.measures.activations.answers import answers

    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for dtype in (torch.float64, torch.float32):
            where = f"torch, {device}, {str(dtype).removeprefix('torch.')}"
            for answer in answers(device, dtype):
                name = f"{answer.name} ({where})"
                yield _close(
                    name, answer.measured, answer.expected, answer.detail, answer.tolerance
                )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # an import hook that refuses it
        return False


def _close(
    name: str, measured: float | None, expected: float, detail: str, tolerance: float = 1e-9
) -> Check:
    passed = measured is not None and abs(measured - expected) <= tolerance
    shown = "no number" if measured is None else f"{measured:.6g}"
    told = f"{detail}: {shown}, expected {expected:.6g} ± {tolerance:.1g}"
    return Check(name, passed, measured, expected, told)


def _example_4() -> Check:
    found = square_log_determinant(np.array(EXAMPLE_4), "float64").value
    return _close(
        "ENT Example 4", found, math.log(18), "log|det| of the square part of a 3 × 5 weight"
    )


def _example_5() -> Check:
    kernel = np.array(EXAMPLE_5)
    measured = 6 * float(corners_of(kernel[None, None]).finite[0])
    expected = float(np.linalg.slogdet(completed_toeplitz(kernel, (4, 4)))[1])
    return _close("ENT Example 5", measured, expected, "6 log|c₁₁| against log|det C′| (16 × 16)")


def completed_toeplitz(kernel: Matrix, size: tuple[int, int]) -> Matrix:
    """C′_M of a single filter on an input of the given size (ENT eqs. 7-10).

    Rows in the input's order: a position that has a valid output holds the filter's taps, any
    other carries its input along unchanged.
    """
    (height, width), (p, q) = size, kernel.shape
    whole = np.eye(height * width)
    for row, column in product(range(height - p + 1), range(width - q + 1)):
        place = row * width + column
        whole[place] = 0.0
        for a, b in product(range(p), range(q)):
            whole[place, place + a * width + b] = kernel[a, b]
    return whole


def _cauchy_binet() -> Check:
    weight = np.random.default_rng(0).standard_normal((4, 7))
    minors = [np.linalg.det(weight[:, list(chosen)]) ** 2 for chosen in combinations(range(7), 4)]
    exact = float(np.log(np.linalg.svd(weight, compute_uv=False)).sum())
    own = square_log_determinant(weight, "float64").value
    check = _close(
        "Cauchy-Binet",
        0.5 * math.log(sum(minors)),
        exact,
        "½ log of the sum of all squared minors against Σ log σ",
    )
    if own is None or own > exact:
        return Check(check.name, False, own, exact, "log|det W_sq| exceeds the exact log-volume")
    return check


def _twins() -> Iterator[Check]:
    generator = np.random.default_rng(0)
    draws = {
        "normal": generator.standard_normal((_DRAWS, 64)),
        "uniform": generator.uniform(-math.sqrt(3), math.sqrt(3), (_DRAWS, 64)),
    }
    for family, weights in draws.items():
        logs, twin = np.log(np.abs(weights)), TWINS[family]
        error = 5 * twin.spread / math.sqrt(weights.size)
        name = f"random twin, {family}"
        detail = f"mean log|w| of {weights.size:,} draws against the closed form"
        yield _close(name, float(logs.mean()), twin.mean, detail, error)
        error = 5 * math.sqrt((twin.kurtosis + 2) / 4 / weights.size)
        detail = f"its standard deviation over {weights.size:,} draws against the closed form"
        yield _close(f"{name}, spread", float(logs.std()), twin.spread, detail, error)
    size, count = 24, 400
    sample = generator.standard_normal((count, size, size))
    own = sample / np.sqrt((sample**2).mean(axis=(1, 2), keepdims=True))
    expected = log_determinant_twin(size, size * size, "normal")
    assert expected is not None  # only a single weight has no twin
    yield _close(
        "random twin, log|det|",
        float(np.linalg.slogdet(own)[1].mean()),
        expected.mean,
        f"mean of {count} random {size} × {size} matrices against the closed form",
        5 * expected.spread / math.sqrt(count),
    )


def _circular() -> Check:
    """A strided circular operator: frequencies against the singular values of its dense matrix."""
    n, stride = 6, 2
    weight = np.random.default_rng(0).standard_normal((3, 2, 3, 3))
    dense = np.zeros((3, n // stride, n // stride, 2, n, n))
    for i, j, a, b in product(range(n // stride), range(n // stride), range(3), range(3)):
        dense[:, i, j, :, (stride * i + a) % n, (stride * j + b) % n] += weight[:, :, a, b]
    slow = np.linalg.svd(dense.reshape(3 * (n // stride) ** 2, -1), compute_uv=False)
    kernel = convolution_kernel(weight, stride=(stride, stride), dilation=(1, 1))
    frequencies, multiplicities = symmetric_grid((n // stride, n // stride))
    values = np.linalg.svd(kernel.symbol(frequencies), compute_uv=False)
    fast = np.sort(np.repeat(values[:, 0], multiplicities.astype(int), axis=0), axis=None)[::-1]
    worst = float(np.abs(fast - slow).max())
    return _close("circular operator", worst, 0.0, "largest difference of a singular value", 1e-11)


_PROBE = """
import json, os
output = os.dup(1)
os.dup2(2, 1)  # oneMKL complains on standard output
def say(fact):
    os.write(output, (json.dumps(fact) + chr(10)).encode())
import numpy, torch
torch.set_num_threads(2)
from infoflow.measures.weights.determinant import log_determinant
weights = numpy.random.default_rng(0).standard_normal((2, {size}, {size}))
right = numpy.linalg.slogdet(weights)[1]
own = [log_determinant(torch.from_numpy(weight), "float64").value for weight in weights]
say([torch.__version__, float(abs(numpy.array(own) - right).max())])
try:
    import resource
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + {patience},) * 2)
except ImportError:
    pass
try:
    batched = torch.linalg.slogdet(torch.from_numpy(weights))[1].numpy()
    say(float(abs(batched - right).max()))
except RuntimeError:
    say("it raises an error")
"""


def _torch_lu() -> Iterator[Check]:
    """Torch's batched LU with two threads, in a process of its own; infoflow's way beside it."""
    name = f"log|det| of torch tensors, two threads, n = {_TORCH_SIZE}"
    try:
        (version, own), *fault = map(json.loads, _asked().splitlines())
    except (OSError, ValueError, TypeError) as error:
        told = f"torch is installed but could not be asked ({type(error).__name__}); not checked"
        yield Check(name, True, None, None, told)
        return
    yield _close(name, own, 0.0, "infoflow's way against numpy's, largest difference", 1e-8)
    # The fault is torch's: a warning, no failure of infoflow.
    number = fault[0] if fault and isinstance(fault[0], float) else None
    name = f"batched LU of torch {version}, two threads"
    yield Check(name, True, number, 0.0, _fault(fault[0] if fault else "it does not end"))


def _asked() -> bytes:
    """What the probe wrote until it ended, or until its patience did: the fault may be a loop."""
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH", "")])])
    try:
        return subprocess.run(
            [sys.executable, "-c", _PROBE.format(size=_TORCH_SIZE, patience=_PATIENCE)],
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        ).stdout
    except subprocess.TimeoutExpired as error:
        return error.stdout or b""


def _fault(found: float | str) -> str:
    if isinstance(found, float) and found <= 1e-6:
        return "this build's batched LU is right; infoflow does not use it all the same"
    said = f"off by {found:.3g} nats" if isinstance(found, float) else found
    return f"this build's batched LU is wrong ({said}); infoflow never uses it"
