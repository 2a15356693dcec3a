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
"""Side of the largest matrices measured on one thread. On an idle machine threads pay from about
256 on; on a busy one they cost ten times what they save."""


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
