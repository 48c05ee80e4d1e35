"""Plain shapes with colours, counts, sizes and places."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import Colour, Point, article, colour, colours, counted, crescent, listed, plural, ring, star

SHAPES = (
    "circle",
    "square",
    "triangle",
    "rectangle",
    "star",
    "pentagon",
    "hexagon",
    "diamond",
    "oval",
    "cross",
    "heart",
    "crescent",
    "arrow",
    "ring",
)
_OTHER_NAMES = {
    "circle": ("circle", "disk", "dot"),
    "oval": ("oval", "ellipse"),
    "diamond": ("diamond", "rhombus"),
    "cross": ("cross", "plus sign"),
    "crescent": ("crescent", "crescent moon"),
    "ring": ("ring",),
}
_SIDE = 200
_PLACES = {
    "in the upper left corner": (0.22, 0.22),
    "at the top": (0.5, 0.2),
    "in the upper right corner": (0.78, 0.22),
    "on the left": (0.2, 0.5),
    "in the center": (0.5, 0.5),
    "on the right": (0.8, 0.5),
    "in the lower left corner": (0.22, 0.78),
    "at the bottom": (0.5, 0.8),
    "in the lower right corner": (0.78, 0.78),
}


def shape_word(rng: Random, shape: str) -> str:
    """One of the names of `shape`."""
    return rng.choice(_OTHER_NAMES.get(shape, (shape,)))


def outline(shape: str, centre: Point, radius: float) -> list[Point]:
    """Corners of the shapes that are polygons."""
    x, y = centre
    corners = {"triangle": 3, "pentagon": 5, "hexagon": 6, "diamond": 4}
    if shape in corners:
        return ring(centre, radius, corners[shape])
    flat: dict[str, list[Point]] = {
        "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
        "rectangle": [(-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5)],
        "arrow": [(-1, -0.2), (0.2, -0.2), (0.2, -0.6), (1, 0), (0.2, 0.6), (0.2, 0.2), (-1, 0.2)],
        "cross": [
            (-0.3, -1),
            (0.3, -1),
            (0.3, -0.3),
            (1, -0.3),
            (1, 0.3),
            (0.3, 0.3),
            (0.3, 1),
            (-0.3, 1),
            (-0.3, 0.3),
            (-1, 0.3),
            (-1, -0.3),
            (-0.3, -0.3),
        ],
    }
    if shape in flat:
        return [(x + radius * dx, y + radius * dy) for dx, dy in flat[shape]]
    steps = [2 * math.pi * i / 40 for i in range(40)]
    return [
        (
            x + radius * math.sin(t) ** 3,
            y - radius * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16,
        )
        for t in steps
    ]


def put(pen: ImageDraw.ImageDraw, shape: str, centre: Point, radius: float, paint: Colour, *, behind: Colour) -> None:
    """Draw one filled shape."""
    x, y = centre
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        pen.ellipse(box, fill=paint.rgb)
    elif shape == "oval":
        pen.ellipse((x - radius, y - radius * 0.55, x + radius, y + radius * 0.55), fill=paint.rgb)
    elif shape == "ring":
        pen.ellipse(box, outline=paint.rgb, width=max(3, int(radius * 0.3)))
    elif shape == "star":
        star(pen, centre, radius, paint.rgb)
    elif shape == "crescent":
        crescent(pen, centre, radius, paint.rgb, behind.rgb)
    else:
        pen.polygon(outline(shape, centre, radius), fill=paint.rgb)


def canvas(rng: Random) -> tuple[Image.Image, ImageDraw.ImageDraw, Colour]:
    """An empty picture, mostly white."""
    ground = colour(rng, "white") if rng.random() < 0.6 else colours(rng, 1)[0]
    size = (int(_SIDE * rng.choice((1, 1, 1, 1.33, 0.75))), _SIDE)
    picture = Image.new("RGB", size, ground.rgb)
    return picture, ImageDraw.Draw(picture), ground


def paints(rng: Random, count: int, ground: Colour) -> list[Colour]:
    """`count` colours that differ from the ground and from each other."""
    return [c for c in colours(rng, count + 1) if c.name != ground.name][:count]


def _single(rng: Random) -> tuple[Image.Image, str]:
    picture, pen, ground = canvas(rng)
    (paint,), shape = paints(rng, 1, ground), rng.choice(SHAPES)
    place, (fx, fy) = rng.choice(tuple(_PLACES.items()))
    large = rng.random() < 0.5
    if large:
        place, fx, fy = "in the center", 0.5, 0.5
    radius = rng.uniform(60, 90) if large else rng.uniform(18, 36)
    put(pen, shape, (picture.width * fx, picture.height * fy), radius, paint, behind=ground)
    word = shape_word(rng, shape)
    size = rng.choice(("", "large ") if large else ("", "small "))
    return picture, rng.choice((
        article(f"{size}{paint.word} {word}"), f"{article(f'{size}{paint.word} {word}')} {place}",
        f"{article(f'{size}{paint.word} {word}')} {place} of {article(ground.word)} background",
        f"{article(f'{paint.word} {word}')} on {ground.word}", f"a {word} that is {paint.word}",
    ))  # fmt: skip


def _group(rng: Random) -> tuple[Image.Image, str]:
    picture, pen, ground = canvas(rng)
    (paint,), shape, count = paints(rng, 1, ground), rng.choice(SHAPES), rng.randint(2, 9)
    arrangement = rng.choice(("row", "column", "circle", "grid"))
    width, height = picture.size
    for index in range(count):
        step = (index + 0.5) / count
        spots = {"row": (width * step, height / 2), "column": (width / 2, height * step),
                 "circle": ring((width / 2, height / 2), 65, count)[index],
                 "grid": (width * (index % 3 + 0.5) / 3, height * (index // 3 + 0.5) / 3)}  # fmt: skip
        put(pen, shape, spots[arrangement], min(28.0, 85 / count + 4), paint, behind=ground)
    things = counted(count, f"{paint.word} {shape_word(rng, shape)}")
    return picture, rng.choice((things, f"{things} in a {arrangement}", f"a {arrangement} of {things}",
                                f"{things} on {article(ground.word)} background"))  # fmt: skip


def _pair(rng: Random) -> tuple[Image.Image, str]:
    picture, pen, ground = canvas(rng)
    first, second = paints(rng, 2, ground)
    one, two = rng.choice(SHAPES), rng.choice(SHAPES)
    width, height = picture.size
    spots = {
        "to the left of": ((0.27, 0.5), (0.73, 0.5)), "to the right of": ((0.73, 0.5), (0.27, 0.5)),
        "above": ((0.5, 0.26), (0.5, 0.74)), "below": ((0.5, 0.74), (0.5, 0.26)), "inside": ((0.5, 0.5), (0.5, 0.5)),
    }  # fmt: skip
    relation, ((ax, ay), (bx, by)) = rng.choice(tuple(spots.items()))
    if relation == "inside":
        two = rng.choice(("circle", "square", "hexagon", "oval", "diamond"))
    put(pen, two, (width * bx, height * by), 85 if relation == "inside" else 42, second, behind=ground)
    put(pen, one, (width * ax, height * ay), rng.uniform(28, 44), first, behind=second)
    a, b = f"{first.word} {shape_word(rng, one)}", f"{second.word} {shape_word(rng, two)}"
    told = f"{article(a)} {relation} {article(b)}"
    return picture, rng.choice((told, told, f"{article(a)} and {article(b)}", f"{told} on {ground.word}"))


def _several(rng: Random) -> tuple[Image.Image, str]:
    picture, pen, ground = canvas(rng)
    count = rng.randint(3, 5)
    chosen = rng.sample(tuple(_PLACES.items()), count)
    said = []
    for (place, (fx, fy)), paint in zip(chosen, paints(rng, count, ground), strict=True):
        shape = rng.choice(SHAPES)
        put(pen, shape, (picture.width * fx, picture.height * fy), rng.uniform(18, 28), paint, behind=ground)
        thing = article(f"{paint.word} {shape_word(rng, shape)}")
        said.append(f"{thing} {place}" if rng.random() < 0.5 else thing)
    rng.shuffle(said)
    return picture, rng.choice((listed(said), f"shapes: {listed(said)}", f"a drawing with {listed(said)}"))


def _pattern(rng: Random) -> tuple[Image.Image, str]:
    picture, pen, ground = canvas(rng)
    (paint,), count = paints(rng, 1, ground), rng.randint(4, 8)
    width, height = picture.size
    kind = rng.choice(("checkerboard", "horizontal stripe", "vertical stripe", "dot", "grid line"))
    for row in range(count):
        for column in range(count):
            box = (
                width * column / count,
                height * row / count,
                width * (column + 1) / count,
                height * (row + 1) / count,
            )
            even = {"checkerboard": row + column, "horizontal stripe": row, "vertical stripe": column}.get(
                kind, 1
            ) % 2 == 0
            if even:
                pen.rectangle(box, fill=paint.rgb)
            elif kind == "dot":
                put(pen, "circle", ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), 60 / count, paint, behind=ground)
            elif kind == "grid line":
                pen.rectangle(box, outline=paint.rgb, width=3)
    both = f"{paint.word} and {ground.word}"
    if kind == "checkerboard":
        return picture, rng.choice((f"a {both} checkerboard", f"a checkered pattern of {both} squares"))
    return picture, rng.choice((f"a pattern of {both} {plural(kind)}", f"{paint.word} {plural(kind)} on {ground.word}"))


def draw(rng: Random) -> tuple[Image.Image, str]:
    """A picture of shapes and its caption."""
    kinds = (_single, _group, _pair, _several, _pattern)
    return rng.choices(kinds, weights=(3, 3, 4, 3, 1))[0](rng)
