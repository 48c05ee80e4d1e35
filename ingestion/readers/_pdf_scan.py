"""The words of scanned pages, which may lie on their side or upside down."""

from __future__ import annotations

import re
from typing import Any, Final

from PIL import Image

from ingestion.ocr import read_words

_TURNS: Final = (Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_ENOUGH: Final = 0.6
"""A page is read the right way where this share of its letters is in words of three and more."""


def scanned_lines(page: Any) -> list[str]:
    """The lines of a scanned page, turned as reads best: it is turned only where too few letters make words.

    Raises MissingExtra where the extra `[ocr]` is not installed.
    """
    best = read_words(page)
    if _legible(best) < _ENOUGH:
        tries = [best, *(read_words(page.transpose(turn)) for turn in _TURNS)]
        best = max(tries, key=_legible)
    return best.splitlines()


def _legible(words: str) -> float:
    letters = sum(not char.isspace() for char in words)
    return sum(map(len, _WORD.findall(words))) / letters if letters else 0.0
