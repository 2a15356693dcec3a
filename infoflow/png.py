"""Small pictures as PNG, written with the standard library alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
"""PNG's colour type of a picture whose pixels are places in a palette."""
_BY_CHANNELS = {1: 0, 3: 2}
"""PNG's colour types of pictures whose pixels are grey, or red, green and blue."""


def png(
    rows: Sequence[bytes], palette: Sequence[tuple[int, int, int]], clear: int | None = None
) -> bytes:
    """A picture of one byte a pixel.

    Args:
        rows: From top to bottom, of equal length; each byte is a place in the palette.
        palette: At most 256 colours.
        clear: Place in the palette that is transparent.
    """
    colours = b"".join(bytes(colour) for colour in palette)
    seen = b"" if clear is None else _chunk(b"tRNS", b"\xff" * clear + b"\0")
    return _file(rows, len(rows[0]), _PALETTE, _chunk(b"PLTE", colours) + seen)


def photograph(rows: Sequence[bytes], channels: int) -> bytes:
    """A picture of one byte a channel.

    Args:
        rows: From top to bottom, of equal length, pixel after pixel.
        channels: 1 (grey) or 3 (red, green, blue).
    """
    return _file(rows, len(rows[0]) // channels, _BY_CHANNELS[channels])


def address(picture: bytes) -> str:
    """The picture as a ``data:`` address, which needs no network."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _file(rows: Sequence[bytes], width: int, kind: int, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
    # Each line begins with its filter: none, which serves noise and flat areas best.
    pixels = _packed(b"".join(b"\0" + row for row in rows))
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            before,
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        ]
    )


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
