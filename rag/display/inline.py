"""Pictures as escape sequences: pure functions from a picture to what makes a terminal show it.

No library of them is needed: a protocol is a few lines over Pillow.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rag.display.view import Protocol

__all__ = ["ROWS", "blocks", "fitted", "inline", "iterm", "kitty", "sixel"]

ROWS: Final = 12
"""Lines of the terminal that a picture may take."""
_CELL: Final = (10, 20)
"""Assumed width and height of a character, in pixels; it decides how small a picture is shown, not its proportions."""
_CHUNK: Final = 4096


def inline(picture: Image.Image, protocol: Protocol, columns: int) -> list[str]:
    """The lines to print for an RGB picture of at most `columns` × `ROWS` characters; the cursor starts in the first.

    Proportions are kept and nothing is enlarged.
    """
    encode: Mapping[Protocol, Callable[[Image.Image], list[str]]] = {
        "kitty": lambda small: [kitty(small, _rows(small))],
        "iterm": lambda small: [iterm(small, _rows(small))],
        "sixel": lambda small: [sixel(small)],
        "blocks": blocks,
    }
    cell = (1, 2) if protocol == "blocks" else _CELL
    return encode[protocol](fitted(picture, (columns * cell[0], ROWS * cell[1])))


def fitted(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """A copy that is at most as large as the box, in pixels."""
    small = picture.copy()
    small.thumbnail(box, Image.Resampling.LANCZOS)
    return small


def kitty(picture: Image.Image, rows: int) -> str:
    """kitty's graphics protocol: a PNG in chunks of 4096 bytes, shown at the cursor, `rows` lines high.

    `a=T` transmits and shows, `f=100` is PNG, `q=2` keeps the terminal from answering, `m=1` says that more follows.
    Source: sw.kovidgoyal.net/kitty/graphics-protocol, "The graphics escape code" and "Remote client".
    """
    data = _png(picture)
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks, 1):
        keys = f"a=T,f=100,q=2,r={rows}," if number == 1 else "q=2,"
        parts.append(f"\x1b_G{keys}m={int(number < len(chunks))};{chunk}\x1b\\")
    return "".join(parts)


def iterm(picture: Image.Image, rows: int) -> str:
    """iTerm2's inline images: a PNG in one OSC 1337 sequence, `rows` lines high.

    Source: iterm2.com/documentation-images.html.
    """
    data = _png(picture)
    size = len(base64.b64decode(data))
    return f"\x1b]1337;File=inline=1;size={size};height={rows};preserveAspectRatio=1:{data}\x07"


def sixel(picture: Image.Image) -> str:
    """Sixels: at most 256 colours, six lines of pixels a band, each colour of a band laid over the ones before it.

    Source: DEC VT330/VT340 Programmer Reference Manual, volume 2, chapter 14.
    """
    reduced = picture.quantize(256)
    palette = np.asarray(reduced.getpalette("RGB"), dtype=np.int64).reshape(-1, 3)
    pixels = np.asarray(reduced, dtype=np.int64)
    percent = (palette * 100 + 127) // 255
    colours = "".join("#{};2;{};{};{}".format(index, *percent[index]) for index in np.unique(pixels))
    bands = [_band(pixels[top : top + 6]) for top in range(0, len(pixels), 6)]
    return f'\x1bP0;1;0q"1;1;{picture.width};{picture.height}{colours}{"-".join(bands)}\x1b\\'


def _band(pixels: NDArray[np.int64]) -> str:
    """Up to six rows `(rows, width)` of palette indices: per colour one sign for each column, its bits the rows."""
    bits = (1 << np.arange(len(pixels)))[:, None]
    rows = []
    for colour in np.unique(pixels):
        signs = "".join(chr(63 + int(value)) for value in ((pixels == colour) * bits).sum(axis=0))
        runs = [(sign, len(list(run))) for sign, run in groupby(signs)]
        rows.append(f"#{colour}" + "".join(f"!{count}{sign}" if count > 3 else sign * count for sign, count in runs))
    return "$".join(rows)


def blocks(picture: Image.Image) -> list[str]:
    """Two pixels a character: an upper half block in the colour of the one, on the colour of the other (24-bit SGR)."""
    pixels = np.asarray(picture.convert("RGB"))
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    return [
        "".join(
            "\x1b[38;2;{};{};{};48;2;{};{};{}m▀".format(*above, *below)
            for above, below in zip(upper, lower, strict=True)
        )
        + "\x1b[0m"
        for upper, lower in zip(pixels[0::2], pixels[1::2], strict=True)
    ]


def _rows(picture: Image.Image) -> int:
    return math.ceil(picture.height / _CELL[1])


def _png(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
