"""The geometry of a convolution in a file that does not say it: assumed, and told as assumed."""

from __future__ import annotations

from infoflow.facts import Geometry


def assumed_geometry(
    shape: tuple[int, ...], channels: int, input_size: tuple[int, ...] | None
) -> tuple[Geometry, str]:
    """Stride 1 and one group; as many groups as channels where it can only be depthwise.

    A weight (C, 1, *kernel) reads one channel a filter. Where the map before it gives C > 1
    channels, that is a depthwise convolution of C groups.

    Args:
        shape: Of the weight.
        channels: That the map before it in the file gives, 0 where there is none.
        input_size: To assume, where it has as many dimensions as the kernel.

    Returns:
        The geometry, and what is assumed in words.
    """
    dimensions = len(shape) - 2
    ones, zeros = (1,) * dimensions, (0,) * dimensions
    size = input_size if input_size and len(input_size) == dimensions else None
    depthwise = shape[1] == 1 and shape[0] == channels > 1
    groups = shape[0] if depthwise else 1
    words = f"assumed stride 1, groups {groups}" + (", input size" if size else "")
    return Geometry(ones, zeros, ones, groups=groups, input_size=size), words
