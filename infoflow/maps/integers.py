"""Small whole numbers, several in one 32-bit word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unpacked(words: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Numbers of ``bits`` bits along the first axis, from a stream that begins at the lowest bit.

    32 numbers fill ``bits`` words, so that widths which do not divide 32 run on from one word
    into the next (GPTQ's 3 bits do).

    Args:
        words: (n, …) 32-bit integers, n a multiple of what whole numbers need.
        bits: 1 to 8.

    Returns:
        (n·32/bits, …).
    """
    import numpy as np

    stream = np.ascontiguousarray(words).astype(np.int64) & 0xFFFFFFFF
    count = stream.shape[0] * 32 // bits
    numbers = np.empty((count, *stream.shape[1:]), np.uint8)
    period = 32 // bits if 32 % bits == 0 else 32
    step = period * bits // 32
    for place in range(period):
        word, shift = divmod(place * bits, 32)
        part = stream[word::step] >> shift
        if shift + bits > 32:
            part = part | (stream[word + 1 :: step] << (32 - shift))
        numbers[place::period] = part & ((1 << bits) - 1)
    return numbers
