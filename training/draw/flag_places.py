"""Where an emblem lies on an invented flag, and in which colour it can be seen there."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from training.draw.flag_fields import pick
from training.draw.ink import Colour, Point

if TYPE_CHECKING:
    from training.draw.flag import Flag

TIPS = (5, 5, 5, 5, 5, 6, 7, 8, 12)
_TIP_WORDS = {5: "five-pointed ", 6: "six-pointed ", 7: "seven-pointed ", 8: "eight-pointed ", 12: "twelve-pointed "}


def star_word(rng: Random, tips: int) -> str:
    """A star, with its number of points now and then."""
    return f"{_TIP_WORDS[tips] if rng.random() < 0.5 else ''}star"


def spot_for(rng: Random, flag: Flag) -> tuple[str, Point, float]:
    """Where an emblem goes: its words, its centre, its largest radius."""
    width, height = flag.size
    direction = flag.key[0]
    middle = [("centered", "in the center", "in the middle", "in the center of the flag", "superimposed at the center")]
    spots: list[tuple[tuple[str, ...], Point, float]] = [(middle[0], (width * 0.5, height * 0.5), 0.3)] * 4
    spots.append(
        (
            (
                "in the upper hoist-side corner",
                "in the upper left corner",
                "in the canton",
                "near the top on the hoist side",
            ),
            (width * 0.2, height * 0.26),
            0.2,
        )
    )
    spots.append(
        (
            ("on the fly side", "on the right side", "in the fly half", "toward the right edge"),
            (width * 0.75, height * 0.5),
            0.26,
        )
    )
    spots.append(
        (
            ("on the hoist side", "on the left side", "toward the hoist", "shifted to the left"),
            (width * 0.3, height * 0.5),
            0.26,
        )
    )
    if direction in ("horizontal", "vertical") and len(flag.ground) == 3:
        word = flag.ground[1].word
        centre_band = (
            f"centered in the {word} band",
            f"in the middle of the {word} band",
            f"on the {word} band",
            "in the central band",
        )
        spots += [(centre_band, (width / 2, height / 2), 0.15 if direction == "horizontal" else 0.24)] * 5
    if direction == "vertical":
        word = flag.ground[0].word
        spots.append(
            (
                (f"in the {word} band", f"on the {word} hoist-side band"),
                (width * 0.5 / len(flag.ground), height * 0.4),
                0.15,
            )
        )
    if direction == "horizontal":
        word = flag.ground[0].word
        spots.append(((f"in the {word} band", f"on the hoist side of the {word} band", "at the left of the top band"),
                      (width * 0.2, height * 0.5 / len(flag.ground)), 0.14))  # fmt: skip
    words, centre, reach = rng.choice(spots)
    return rng.choice(words), centre, height * reach * rng.uniform(0.8, 1.1)


def behind(flag: Flag, centre: Point) -> tuple[int, int, int]:
    """The colour at `centre`."""
    pixel = flag.picture.getpixel((min(int(centre[0]), flag.size[0] - 1), min(int(centre[1]), flag.size[1] - 1)))
    assert isinstance(pixel, tuple)
    return (int(pixel[0]), int(pixel[1]), int(pixel[2]))


def contrast(rng: Random, flag: Flag, centre: Point) -> Colour:
    """A colour that can be seen on what lies at `centre`."""
    below = behind(flag, centre)
    while True:
        (paint,) = pick(rng, 1)
        if sum(abs(a - b) for a, b in zip(paint.rgb, below, strict=True)) > 170:
            return paint
