"""Small palette pictures as PNG data addresses, written with the standard library alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
"""PNG's colour type of a picture whose pixels are places in a palette."""


def png(
    rows: Sequence[bytes], palette: Sequence[tuple[int, int, int]], clear: int | None = None
) -> bytes:
    """A picture of one byte a pixel.

    Args:
        rows: From top to bottom, of equal length; each byte is a place in the palette.
        palette: At most 256 colours.
        clear: Place in the palette that is transparent.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, _PALETTE, 0, 0, 0)
    # Each line begins with its filter: none, which serves noise and flat areas best.
    pixels = _packed(b"".join(b"\0" + row for row in rows))
    colours = b"".join(bytes(colour) for colour in palette)
    seen = b"" if clear is None else _chunk(b"tRNS", b"\xff" * clear + b"\0")
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours),
            seen,
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        ]
    )


def address(picture: bytes) -> str:
    """The picture as a ``data:`` address, which needs no network."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _packed(content: bytes) -> bytes:
    """Deflated, with repeats or, which suits noise better, without: whichever is shorter."""
    tries = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        packer = zlib.compressobj(9, strategy=strategy)
        tries.append(packer.compress(content) + packer.flush())
    return min(tries, key=len)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checked)
