"""Words that are drawn: read by RapidOCR (extra `[ocr]`), whose models come with its package; nothing is fetched."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from statistics import median
from typing import Any, Final

from PIL import Image

from ingestion.document import Item, ParsedDocument, Picture
from rag.errors import MissingExtra
from rag.pictures import open_picture

__all__ = ["MAX_CHARACTERS", "available", "read_words", "require", "switched", "wanted", "with_drawn_words"]

MAX_CHARACTERS: Final = 20_000
"""Words of one picture beyond this are left out."""
MIN_SIDE: Final = 12
"""Pixels; no letter fits below."""
MAX_RATIO: Final = 24
"""A picture more times as long as wide is not read: scaled to fit, its letters would be too small."""
GOOD_SIDE: Final = 736
"""Pixels on the shorter side, to which smaller pictures are enlarged as far as LONGEST allows."""
MAX_SCALE: Final = 4.0
LONGEST: Final = 2000
"""Pixels on the longer side that the models are given. Left to itself RapidOCR made 736×55,200 pixels of a strip of
40×3,000, and took 126 s and 4.6 GB for it."""
MIN_SCORE: Final = 0.7
"""What is read with less certainty is left out: below, textures are taken for letters."""
_SAME_LINE: Final = 0.5
"""Boxes whose centres differ by less than this share of their height stand on one line."""

_switch: ContextVar[bool] = ContextVar("ocr", default=False)
_turn = threading.Lock()


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    bottom: float
    text: str

    @property
    def centre(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top


def available() -> bool:
    """Whether the extra is installed. Nothing is imported."""
    return find_spec("rapidocr") is not None


def require() -> None:
    """Raises MissingExtra where the extra is not installed."""
    if not available():
        raise MissingExtra("reading the words in pictures (OCR)", "ocr")


@contextmanager
def switched(on: bool) -> Iterator[None]:
    """Within the block readers may use OCR, or not. It is off where nobody says otherwise: it costs about a second a
    picture. Raises MissingExtra where it is to be on and the extra is not installed."""
    if on:
        require()
    token = _switch.set(on)
    try:
        yield
    finally:
        _switch.reset(token)


def wanted() -> bool:
    """Whether OCR is on here: readers ask before they read what is only drawn, such as a scanned page."""
    return _switch.get()


def with_drawn_words(document: ParsedDocument) -> ParsedDocument:
    """The document with the words in its pictures read, where OCR is on. What knows its words already, such as an SVG
    drawing, is not read."""
    if not wanted():
        return document
    read: dict[bytes, str] = {}
    items: list[Item] = []
    for item in document.items:
        if not isinstance(item, Picture) or item.ocr or item.flat:
            items.append(item)
            continue
        if item.data not in read:
            read[item.data] = read_words(open_picture(item.data))
        items.append(replace(item, ocr=read[item.data]))
    return replace(document, items=tuple(items))


def read_words(image: Image.Image) -> str:
    """The words in an RGB picture, one printed line a line, from top to bottom and left to right; "" for none.

    Raises MissingExtra where the extra `[ocr]` is not installed.
    """
    short, long = sorted(image.size)
    if short < MIN_SIDE or long > MAX_RATIO * short:
        return ""
    import numpy as np

    scale = min(max(1.0, min(MAX_SCALE, GOOD_SIDE / short)), LONGEST / long)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)

    with _turn:  # one engine for all threads: its sessions use every core by themselves
        # RapidOCR takes arrays as OpenCV lays them out, blue first.
        found = _engine()(np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1]))
    if found.txts is None or found.boxes is None:
        return ""
    boxes = [
        _Box(float(corners[:, 0].min()), float(corners[:, 1].min()), float(corners[:, 1].max()), " ".join(text.split()))
        for corners, text in zip(np.asarray(found.boxes), found.txts, strict=True)
    ]
    return "\n".join(lines([box for box in boxes if box.text]))[:MAX_CHARACTERS]


def lines(boxes: Sequence[_Box]) -> list[str]:
    """The printed lines. Boxes beside each other are one line; what stands in columns is read row by row."""
    rows: list[list[_Box]] = []
    for box in sorted(boxes, key=lambda box: box.centre):
        row = rows[-1] if rows else []
        if row and abs(box.centre - median(other.centre for other in row)) < _SAME_LINE * min(
            box.height, row[0].height
        ):
            row.append(box)
        else:
            rows.append([box])
    return [" ".join(box.text for box in sorted(row, key=lambda box: box.left)) for row in rows]


@cache
def _engine() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as exc:
        raise MissingExtra("reading the words in pictures (OCR)", "ocr") from exc
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": MIN_SCORE,
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST,
        }
    )
    # It tells of every model it loads and of every picture without words.
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return engine
