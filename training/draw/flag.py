"""Invented flags, described in words of our own. Never a real one: see `NATIONAL`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from PIL import Image, ImageDraw

from training.draw import flag_fields, flag_overlays
from training.draw.ink import Colour

_RATIOS = ((150, 100), (160, 100), (180, 100), (200, 100), (190, 100), (130, 100), (100, 100))
_SCALE = 3

# Designs (layout: colours in order) that a well-known nation or region flies: they are drawn again.
_BANDS = """
horizontal: black red yellow; red white blue; red white light blue; white blue red; red white red; red white green;
white green red; blue black white; maroon white maroon; yellow green red; red blue orange; red white black;
green white blue; light green white blue; green yellow blue; green yellow light blue; white red; red white; blue yellow;
light blue yellow; red yellow green; green yellow red; yellow blue red; blue white blue; light blue white light blue;
green white red; red yellow red; orange white green; red blue yellow green; red white blue white red;
red black green; black white green; blue white red; black yellow red; blue red green; light blue red green;
white green black; yellow red; red yellow; green white; white green; blue white; white blue; red black; black red
vertical: blue white red; green white red; green white orange; orange white green; black yellow red; blue yellow red;
red yellow green; green yellow red; red white red; green white green; blue white blue; light blue white light blue;
red yellow blue; green red; maroon white; red white; white red; blue red; red green; green white; white green;
dark green white dark green; dark blue yellow dark blue; blue yellow blue; red white green
disk: white red; red white; green red; dark green red; light blue yellow; blue yellow; red yellow
cross: red white; white red; blue white; white blue; blue yellow; light blue yellow; red yellow; yellow red
saltire: blue white; dark blue white; white red; white blue; green yellow; red white; light blue white
"""


def _blocked() -> frozenset[tuple[str, ...]]:
    """(layout, colour, colour, ...) of every design in `_BANDS`."""
    flat = re.sub(r"(dark|light) (blue|green)", r"\1_\2", " ".join(_BANDS.split()))
    found = set()
    for layout, designs in re.findall(r"(\w+): ([^:]*?)(?= \w+:|$)", flat):
        found |= {(layout, *(word.replace("_", " ") for word in design.split())) for design in designs.split(";")}
    return frozenset(found)


NATIONAL = _blocked()
_ALIKE = {"dark green": "green", "light green": "green", "dark blue": "blue", "maroon": "red"}


@dataclass
class Flag:
    """A flag while it is being drawn: the picture, the words so far, and what decides whether it is a real one."""

    picture: Image.Image
    pen: ImageDraw.ImageDraw
    key: tuple[str, ...] = ()
    overlays: int = 0
    ground: list[Colour] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    emblem_told: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.picture.size

    @property
    def national(self) -> bool:
        """Whether the bare design is one that a nation flies."""
        plain = tuple(_ALIKE.get(part, part) for part in self.key)
        return self.overlays == 0 and (self.key in NATIONAL or plain in NATIONAL)


_SYMBOLS = ("courage", "peace", "hope", "the land", "the sea", "freedom", "unity", "the sky", "prosperity", "sacrifice",
            "agriculture", "faith", "purity", "forests", "mineral wealth", "the struggle for independence",
            "justice", "the people", "the sun")  # fmt: skip


def _meaning(rng: Random, flag: Flag) -> str:
    told = [f"{paint.word} {rng.choice(('stands for', 'represents', 'symbolizes', 'is for'))} {rng.choice(_SYMBOLS)}"
            for paint in flag.ground[: rng.randint(1, 3)]]  # fmt: skip
    return ", ".join(told)


def caption(flag: Flag, rng: Random) -> str:
    """The description of `flag` in one of many wordings."""
    field_told, overlays = "; ".join(flag.told), flag.emblem_told[:]
    if len(overlays) > 1 and rng.random() < 0.3:
        rng.shuffle(overlays)
    joint = rng.choice((" with ", "; ", ", ", "; ", " and ", ", with "))
    words = joint.join([field_told, *([rng.choice(("; ", ", ", " and ")).join(overlays)] if overlays else [])])
    if rng.random() < 0.25:
        words = f"{rng.choice(('a flag:', 'flag of', 'a flag with', 'flag,', 'a banner with', 'the flag has'))} {words}"
    if rng.random() < 0.2:
        words = f"{words}; {_meaning(rng, flag)}"
    return words


def draw(rng: Random) -> tuple[Image.Image, str]:
    """An invented flag and its description."""
    while True:
        width, height = rng.choice(_RATIOS)
        picture = Image.new("RGB", (width * _SCALE, height * _SCALE), "white")
        flag = Flag(picture, ImageDraw.Draw(picture))
        flag_fields.paint(flag, rng)
        flag_overlays.paint(flag, rng)
        if not flag.national:
            return flag.picture, caption(flag, rng)
