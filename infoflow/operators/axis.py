"""One spatial dimension of a convolution: which input position each tap reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from infoflow.errors import OperatorError

Places = NDArray[np.int64]


def _zeros(places: Places, size: int) -> Places:
    return np.where((places >= 0) & (places < size), places, -1)


def _circular(places: Places, size: int) -> Places:
    return np.asarray(places % size)


def _replicate(places: Places, size: int) -> Places:
    return np.asarray(np.clip(places, 0, size - 1))


def _reflect(places: Places, size: int) -> Places:
    return np.asarray(size - 1 - np.abs(size - 1 - np.abs(places)))


MODES: Mapping[str, Callable[[Places, int], Places]] = {
    "zeros": _zeros,
    "circular": _circular,
    "replicate": _replicate,
    "reflect": _reflect,
}
"""From places that may lie outside the input to places inside it, −1 for a zero."""


@dataclass(frozen=True)
class Axis:
    """One spatial dimension of y[n] = Σ_k w[k] · x[s·n + r·k − padding].

    Args:
        size: Positions of x (the fine grid).
        positions: Positions of y (the coarse grid).
        kernel: Number of taps.
        stride: s.
        dilation: r.
        padding: Positions before the first one of x.
        mode: What stands there: a name of ``MODES``.
    """

    size: int
    positions: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    mode: str = "zeros"

    @property
    def span(self) -> int:
        """Positions of the padded input that are read, from the first to the last."""
        return self.stride * (self.positions - 1) + self.dilation * (self.kernel - 1) + 1

    @cached_property
    def padded(self) -> Places:
        """Of each position of the padded input: the input's that stands there, −1 for a zero."""
        places: Places = np.arange(self.span) - self.padding
        return MODES[self.mode](places, self.size)

    @cached_property
    def sources(self) -> Places:
        """(positions, kernel): the input position that each tap reads, −1 for a zero."""
        starts = self.stride * np.arange(self.positions)
        return np.take(self.padded, starts[:, None] + self.dilation * np.arange(self.kernel))

    @property
    def pairs(self) -> int:
        """Entries of the single-channel matrix that may differ from zero.

        Exact for zeros; an upper bound for the other paddings, where two taps of a position may
        read the same input. Needs no table, whatever the size.
        """
        if self.mode != "zeros":
            return self.positions * min(self.kernel, self.size)
        count = 0
        for tap in range(self.kernel):
            place = self.dilation * tap - self.padding
            first = max(0, -(place // self.stride))
            last = min(self.positions - 1, (self.size - 1 - place) // self.stride)
            count += max(0, last - first + 1)
        return count

    @cached_property
    def reached(self) -> tuple[int, int]:
        """Positions of y that read some input, and positions of x that are read."""
        inside = self.sources >= 0
        return int(inside.any(axis=1).sum()), len(np.unique(self.sources[inside]))


def correlation_axis(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    end_padding: int | None = None,
    mode: str = "zeros",
) -> Axis:
    """The axis of a convolution, with as many positions as torch gives it.

    Args:
        size: Of the input.
        kernel: Number of taps.
        stride: Of the output's positions on the input.
        dilation: Of the taps.
        padding: Positions added before the input.
        end_padding: Positions added after it; as many as before where None.
        mode: What is added: a name of ``MODES``.

    Raises:
        OperatorError: The kernel does not fit into the padded input, or the padding is more than
            its mode can fill.
    """
    end = padding if end_padding is None else end_padding
    if mode not in MODES:
        raise OperatorError(f"padding mode {mode!r} is none of {', '.join(MODES)}.")
    most = {"circular": size, "reflect": size - 1}.get(mode, max(padding, end))
    if max(padding, end) > most:
        raise OperatorError(
            f"{mode} padding of {max(padding, end)} is more than an input of {size} positions "
            f"can fill (at most {most})."
        )
    extent = dilation * (kernel - 1) + 1
    if size + padding + end < extent:
        raise OperatorError(
            f"a kernel that spans {extent} positions does not fit into an input of {size} with "
            f"padding {padding}; the input must be larger."
        )
    positions = (size + padding + end - extent) // stride + 1
    return Axis(size, positions, kernel, stride, dilation, padding, mode)


def transposed_axis(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    output_padding: int = 0,
) -> Axis:
    """The axis of the convolution whose adjoint a transposed convolution is.

    Its x is the transposed layer's output, of (size − 1)·s − 2·padding + r·(kernel − 1) + 1 +
    output padding positions, and its y the transposed layer's input of ``size`` positions.

    Raises:
        OperatorError: The output would be empty, or the output padding is neither below the
            stride nor below the dilation.
    """
    fine = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + output_padding
    if fine < 1:
        raise OperatorError(
            f"a transposed convolution of an input of {size} with padding {padding} has no "
            "output; the input must be larger."
        )
    if output_padding >= max(stride, dilation):
        raise OperatorError(
            f"output padding {output_padding} must be below the stride ({stride}) or the "
            f"dilation ({dilation})."
        )
    return Axis(fine, size, kernel, stride, dilation, padding)


def circular_axis(size: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> Axis:
    """The axis of the circular operator, y[n] = Σ_k w[k] · x[(s·n + r·k) mod N].

    Raises:
        OperatorError: The size is no multiple of the stride.
    """
    if size % stride:
        raise OperatorError(
            f"a circle of {size} positions does not divide by a stride of {stride}."
        )
    return Axis(size, size // stride, kernel, stride, dilation, 0, "circular")
