"""Crude emblems: shields, birds, trees and the like, as flags and signs carry them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL.ImageDraw import ImageDraw

from training.draw.ink import Colour, Point, Rgb, article, colours, disk, listed, ring, star, sun

Emblem = Callable[[ImageDraw, Point, float, Rgb, Random], str]


def _box(centre: Point, width: float, height: float) -> tuple[float, float, float, float]:
    x, y = centre
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def shield_outline(centre: Point, radius: float) -> list[Point]:
    """A shield: straight on top, pointed below."""
    x, y = centre
    left = [(x - radius * 0.75 * math.cos(a), y + radius * math.sin(a)) for a in (0, 0.4, 0.8, 1.2, math.pi / 2)]
    right = [(2 * x - px, py) for px, py in reversed(left)]
    return [(x - radius * 0.75, y - radius), *left, *right, (x + radius * 0.75, y - radius)]


def bird(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A bird with spread wings."""
    x, y = centre
    for side in (-1, 1):
        tips = [(x + side * radius * (0.35 + 0.16 * i), y + radius * (0.9 - 0.33 * i)) for i in range(5)]
        pen.polygon([(x, y - radius * 0.3), (x + side * radius, y - radius * 0.8), *reversed(tips)], fill=fill)
    pen.ellipse(_box(centre, radius * 0.55, radius * 1.3), fill=fill)
    disk(pen, (x, y - radius * 0.75), radius * 0.2, fill)
    pen.polygon([(x - radius * 0.3, y + radius), (x, y + radius * 0.3), (x + radius * 0.3, y + radius)], fill=fill)
    return rng.choice(("eagle", "bird", "eagle with spread wings", "soaring bird", "falcon"))


