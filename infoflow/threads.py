"""How many threads work, and on what.

Small matrices get one BLAS thread: more of them wait for each other longer than they work. Many
matrices, the symbols of a convolution, are shared out among threads of one BLAS thread each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")
Result = TypeVar("Result")

SMALL = 512
"""Side of the largest matrices measured on one thread.

Complex LU by OpenBLAS on two idle cores, time on two threads over time on one: 1.0 at 256, 0.67 at
512, 0.63 at 768. On a busy machine the second thread made layers take ten times as long and more.
"""

LAPACK_SIDE = 128
"""Side from which LU is scipy's LAPACK (`infoflow.operators.factors`): it has a BLAS of its own."""


@contextmanager
def threads_for(shape: tuple[int, ...]) -> Iterator[None]:
    """Run numpy's BLAS on one thread while a layer of small matrices is measured.

    Args:
        shape: Of the weight; its two first numbers are the sides of the matrices.
    """
    if min(shape[:2], default=0) > SMALL:
        yield
        return
    with _one_blas_thread(with_scipy=min(shape[:2], default=0) >= LAPACK_SIDE):
        yield


def allowed() -> int:
    """Threads that the user allows: as BLAS reads it from the environment, else one a core."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if (value := os.environ.get(name, "")).isdigit() and int(value):
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shared_out(function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """``function`` of every part, in order, by as many threads as are allowed.

    For functions that spend their time in numpy's linear algebra, which lets other threads run.
    """
    workers = min(allowed(), len(parts))
    if workers < 2:
        return [function(part) for part in parts]
    from concurrent.futures import ThreadPoolExecutor

    with _one_blas_thread(with_scipy=True), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, parts))


@contextmanager
def _one_blas_thread(*, with_scipy: bool) -> Iterator[None]:
    if with_scipy:
        import scipy.linalg  # noqa: F401  (a BLAS that is loaded later would not be limited)
    with _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _controller(with_scipy: bool) -> ThreadpoolController:
    """The BLAS libraries loaded so far; scipy brings its own, and is imported late."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
