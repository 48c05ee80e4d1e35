"""Paper, labels and arrows that diagrams share."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import Colour, Point, colours
from training.draw.words import vocabulary

Pen = ImageDraw.ImageDraw
SIZE = (320, 240)
_WORDS: list[str] = []


def label(rng: Random) -> str:
    """A word of the vocabulary."""
    if not _WORDS:
        _WORDS.extend(vocabulary())
    return rng.choice(_WORDS)


def paper(rng: Random, size: tuple[int, int] = SIZE) -> tuple[Image.Image, Pen, Colour]:
    """An empty light picture, its pen and one colour to draw in."""
    picture = Image.new("RGB", size, rng.choice(((255, 255, 255), (255, 255, 255), (250, 248, 240), (236, 242, 250))))
    (paint,) = colours(
        rng,
        1,
        ("red", "blue", "green", "orange", "purple", "light blue", "yellow", "turquoise", "gray", "pink", "black"),
    )
    return picture, ImageDraw.Draw(picture), paint


def arrow(pen: Pen, start: Point, end: Point) -> None:
    """A line with a head at `end`."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    pen.line([start, end], fill=(40, 40, 40), width=2)
    wings = [(end[0] - 9 * math.cos(angle + side), end[1] - 9 * math.sin(angle + side)) for side in (-0.45, 0.45)]
    pen.polygon([end, *wings], fill=(40, 40, 40))
