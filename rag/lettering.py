"""Words in pictures: a font that has the letters, and lines of so many pixels. Pure but for the fonts of the system."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final
from unicodedata import category, combining, normalize

from PIL import ImageFont

from rag.display.plain import plain

__all__ = ["Lettering"]

_SYSTEM: Final = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "PingFang.ttc", "msyh.ttc"),
)
"""Fonts of Linux, macOS and Windows that have more letters than Pillow's own, which is little more than ASCII."""
_NOT_A_LETTER: Final = "\uffff"


class Lettering:
    """One face for all the words of a picture: Pillow's own, or else the font of the system that lacks fewest of them.

    A letter that even that one lacks is written without its accent, a dash as a hyphen, others as boxes.
    """

    def __init__(self, words: Iterable[str]) -> None:
        letters = {char for text in words for char in plain(text) if not char.isascii()}
        faces = ["", *_SYSTEM] if letters else [""]
        self._face = min(filter(_exists, faces), key=lambda face: sum(_lacks(face, char) for char in letters))

    def font(self, size: int) -> Any:
        """The face at a size in pixels."""
        return _font(self._face, size)

    def width(self, words: str, size: int) -> float:
        """Pixels that the words take in a line."""
        return float(self.font(size).getlength(words))

    def lines(self, words: str, size: int, width: int, most: int) -> list[str]:
        """The words in 1 to `most` lines of at most `width` pixels; what is left out is told by `...`."""
        lines = [""]
        rest = self._written(plain(words[:2000])).split()
        while rest:
            joined = f"{lines[-1]} {rest[0]}".strip()
            if self.width(joined, size) <= width:
                lines[-1] = joined
                rest.pop(0)
            elif len(lines) == most:
                lines[-1] = self._cut(joined, size, width, "...")
                break
            elif lines[-1]:
                lines.append("")
            else:
                lines[-1] = self._cut(rest[0], size, width, "")
                rest[0] = rest[0][len(lines[-1]) :]
        return lines

    def _written(self, words: str) -> str:
        return "".join(_plainer(char) if not char.isascii() and _lacks(self._face, char) else char for char in words)

    def _cut(self, words: str, size: int, width: int, end: str) -> str:
        kept = words
        while len(kept) > 1 and self.width(kept + end, size) > width:
            kept = kept[:-1]
        if end and " " in kept:  # not in the middle of a word
            kept = kept.rpartition(" ")[0]
        return kept + end


@cache
def _font(face: str, size: int) -> Any:
    return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)


def _exists(face: str) -> bool:
    try:
        _font(face, 16)
    except OSError:
        return False
    return True


@cache
def _lacks(face: str, char: str) -> bool:
    """Whether the face shows a letter as it shows what is none."""
    font = _font(face, 16)
    return bytes(font.getmask(char)) == bytes(font.getmask(_NOT_A_LETTER)) and bool(char.strip())


def _plainer(char: str) -> str:
    if category(char) == "Pd" or char == "\u2212":
        return "-"
    bare = "".join(part for part in normalize("NFKD", char) if not combining(part))
    return bare if bare.isascii() else char
