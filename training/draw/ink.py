"""Colours, outlines and small wording helpers that every kind of drawing shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from random import Random

from PIL import ImageFont
from PIL.ImageDraw import ImageDraw

Point = tuple[float, float]
Rgb = tuple[int, int, int]

# Name of the colour, its other names, its RGB centre.
_COLOURS: dict[str, tuple[tuple[str, ...], Rgb]] = {
    "red": (("red", "red", "bright red", "scarlet"), (212, 28, 40)),
    "maroon": (("maroon", "dark red", "crimson"), (128, 16, 36)),
    "orange": (("orange", "orange", "saffron"), (248, 138, 28)),
    "yellow": (("yellow", "yellow", "gold", "golden"), (250, 208, 24)),
    "green": (("green", "green", "emerald green"), (16, 142, 62)),
    "dark green": (("dark green", "green"), (4, 88, 48)),
    "light green": (("light green", "lime green"), (120, 206, 88)),
    "blue": (("blue", "blue", "royal blue"), (18, 62, 168)),
    "dark blue": (("dark blue", "navy blue", "blue"), (10, 26, 96)),
    "light blue": (("light blue", "sky blue", "pale blue"), (104, 178, 230)),
    "turquoise": (("turquoise", "teal"), (10, 156, 168)),
    "white": (("white",), (255, 255, 255)),
    "black": (("black",), (8, 8, 8)),
    "purple": (("purple", "violet"), (112, 40, 148)),
    "pink": (("pink",), (246, 152, 186)),
    "brown": (("brown",), (122, 72, 32)),
    "gray": (("gray", "grey"), (140, 142, 146)),
}
COLOURS = tuple(_COLOURS)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
           "thirteen")  # fmt: skip
_FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype/liberation")


@dataclass(frozen=True)
class Colour:
    """A colour as it is drawn (`rgb`) and as this picture's caption calls it (`word`)."""

    name: str
    word: str
    rgb: Rgb


def colour(rng: Random, name: str) -> Colour:
    """One shade and one name of the colour `name`."""
    words, centre = _COLOURS[name]
    spread = 4 if name in ("white", "black") else 20
    red, green, blue = (max(0, min(255, part + rng.randint(-spread, spread))) for part in centre)
    return Colour(name, rng.choice(words), (red, green, blue))


def colours(rng: Random, count: int, names: tuple[str, ...] = COLOURS) -> list[Colour]:
    """`count` different colours."""
    return [colour(rng, name) for name in rng.sample(names, count)]


def article(noun: str) -> str:
    """`noun` with a or an."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """The regular plural of `noun`."""
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """`noun` with its number: a star, three stars."""
    return article(noun) if count == 1 else f"{NUMBERS[count]} {plural(noun)}"


def listed(words: list[str]) -> str:
    """a, b, and c."""
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def ring(centre: Point, radius: float, corners: int, turn: float = 0.0) -> list[Point]:
    """Corners of a regular polygon, the first on top before it is turned (radians, clockwise)."""
    steps = (turn - math.pi / 2 + 2 * math.pi * index / corners for index in range(corners))
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in steps]


def star(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, points: int = 5, *, inner: float = 0.4) -> None:
    """A star with `points` tips, one of them on top."""
    outer = ring(centre, radius, points)
    hollow = ring(centre, radius * inner, points, math.pi / points)
    pen.polygon([corner for pair in zip(outer, hollow, strict=True) for corner in pair], fill=fill)


def disk(pen: ImageDraw, centre: Point, radius: float, fill: Rgb) -> None:
    """A filled circle."""
    pen.ellipse((centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius), fill=fill)


def crescent(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, behind: Rgb, *, turn: float = 0.0) -> None:
    """A crescent that opens to the right before it is turned; `behind` is the colour it lies on."""
    disk(pen, centre, radius, fill)
    offset = 0.36 * radius
    bite = (centre[0] + offset * math.cos(turn), centre[1] + offset * math.sin(turn))
    disk(pen, bite, radius * 0.8, behind)


def sun(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rays: int) -> None:
    """A disk with straight rays."""
    star(pen, centre, radius, fill, rays, inner=0.55)
    disk(pen, centre, radius * 0.5, fill)


@cache
def font_files() -> tuple[str, ...]:
    """Text fonts of the machine (Debian: fonts-dejavu, fonts-liberation)."""
    found = sorted(str(file) for folder in _FONT_FOLDERS for file in Path(folder).glob("*.ttf"))
    if not found:
        raise SystemExit("No fonts found: apt-get install fonts-dejavu fonts-liberation")
    return tuple(found)


@lru_cache(maxsize=256)
def font(file: str, size: int) -> ImageFont.FreeTypeFont:
    """The font `file` at `size` pixels."""
    return ImageFont.truetype(file, size)
