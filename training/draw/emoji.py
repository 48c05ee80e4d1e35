"""Noto colour emoji with their CLDR names and keywords. No flags.

Debian packages: fonts-noto-color-emoji, unicode-cldr-core.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

from training.draw.ink import article, colour, colours, listed

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
_CLDR = Path("/usr/share/unicode/cldr/common")
_BITMAP = 109  # the only size, in pixels, that the font holds
_SKIN = {chr(code) for code in (*range(0x1F3FB, 0x1F400), *range(0x1F9B0, 0x1F9B4))}  # and hair components
_REGIONAL = {chr(code) for code in range(0x1F1E6, 0x1F200)}
_FLAGS = set("🏁🚩🎌🏴🏳🎏🎐")


@dataclass(frozen=True)
class Emoji:
    """One pictogram: its characters, its name, its keywords."""

    text: str
    name: str
    keywords: tuple[str, ...]


def _allowed(text: str, name: str) -> bool:
    marks = set(text)
    if marks & (_SKIN | _REGIONAL | _FLAGS) or "flag" in name.lower():
        return False
    return all(ord(mark) >= 0x2190 for mark in marks) and len(text) <= 6


def _annotations(file: Path) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for element in ElementTree.parse(file).iter("annotation"):
        text, words = element.get("cp", ""), [word.strip() for word in (element.text or "").split("|")]
        told.setdefault(text, [""])
        if element.get("type") == "tts":
            told[text][0] = words[0]
        else:
            told[text] += words
    return told


@lru_cache(maxsize=1)
def all_emoji() -> tuple[Emoji, ...]:
    """Every emoji that the font draws in one glyph and that is not a flag."""
    file = _CLDR / "annotations" / "en.xml"
    if not file.exists() or not FONT.exists():
        raise SystemExit("Emoji are missing: apt-get install fonts-noto-color-emoji unicode-cldr-core")
    derived = _annotations(_CLDR / "annotationsDerived" / "en.xml")
    found = []
    for text, (name, *keywords) in sorted({**derived, **_annotations(file)}.items()):
        if name and _allowed(text, name) and glyph(text) is not None:
            found.append(Emoji(text, name.replace("’", "'"), tuple(k for k in keywords if k != name)))
    return tuple(found)


@lru_cache(maxsize=2048)
def glyph(text: str) -> Image.Image | None:
    """The picture of `text` on transparency, cut to its ink; none where the font lacks it or needs several glyphs."""
    font = _font()
    if font.getlength(text) > 1.3 * _BITMAP:
        return None
    picture = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(picture).text((10, 10), text, font=font, embedded_color=True, fill=(0, 0, 0, 255))
    box = picture.getbbox()
    if box is None or (box[2] - box[0] < 20 and box[3] - box[1] < 20):
        return None
    cut = picture.crop(box)
    return cut if cut.getcolors(maxcolors=8) is None else None  # a box of one colour stands for a missing glyph


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), _BITMAP)


def placed(rng: Random, picture: Image.Image, emoji: Emoji, centre: tuple[float, float], side: float) -> None:
    """Paste `emoji` at `centre`, its longer edge `side` pixels long, sometimes tilted."""
    cut = glyph(emoji.text)
    assert cut is not None
    scale = side / max(cut.size)
    cut = cut.resize((max(1, int(cut.width * scale)), max(1, int(cut.height * scale))), Image.Resampling.BILINEAR)
    if rng.random() < 0.3:
        cut = cut.rotate(rng.uniform(-25, 25), expand=True, resample=Image.Resampling.BILINEAR)
    picture.paste(cut, (int(centre[0] - cut.width / 2), int(centre[1] - cut.height / 2)), cut)


def _ground(rng: Random) -> tuple[Image.Image, str]:
    paint = colour(rng, "white") if rng.random() < 0.5 else colours(rng, 1)[0]
    return Image.new("RGB", rng.choice(((180, 180), (180, 180), (220, 165), (150, 200))), paint.rgb), paint.word


def _told(rng: Random, emoji: Emoji) -> str:
    """The name, or the name with keywords, or keywords alone."""
    name, some = emoji.name, rng.sample(emoji.keywords, min(len(emoji.keywords), rng.choice((1, 2, 3))))
    if not some or rng.random() < 0.6:
        return name
    return rng.choice((f"{name}, {', '.join(some)}", f"{', '.join(some)}", f"{name} ({', '.join(some)})"))


def _one(rng: Random) -> tuple[Image.Image, str]:
    emoji = rng.choice(all_emoji())
    picture, ground = _ground(rng)
    side = min(picture.size) * rng.choice((0.9, 0.8, 0.7, 0.55, 0.4))
    slack = (min(picture.size) - side) / 2
    centre = (picture.width / 2 + rng.uniform(-slack, slack), picture.height / 2 + rng.uniform(-slack, slack))
    placed(rng, picture, emoji, centre, side)
    told = _told(rng, emoji)
    return picture, rng.choice((
        told, told, article(told), f"a picture of {article(emoji.name)}", f"a drawing of {article(emoji.name)}",
        f"{told} on {article(ground)} background", f"{article(emoji.name)} icon", f"an illustration: {told}",
        f"cartoon {emoji.name}",
    ))  # fmt: skip


def _two(rng: Random) -> tuple[Image.Image, str]:
    first, second = rng.sample(all_emoji(), 2)
    picture, _ = _ground(rng)
    upright = rng.random() < 0.35
    width, height = picture.size
    spots = ((0.5, 0.27), (0.5, 0.73)) if upright else ((0.27, 0.5), (0.73, 0.5))
    for emoji, (fx, fy) in zip((first, second), spots, strict=True):
        placed(rng, picture, emoji, (width * fx, height * fy), 0.44 * min(width, height))
    relation = "above" if upright else "to the left of"
    a, b = first.name, second.name
    return picture, rng.choice(
        (
            f"{article(a)} {relation} {article(b)}",
            f"{article(a)} and {article(b)}",
            f"{a} and {b}",
            f"{a} next to {article(b)}" if not upright else f"{b} below {article(a)}",
        )
    )


def _many(rng: Random) -> tuple[Image.Image, str]:
    several = rng.sample(all_emoji(), rng.choice((3, 4)))
    picture, _ = _ground(rng)
    width, height = picture.size
    corners = [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)]
    for emoji, (fx, fy) in zip(several, corners, strict=False):
        placed(rng, picture, emoji, (width * fx, height * fy), 0.42 * min(width, height))
    return picture, listed([rng.choice((e.name, article(e.name))) for e in several])


def draw(rng: Random) -> tuple[Image.Image, str]:
    """One to four emoji and their caption."""
    return rng.choices((_one, _two, _many), weights=(8, 2, 1))[0](rng)
