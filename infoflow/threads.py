"""One BLAS thread for small matrices: more of them wait for each other longer than they work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

SMALL = 512
"""Side of the largest matrices measured on one thread.

Complex LU by OpenBLAS on two idle cores, time on two threads over time on one: 1.0 at 256, 0.67 at
512, 0.63 at 768. On a busy machine the second thread made layers take ten times as long and more.
"""


@contextmanager
def threads_for(shape: tuple[int, ...]) -> Iterator[None]:
    """Run numpy's BLAS on one thread while a layer of small matrices is measured.

    Args:
        shape: Of the weight; its two first numbers are the sides of the matrices.
    """
    if min(shape[:2], default=0) > SMALL:
        yield
        return
    with _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _controller(with_scipy: bool) -> ThreadpoolController:
    """The BLAS libraries loaded so far; scipy brings its own, and is imported late."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
