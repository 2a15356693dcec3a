"""Small palette pictures as PNG data addresses, written with the standard library alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
"""PNG's colour type of a picture whose pixels are places in a palette."""


def png(rows: Sequence[bytes], palette: Sequence[tuple[int, int, int]]) -> bytes:
    """A picture of one byte a pixel.

    Args:
        rows: From top to bottom, of equal length; each byte is a place in the palette.
        palette: At most 256 colours.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, _PALETTE, 0, 0, 0)
    # Each line begins with its filter: none, which serves noise and flat areas best.
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    colours = b"".join(bytes(colour) for colour in palette)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours),
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        ]
    )


def address(picture: bytes) -> str:
    """The picture as a ``data:`` address, which needs no network."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checked)