def tree(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A round tree, a fir or a palm."""
    x, y = centre
    kind = rng.choice(("tree", "fir tree", "palm tree"))
    pen.rectangle((x - radius * 0.08, y, x + radius * 0.08, y + radius), fill=fill)
    if kind == "tree":
        disk(pen, (x, y - radius * 0.3), radius * 0.65, fill)
    elif kind == "fir tree":
        for level in range(3):
            top, half = y - radius + level * radius * 0.4, radius * (0.35 + 0.15 * level)
            pen.polygon([(x, top), (x - half, top + radius * 0.7), (x + half, top + radius * 0.7)], fill=fill)
    else:
        for angle in (-2.9, -2.3, -1.57, -0.85, -0.25):
            tip = (x + radius * math.cos(angle), y + radius * 0.8 * math.sin(angle) + radius * 0.1)
            pen.line([(x, y - radius * 0.1), tip], fill=fill, width=max(2, int(radius * 0.16)))
    return kind


def ship(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A hull with two sails."""
    x, y = centre
    hull = [(-1.0, 0.4), (1.0, 0.4), (0.65, 0.9), (-0.65, 0.9)]
    pen.polygon([(x + radius * dx, y + radius * dy) for dx, dy in hull], fill=fill)
    pen.polygon(
        [(x - radius * 0.08, y - radius), (x - radius * 0.08, y + radius * 0.3), (x - radius * 0.7, y + radius * 0.3)],
        fill=fill,
    )
    pen.polygon(
        [
            (x + radius * 0.08, y - radius * 0.8),
            (x + radius * 0.08, y + radius * 0.3),
            (x + radius * 0.7, y + radius * 0.3),
        ],
        fill=fill,
    )
    return rng.choice(("ship", "sailing ship", "boat", "sailboat"))


def wheel(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A rim with spokes."""
    spokes = rng.choice((6, 8, 12, 16, 24))
    width = max(2, int(radius * 0.14))
    pen.ellipse(_box(centre, 2 * radius, 2 * radius), outline=fill, width=width)
    for rim in ring(centre, radius * 0.95, spokes):
        pen.line([centre, rim], fill=fill, width=max(1, width // 2))
    return rng.choice(("wheel", f"wheel with {spokes} spokes", "spoked wheel"))


def mountain(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """Two or three peaks."""
    x, y = centre
    peaks = rng.choice((1, 2, 3))
    for index in range(peaks):
        middle = x + radius * 0.7 * (index - (peaks - 1) / 2)
        top = y - radius * rng.uniform(0.5, 0.9)
        pen.polygon(
            [(middle, top), (middle - radius * 0.7, y + radius * 0.7), (middle + radius * 0.7, y + radius * 0.7)],
            fill=fill,
        )
    return rng.choice(("mountain", "mountain peak")) if peaks == 1 else rng.choice(("mountains", "mountain range"))


def island(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """An irregular outline, like land on a map."""
    edge = [
        (centre[0] + (px - centre[0]) * rng.uniform(0.55, 1.1), centre[1] + (py - centre[1]) * rng.uniform(0.4, 0.9))
        for px, py in ring(centre, radius, 16)
    ]
    pen.polygon(edge, fill=fill)
    return rng.choice(("map outline", "silhouette of an island", "map silhouette", "outline of a country"))


def swords(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """Two blades across each other."""
    x, y = centre
    for side in (-1, 1):
        pen.line(
            [(x - side * radius, y + radius), (x + side * radius, y - radius)],
            fill=fill,
            width=max(2, int(radius * 0.12)),
        )
        pen.line([(x - side * radius * 0.9, y + radius * 0.4), (x - side * radius * 0.4, y + radius * 0.9)], fill=fill,
                 width=max(2, int(radius * 0.12)))  # fmt: skip
    return rng.choice(("pair of crossed swords", "pair of crossed spears", "crossed tools"))


def beast(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A four-legged animal seen from the side."""
    x, y = centre
    pen.ellipse((x - radius * 0.8, y - radius * 0.35, x + radius * 0.6, y + radius * 0.35), fill=fill)
    disk(pen, (x + radius * 0.7, y - radius * 0.4), radius * 0.32, fill)
    for foot in (-0.6, -0.35, 0.25, 0.5):
        pen.rectangle((x + radius * foot, y, x + radius * (foot + 0.14), y + radius * 0.85), fill=fill)
    pen.line([(x - radius * 0.75, y), (x - radius, y - radius * 0.7)], fill=fill, width=max(2, int(radius * 0.12)))
    return rng.choice(("lion", "animal", "horse", "leopard", "bull"))


def leaf(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A jagged leaf on a stalk."""
    star(pen, (centre[0], centre[1] - radius * 0.1), radius * 0.95, fill, rng.choice((7, 9, 11)), inner=0.6)
    pen.line([centre, (centre[0], centre[1] + radius)], fill=fill, width=max(2, int(radius * 0.1)))
    return "leaf"


def wreath(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """Two branches that form a circle open on top."""
    for step in range(9):
        for side in (-1, 1):
            angle = math.pi / 2 + side * step * 0.3
            disk(pen, (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)), radius * 0.17, fill)
    return rng.choice(("wreath", "laurel wreath", "wreath of olive branches"))


def rayed_sun(pen: ImageDraw, centre: Point, radius: float, fill: Rgb, rng: Random) -> str:
    """A sun with a counted number of rays."""
    rays = rng.choice((8, 12, 16, 24))
    sun(pen, centre, radius, fill, rays)
    return rng.choice(("sun", f"sun with {rays} rays", "sun with rays", "rising sun", "radiant sun"))


EMBLEMS: tuple[Emblem, ...] = (bird, tree, ship, wheel, mountain, island, swords, beast, leaf, wreath, rayed_sun)
_ARMS = ("coat of arms", "national coat of arms", "coat of arms", "national emblem", "state emblem", "emblem", "seal")
_MOTTOES = ("with a motto on a scroll below", "with a scroll bearing the motto", "above a ribbon with a motto")


def coat_of_arms(pen: ImageDraw, centre: Point, radius: float, palette: list[Colour], rng: Random) -> str:
    """A divided shield, sometimes with supporters, a wreath, a crown and a scroll; returns its description."""
    main, second, third, fourth = palette[:4]
    said = []
    if rng.random() < 0.35:
        wreath(pen, centre, radius, fourth.rgb, rng)
        said.append(rng.choice(("surrounded by a wreath", f"within {article(fourth.word)} wreath")))
    elif rng.random() < 0.4:
        for side in (-1, 1):
            beast(pen, (centre[0] + side * radius * 0.8, centre[1]), radius * 0.4, fourth.rgb, rng)
        said.append(
            rng.choice(("flanked by two animals", "held by two supporters", "supported by a lion on either side"))
        )
    inner = radius * (0.68 if said else 0.95)
    pen.polygon(shield_outline(centre, inner), fill=main.rgb, outline=third.rgb, width=max(2, int(radius * 0.07)))
    charge = rng.choice(EMBLEMS)(pen, centre, inner * 0.55, second.rgb, rng)
    if rng.random() < 0.4:
        pen.arc(_box((centre[0], centre[1] + radius * 0.6), radius * 1.6, radius), 20, 160, fill=third.rgb,
                width=max(2, int(radius * 0.2)))  # fmt: skip
        said.append(rng.choice(_MOTTOES))
    shield = rng.choice(("shield", f"{main.word} shield", f"{main.word} and {second.word} shield"))
    carried = rng.choice((f"featuring {article(shield)} with {article(charge)}", f"showing {article(charge)}",
                          f"which has {article(charge)} on {article(shield)}"))  # fmt: skip
    name = rng.choice(_ARMS)
    return listed([f"{name} {carried}" if rng.random() < 0.6 else name, *said]) if rng.random() < 0.6 else name


def arms_palette(rng: Random) -> list[Colour]:
    """Four colours for a coat of arms."""
    return colours(rng, 4, ("red", "yellow", "green", "blue", "white", "black", "brown", "light blue"))
