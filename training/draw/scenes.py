"""Simple drawn scenes: houses, trees, the sea, the night sky."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from training.draw.emblem import bird, mountain, ship, tree
from training.draw.ink import Colour, Rgb, article, colour, colours, counted, crescent, disk, listed, ring, star, sun

Pen = ImageDraw.ImageDraw
_SIZE = (260, 200)
_PLACES = {"on the left": 0.22, "in the middle": 0.5, "on the right": 0.78}


def house(pen: Pen, x: float, ground: float, size: float, rng: Random) -> str:
    """Walls, a roof, a door and windows."""
    walls, roof = colours(rng, 2, ("red", "yellow", "white", "brown", "blue", "orange", "gray"))
    pen.rectangle((x - size * 0.5, ground - size * 0.7, x + size * 0.5, ground), fill=walls.rgb, outline=(40, 40, 40))
    pen.polygon(
        [(x - size * 0.6, ground - size * 0.7), (x, ground - size * 1.2), (x + size * 0.6, ground - size * 0.7)],
        fill=roof.rgb,
    )
    pen.rectangle((x - size * 0.1, ground - size * 0.35, x + size * 0.1, ground), fill=(90, 50, 20))
    for side in (-0.32, 0.32):
        pen.rectangle(
            (x + size * (side - 0.08), ground - size * 0.55, x + size * (side + 0.08), ground - size * 0.38),
            fill=(190, 225, 245),
        )
    return rng.choice(
        (
            "house",
            f"{walls.word} house",
            f"{walls.word} house with a {roof.word} roof",
            f"house with a {roof.word} roof",
        )
    )


def green_tree(pen: Pen, x: float, ground: float, size: float, rng: Random) -> str:
    """A tree of the emblem kind in green."""
    return tree(pen, (x, ground - size * 0.6), size * 0.6, colour(rng, rng.choice(("green", "dark green"))).rgb, rng)


def person(pen: Pen, x: float, ground: float, size: float, rng: Random) -> str:
    """A stick figure."""
    ink = rng.choice(((20, 20, 20), (60, 40, 30)))
    disk(pen, (x, ground - size * 0.9), size * 0.14, ink)
    middle = (x, ground - size * 0.35)
    lines = [((x, ground - size * 0.8), middle), (middle, (x - size * 0.2, ground)), (middle, (x + size * 0.2, ground)),
             ((x - size * 0.3, ground - size * 0.6), (x + size * 0.3, ground - size * 0.6))]  # fmt: skip
    for line in lines:
        pen.line(line, fill=ink, width=4)
    return rng.choice(("person", "stick figure", "man"))


def car(pen: Pen, x: float, ground: float, size: float, rng: Random) -> str:
    """A car from the side."""
    (paint,) = colours(rng, 1, ("red", "blue", "yellow", "green", "black", "white", "gray"))
    pen.rectangle((x - size * 0.6, ground - size * 0.4, x + size * 0.6, ground - size * 0.12), fill=paint.rgb)
    pen.polygon(
        [
            (x - size * 0.35, ground - size * 0.4),
            (x - size * 0.2, ground - size * 0.65),
            (x + size * 0.2, ground - size * 0.65),
            (x + size * 0.38, ground - size * 0.4),
        ],
        fill=paint.rgb,
    )
    for side in (-0.35, 0.35):
        disk(pen, (x + size * side, ground - size * 0.12), size * 0.13, (20, 20, 20))
    return f"{paint.word} car"


def flower(pen: Pen, x: float, ground: float, size: float, rng: Random) -> str:
    """A stalk with petals."""
    (paint,) = colours(rng, 1, ("red", "yellow", "pink", "purple", "white", "orange"))
    top = (x, ground - size * 0.7)
    pen.line([(x, ground), top], fill=(30, 120, 40), width=4)
    for petal in ring(top, size * 0.17, 6):
        disk(pen, petal, size * 0.13, paint.rgb)
    disk(pen, top, size * 0.1, (250, 210, 60))
    return f"{paint.word} flower"


_THINGS: tuple[Callable[[Pen, float, float, float, Random], str], ...] = (house, green_tree, person, car, flower)


def _land(rng: Random) -> tuple[Image.Image, str]:
    picture = Image.new("RGB", _SIZE, rng.choice(((150, 205, 245), (185, 220, 250), (250, 250, 250))))
    pen, said = ImageDraw.Draw(picture), []
    width, height = _SIZE
    ground = height * rng.uniform(0.68, 0.8)
    if rng.random() < 0.35:
        said.append(rng.choice(("mountains in the background", "mountains")))
        for x in (0.2, 0.5, 0.85):
            mountain(pen, (width * x, ground - 30), 60, (120, 130, 150), rng)
    pen.rectangle((0, ground, width, height), fill=(96, 168, 80))
    if rng.random() < 0.5:
        sun(pen, (width * rng.choice((0.12, 0.88)), 28), 26, (252, 206, 40), 12)
        said.append(rng.choice(("the sun", "a yellow sun in the sky", "the sun shining")))
    for place, fx in rng.sample(tuple(_PLACES.items()), rng.choice((1, 1, 2, 2, 3))):
        thing = article(rng.choice(_THINGS)(pen, width * fx, ground + rng.uniform(2, 16), rng.uniform(55, 80), rng))
        said.insert(0, f"{thing} {place}" if rng.random() < 0.5 else thing)
    return picture, rng.choice(
        (listed(said), f"a scene with {listed(said)}", f"a drawing of {listed(said)}", f"{listed(said)} on green grass")
    )


def _sea(rng: Random) -> tuple[Image.Image, str]:
    picture = Image.new("RGB", _SIZE, (176, 216, 244))
    pen, (width, height) = ImageDraw.Draw(picture), _SIZE
    said = []
    if rng.random() < 0.5:
        pen.rectangle((0, height * 0.55, width, height), fill=(30, 96, 176))
        (paint,) = colours(rng, 1, ("red", "white", "brown", "black", "yellow"))
        vessel = ship(pen, (width * rng.uniform(0.25, 0.75), height * 0.45), 50, paint.rgb, rng)
        said.append(article(f"{paint.word} {vessel}"))
        if rng.random() < 0.5:
            bird(pen, (width * rng.uniform(0.2, 0.8), 34), 18, (60, 60, 60), rng)
            said.append("a bird in the sky")
        return picture, rng.choice(
            (f"{listed(said)} on the sea", f"{listed(said)} on the water", f"a drawing of {listed(said)} at sea")
        )
    pen.rectangle((0, 0, width, height), fill=(30, 120, 190))
    (paint,), count = colours(rng, 1, ("red", "orange", "yellow", "purple", "pink", "gray")), rng.randint(1, 4)
    for index in range(count):
        x, y, size = width * (index + 0.5) / count, height * rng.uniform(0.3, 0.7), 34 if count > 1 else 64
        pen.ellipse((x - size, y - size * 0.5, x + size * 0.7, y + size * 0.5), fill=paint.rgb)
        pen.polygon([(x + size * 0.5, y), (x + size, y - size * 0.45), (x + size, y + size * 0.45)], fill=paint.rgb)
        disk(pen, (x - size * 0.6, y - size * 0.1), size * 0.09, (255, 255, 255))
    fish = article(f"{paint.word} fish") if count == 1 else f"{count} {paint.word} fish"
    return picture, rng.choice((fish, f"{fish} swimming under water", f"{fish} in the sea"))


def _sky(rng: Random) -> tuple[Image.Image, str]:
    dark: Rgb = rng.choice(((6, 8, 24), (0, 0, 0), (14, 20, 58)))
    picture = Image.new("RGB", _SIZE, dark)
    pen, (width, height) = ImageDraw.Draw(picture), _SIZE
    for _ in range(rng.randint(20, 120)):
        disk(pen, (rng.uniform(0, width), rng.uniform(0, height)), rng.choice((0.6, 1, 1.6)), (240, 240, 225))
    kind = rng.choice((_planet, _moon, _galaxy, _comet, _stars_only))
    thing = kind(pen, width, height, dark, rng)
    return picture, rng.choice(
        (thing, f"{thing} in the night sky", f"{thing} in space", f"{thing} among stars", f"{thing} against a dark sky")
    )


def _planet(pen: Pen, width: int, height: int, dark: Rgb, rng: Random) -> str:
    (paint,) = colours(rng, 1, ("red", "orange", "blue", "brown", "yellow", "light blue", "gray"))
    x, y, radius = width / 2, height / 2, rng.uniform(30, 75)
    ringed = rng.random() < 0.35
    if ringed:
        pen.ellipse(
            (x - radius * 1.6, y - radius * 0.35, x + radius * 1.6, y + radius * 0.35), outline=(210, 200, 170), width=7
        )
    disk(pen, (x, y), radius, paint.rgb)
    return f"{article(paint.word)} planet{' with rings' if ringed else ''}"


def _moon(pen: Pen, width: int, height: int, dark: Rgb, rng: Random) -> str:
    spot, radius = (width * rng.uniform(0.3, 0.7), height * rng.uniform(0.3, 0.7)), rng.uniform(24, 60)
    if rng.random() < 0.5:
        crescent(pen, spot, radius, (240, 236, 200), dark)
        return "a crescent moon"
    disk(pen, spot, radius, (226, 226, 220))
    for _ in range(7):
        disk(
            pen,
            (spot[0] + rng.uniform(-0.6, 0.6) * radius, spot[1] + rng.uniform(-0.6, 0.6) * radius),
            radius * 0.12,
            (180, 180, 176),
        )
    return rng.choice(("a full moon", "the Moon with craters"))


def _galaxy(pen: Pen, width: int, height: int, dark: Rgb, rng: Random) -> str:
    arms, tilt = rng.choice((2, 3, 4)), rng.uniform(0.4, 1.0)
    for index in range(900):
        distance = rng.random() ** 0.7
        angle = 2 * math.pi * (index % arms) / arms + distance * 5 + rng.gauss(0, 0.22)
        spot = (width / 2 + 95 * distance * math.cos(angle), height / 2 + 95 * tilt * distance * math.sin(angle))
        disk(pen, spot, 1.6, rng.choice(((200, 210, 255), (255, 240, 220), (150, 170, 240))))
    disk(pen, (width / 2, height / 2), 13, (255, 244, 214))
    return rng.choice(("a spiral galaxy", "a galaxy with spiral arms"))


def _comet(pen: Pen, width: int, height: int, dark: Rgb, rng: Random) -> str:
    x, y = width * rng.uniform(0.2, 0.45), height * rng.uniform(0.5, 0.75)
    pen.polygon([(x, y - 9), (x + 120, y - 85), (x + 130, y - 60), (x + 3, y + 9)], fill=(120, 150, 200))
    disk(pen, (x, y), 11, (250, 250, 240))
    return rng.choice(("a comet with a tail", "a comet", "a shooting star"))


def _stars_only(pen: Pen, width: int, height: int, dark: Rgb, rng: Random) -> str:
    count = rng.randint(1, 7)
    paint: Colour = colour(rng, rng.choice(("yellow", "white")))
    for index in range(count):
        star(pen, (width * (index + 0.5) / count, height * rng.uniform(0.25, 0.75)), 16, paint.rgb)
    return counted(count, "bright star")


def draw(rng: Random) -> tuple[Image.Image, str]:
    """A scene and its caption."""
    return rng.choices((_land, _sea, _sky), weights=(5, 2, 3))[0](rng)
