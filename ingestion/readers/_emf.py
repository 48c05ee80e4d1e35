"""Metafiles, in which Office keeps drawings: those that only wrap a bitmap, as pasted screenshots do, are that bitmap;
others are drawn by metafile-render (extra `[emf]`).

Source: [MS-EMF], 2.3.1 (records that hold bitmaps) and 2.2.9 (header); [MS-WMF], 2.3.2.
"""

from __future__ import annotations

import struct
from typing import Final

from rag.errors import PictureError

DPI: Final = 150
"""Dots per inch at which a drawing is drawn: labels can be read, and a page takes a quarter of a second."""
_WMF: Final = (b"\xd7\xcd\xc6\x9a", b"\x01\x00\x09\x00\x00\x03")
"""How Windows metafiles begin, with and without a size of their own."""
_HEADER: Final = 1
_STRETCHDIBITS: Final = 81
_PLACES: Final = {_STRETCHDIBITS: 48, 76: 84, 77: 84}
"""Record type -> where its bitmap's four places (header, its size, bits, their size) are told: STRETCHDIBITS, BITBLT,
STRETCHBLT."""
_MAX_RECORDS: Final = 100_000
_DRAWS: Final = frozenset({*range(2, 9), *range(41, 48), *range(54, 65), *range(71, 75), *range(83, 98)})
"""Records that draw lines, shapes or text: then the bitmap is only a part of the picture."""


def unwrapped(data: bytes) -> bytes:
    """The bitmap of a metafile that shows just one, as a BMP file; anything else as it is."""
    if data[:4] != b"\x01\x00\x00\x00" or data[40:44] != b" EMF":
        return data
    bitmap, drawn, offset = b"", 0, 0
    for _ in range(_MAX_RECORDS):
        if offset + 8 > len(data):
            break
        kind, size = struct.unpack_from("<II", data, offset)
        if size < 8:
            break
        if kind in _PLACES and (found := _bitmap(data[offset : offset + size], _PLACES[kind])):
            bitmap, drawn = found, drawn + 1
        drawn += kind in _DRAWS and kind != 43  # SETPOLYFILLMODE and its like draw nothing
        offset += size
    return bitmap if bitmap and drawn == 1 else data


def is_metafile(data: bytes) -> bool:
    """Whether the bytes are an EMF or WMF drawing."""
    return data[40:44] == b" EMF" or data.startswith(_WMF)


def drawn(data: bytes) -> tuple[bytes, bool]:
    """A metafile as a PNG picture, and whether parts of it are missing.

    Raises PictureError where it cannot be drawn, or the extra is not installed.
    """
    try:
        from metafile_render import MetafileError, render_metafile
    except ImportError as exc:
        raise PictureError('a metafile, drawn only with the extra: pip install "triptych-rag[emf]"') from exc
    try:
        result = render_metafile(data, dpi=DPI)
    except MetafileError as exc:
        raise PictureError(f"a metafile that cannot be drawn ({exc})") from exc
    return result.data, result.partial


def _bitmap(record: bytes, place: int) -> bytes:
    if len(record) < place + 16:
        return b""
    header, header_size, bits, bits_size = struct.unpack_from("<IIII", record, place)
    info, pixels = record[header : header + header_size], record[bits : bits + bits_size]
    if header_size < 40 or len(info) != header_size or len(pixels) != bits_size or not pixels:
        return b""
    return struct.pack("<2sIHHI", b"BM", 14 + len(info) + len(pixels), 0, 0, 14 + len(info)) + info + pixels
