"""Diagrams by kind: flows, networks, trees, tables, time lines, Venn diagrams."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import NUMBERS, Colour, Point, colours, disk, font, font_files
from training.draw.paper import SIZE, Pen, arrow, label, paper
from training.draw.science import heat_map, labelled, orbits, spectrum, wave


def _box(pen: Pen, centre: Point, half: Point, paint: Colour, words: str, *, shape: str) -> None:
    x, y = centre
    edges = (x - half[0], y - half[1], x + half[0], y + half[1])
    if shape == "round":
        pen.ellipse(edges, fill=paint.rgb, outline=(40, 40, 40))
    elif shape == "diamond":
        pen.polygon([(x, edges[1]), (edges[2], y), (x, edges[3]), (edges[0], y)], fill=paint.rgb, outline=(40, 40, 40))
    else:
        pen.rounded_rectangle(edges, 6, fill=paint.rgb, outline=(40, 40, 40))
    ink = (255, 255, 255) if sum(paint.rgb) < 330 else (20, 20, 20)
    pen.text(centre, words[:9], fill=ink, font=font(font_files()[0], 11), anchor="mm")


def flow(rng: Random) -> tuple[Image.Image, str]:
    """Boxes joined by arrows."""
    upright, count = rng.random() < 0.4, rng.randint(3, 5)
    picture, pen, paint = paper(rng, (220, 320) if upright else (400, 180))
    width, height = picture.size
    spots = [
        (width / 2, height * (i + 0.5) / count) if upright else (width * (i + 0.5) / count, height / 2)
        for i in range(count)
    ]
    half = (46.0, 120 / count) if upright else (150 / count, 24.0)
    for start, end in pairwise(spots):
        gap = (0, half[1]) if upright else (half[0], 0)
        arrow(pen, (start[0] + gap[0], start[1] + gap[1]), (end[0] - gap[0], end[1] - gap[1]))
    choice = rng.random() < 0.35
    for index, spot in enumerate(spots):
        shape = (
            "diamond" if choice and index == count // 2 else "round" if index in (0, count - 1) and choice else "box"
        )
        _box(pen, spot, half, paint, label(rng), shape=shape)
    noun = rng.choice(("flow chart", "flow diagram", "flowchart", "process diagram", "block diagram"))
    return picture, rng.choice((f"a {noun}", f"a {noun} with {NUMBERS[count]} boxes joined by arrows",
                                f"a {noun} from {'top to bottom' if upright else 'left to right'}",
                                f"{paint.word} boxes joined by arrows", "a diagram of steps in a process"))  # fmt: skip


def network(rng: Random) -> tuple[Image.Image, str]:
    """Dots joined by lines."""
    picture, pen, paint = paper(rng)
    spots = [(rng.uniform(25, 295), rng.uniform(25, 215)) for _ in range(rng.randint(6, 16))]
    for index, spot in enumerate(spots):
        near = sorted(spots, key=lambda other: math.dist(spot, other))[1 : rng.choice((3, 4))]
        for other in near if index else spots[1:4]:
            pen.line([spot, other], fill=(120, 120, 120), width=2)
    for spot in spots:
        disk(pen, spot, rng.choice((8, 10, 13)), paint.rgb)
    return picture, rng.choice(
        (
            "a network diagram",
            "a network of nodes and links",
            f"a graph of {paint.word} nodes connected by lines",
            "a network graph",
            "points joined by lines",
        )
    )


def hierarchy(rng: Random) -> tuple[Image.Image, str]:
    """A tree of boxes from the top down."""
    picture, pen, paint = paper(rng)
    children, grand = rng.choice((2, 3)), rng.choice((0, 2))
    for i in range(children):
        spot = (320 * (i + 0.5) / children, 115.0)
        pen.line([(160, 40), spot], fill=(60, 60, 60), width=2)
        for j in range(grand):
            leaf = (320 * (i * grand + j + 0.5) / (children * grand), 195.0)
            pen.line([spot, leaf], fill=(60, 60, 60), width=2)
            _box(pen, leaf, (130 / (children * grand), 16), paint, label(rng), shape="box")
        _box(pen, spot, (38, 16), paint, label(rng), shape="box")
    _box(pen, (160, 36), (44, 18), paint, label(rng), shape="box")
    return picture, rng.choice(
        (
            "a tree diagram",
            "an organization chart",
            "a hierarchy diagram",
            "a diagram of a hierarchy, from the top down",
            f"a tree diagram with {NUMBERS[children]} branches",
            "an org chart",
        )
    )


def table(rng: Random) -> tuple[Image.Image, str]:
    """Rows and columns of words and numbers."""
    picture, pen, paint = paper(rng)
    rows, columns = rng.randint(3, 9), rng.randint(2, 6)
    wide, high = 300 / columns, 220 / rows
    striped, letters = rng.random() < 0.4, font(rng.choice(font_files()), 11)
    for row in range(rows):
        for column in range(columns):
            box = (10 + wide * column, 10 + high * row, 10 + wide * (column + 1), 10 + high * (row + 1))
            fill = paint.rgb if row == 0 else (232, 236, 240) if striped and row % 2 else None
            pen.rectangle(box, fill=fill, outline=(90, 90, 90))
            words = label(rng)[: int(wide / 7)] if row == 0 or column == 0 else str(rng.randint(1, 999))
            ink = (255, 255, 255) if row == 0 and sum(paint.rgb) < 330 else (20, 20, 20)
            pen.text((box[0] + wide / 2, box[1] + high / 2), words, fill=ink, font=letters, anchor="mm")
    return picture, rng.choice(
        (
            "a table",
            "a table of numbers",
            f"a table with {NUMBERS[rows]} rows and {NUMBERS[columns]} columns",
            f"a table with a {paint.word} header row",
            "a data table",
            "a spreadsheet",
        )
    )


def timeline(rng: Random) -> tuple[Image.Image, str]:
    """Marks along one line."""
    picture, pen, paint = paper(rng, (400, 180))
    count, year = rng.randint(3, 7), rng.randint(1500, 2000)
    arrow(pen, (10, 90), (392, 90))
    for index in range(count):
        x, up = 380 * (index + 0.5) / count, index % 2 == 0
        disk(pen, (x, 90), 8, paint.rgb)
        pen.line([(x, 90), (x, 60 if up else 120)], fill=(60, 60, 60), width=2)
        pen.text(
            (x, 48 if up else 132),
            str(year + index * rng.randint(3, 20)),
            fill=(20, 20, 20),
            font=font(font_files()[0], 13),
            anchor="mm",
        )
        pen.text(
            (x, 30 if up else 150), label(rng)[:10], fill=(20, 20, 20), font=font(font_files()[0], 10), anchor="mm"
        )
    return picture, rng.choice(
        (
            "a timeline",
            "a time line with years",
            f"a timeline of {NUMBERS[count]} events",
            f"a timeline with {paint.word} dots",
            "dates along a horizontal line",
        )
    )


def venn(rng: Random) -> tuple[Image.Image, str]:
    """Two or three overlapping see-through circles."""
    count = rng.choice((2, 2, 3))
    picture = Image.new("RGBA", SIZE, (255, 255, 255, 255))
    paints = colours(rng, count, ("red", "blue", "green", "yellow", "orange", "purple", "light blue", "pink"))
    spots = [(115, 120), (205, 120)] if count == 2 else [(120, 92), (200, 92), (160, 152)]
    for (x, y), paint in zip(spots, paints, strict=True):
        layer = Image.new("RGBA", SIZE, (0, 0, 0, 0))
        ImageDraw.Draw(layer).ellipse(
            (x - 75, y - 75, x + 75, y + 75), fill=(*paint.rgb, 130), outline=(60, 60, 60, 255)
        )
        picture = Image.alpha_composite(picture, layer)
    for x, y in spots:
        ImageDraw.Draw(picture).text(
            (x, y), label(rng)[:9], fill=(20, 20, 20), font=font(font_files()[0], 12), anchor="mm"
        )
    return picture.convert("RGB"), rng.choice(
        (
            "a Venn diagram",
            f"a Venn diagram of {NUMBERS[count]} circles",
            f"{NUMBERS[count]} overlapping circles",
            f"a Venn diagram in {' and '.join(p.word for p in paints[:2])}",
        )
    )


_KINDS = (flow, flow, network, hierarchy, table, table, timeline, venn, orbits, wave, labelled, heat_map, spectrum)


def draw(rng: Random) -> tuple[Image.Image, str]:
    """A diagram and its caption."""
    return rng.choice(_KINDS)(rng)
