"""Diagrams by kind: flows, networks, trees, tables, time lines, Venn diagrams, orbits, waves."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import NUMBERS, Colour, Point, article, colours, disk, font, font_files, ring
from training.draw.words import vocabulary

Pen = ImageDraw.ImageDraw
_SIZE = (320, 240)
_WORDS: list[str] = []


def _label(rng: Random) -> str:
    if not _WORDS:
        _WORDS.extend(vocabulary())
    return rng.choice(_WORDS)


def _paper(rng: Random, size: tuple[int, int] = _SIZE) -> tuple[Image.Image, Pen, Colour]:
    picture = Image.new("RGB", size, rng.choice(((255, 255, 255), (255, 255, 255), (250, 248, 240), (236, 242, 250))))
    (paint,) = colours(rng, 1, ("red", "blue", "green", "orange", "purple", "light blue", "yellow", "turquoise", "gray", "pink", "black"))
    return picture, ImageDraw.Draw(picture), paint


def _box(pen: Pen, centre: Point, half: Point, paint: Colour, words: str, shape: str) -> None:
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


def _arrow(pen: Pen, start: Point, end: Point) -> None:
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    pen.line([start, end], fill=(40, 40, 40), width=2)
    wings = [(end[0] - 9 * math.cos(angle + side), end[1] - 9 * math.sin(angle + side)) for side in (-0.45, 0.45)]
    pen.polygon([end, *wings], fill=(40, 40, 40))


def flow(rng: Random) -> tuple[Image.Image, str]:
    """Boxes joined by arrows."""
    upright, count = rng.random() < 0.4, rng.randint(3, 5)
    picture, pen, paint = _paper(rng, (220, 320) if upright else (400, 180))
    width, height = picture.size
    spots = [(width / 2, height * (i + 0.5) / count) if upright else (width * (i + 0.5) / count, height / 2) for i in range(count)]
    half = (46.0, 120 / count) if upright else (150 / count, 24.0)
    for start, end in zip(spots, spots[1:], strict=False):
        gap = (0, half[1]) if upright else (half[0], 0)
        _arrow(pen, (start[0] + gap[0], start[1] + gap[1]), (end[0] - gap[0], end[1] - gap[1]))
    choice = rng.random() < 0.35
    for index, spot in enumerate(spots):
        shape = "diamond" if choice and index == count // 2 else "round" if index in (0, count - 1) and choice else "box"
        _box(pen, spot, half, paint, _label(rng), shape)
    noun = rng.choice(("flow chart", "flow diagram", "flowchart", "process diagram", "block diagram"))
    return picture, rng.choice((f"a {noun}", f"a {noun} with {NUMBERS[count]} boxes joined by arrows",
                                f"a {noun} from {'top to bottom' if upright else 'left to right'}",
                                f"{paint.word} boxes joined by arrows", "a diagram of steps in a process"))  # fmt: skip


def network(rng: Random) -> tuple[Image.Image, str]:
    """Dots joined by lines."""
    picture, pen, paint = _paper(rng)
    spots = [(rng.uniform(25, 295), rng.uniform(25, 215)) for _ in range(rng.randint(6, 16))]
    for index, spot in enumerate(spots):
        near = sorted(spots, key=lambda other: math.dist(spot, other))[1 : rng.choice((3, 4))]
        for other in near if index else spots[1:4]:
            pen.line([spot, other], fill=(120, 120, 120), width=2)
    for spot in spots:
        disk(pen, spot, rng.choice((8, 10, 13)), paint.rgb)
    return picture, rng.choice(("a network diagram", "a network of nodes and links", f"a graph of {paint.word} nodes connected by lines",
                                "a network graph", "points joined by lines"))  # fmt: skip


def hierarchy(rng: Random) -> tuple[Image.Image, str]:
    """A tree of boxes from the top down."""
    picture, pen, paint = _paper(rng)
    children, grand = rng.choice((2, 3)), rng.choice((0, 2))
    for i in range(children):
        spot = (320 * (i + 0.5) / children, 115.0)
        pen.line([(160, 40), spot], fill=(60, 60, 60), width=2)
        for j in range(grand):
            leaf = (320 * (i * grand + j + 0.5) / (children * grand), 195.0)
            pen.line([spot, leaf], fill=(60, 60, 60), width=2)
            _box(pen, leaf, (130 / (children * grand), 16), paint, _label(rng), "box")
        _box(pen, spot, (38, 16), paint, _label(rng), "box")
    _box(pen, (160, 36), (44, 18), paint, _label(rng), "box")
    return picture, rng.choice(("a tree diagram", "an organization chart", "a hierarchy diagram", "a diagram of a hierarchy, from the top down",
                                f"a tree diagram with {NUMBERS[children]} branches", "an org chart"))  # fmt: skip


def table(rng: Random) -> tuple[Image.Image, str]:
    """Rows and columns of words and numbers."""
    picture, pen, paint = _paper(rng)
    rows, columns = rng.randint(3, 9), rng.randint(2, 6)
    wide, high = 300 / columns, 220 / rows
    striped, letters = rng.random() < 0.4, font(rng.choice(font_files()), 11)
    for row in range(rows):
        for column in range(columns):
            box = (10 + wide * column, 10 + high * row, 10 + wide * (column + 1), 10 + high * (row + 1))
            fill = paint.rgb if row == 0 else (232, 236, 240) if striped and row % 2 else None
            pen.rectangle(box, fill=fill, outline=(90, 90, 90))
            words = _label(rng)[: int(wide / 7)] if row == 0 or column == 0 else str(rng.randint(1, 999))
            ink = (255, 255, 255) if row == 0 and sum(paint.rgb) < 330 else (20, 20, 20)
            pen.text((box[0] + wide / 2, box[1] + high / 2), words, fill=ink, font=letters, anchor="mm")
    return picture, rng.choice(("a table", "a table of numbers", f"a table with {NUMBERS[rows]} rows and {NUMBERS[columns]} columns",
                                f"a table with a {paint.word} header row", "a data table", "a spreadsheet"))  # fmt: skip


def timeline(rng: Random) -> tuple[Image.Image, str]:
    """Marks along one line."""
    picture, pen, paint = _paper(rng, (400, 180))
    count, year = rng.randint(3, 7), rng.randint(1500, 2000)
    _arrow(pen, (10, 90), (392, 90))
    for index in range(count):
        x, up = 380 * (index + 0.5) / count, index % 2 == 0
        disk(pen, (x, 90), 8, paint.rgb)
        pen.line([(x, 90), (x, 60 if up else 120)], fill=(60, 60, 60), width=2)
        pen.text((x, 48 if up else 132), str(year + index * rng.randint(3, 20)), fill=(20, 20, 20), font=font(font_files()[0], 13), anchor="mm")
        pen.text((x, 30 if up else 150), _label(rng)[:10], fill=(20, 20, 20), font=font(font_files()[0], 10), anchor="mm")
    return picture, rng.choice(("a timeline", "a time line with years", f"a timeline of {NUMBERS[count]} events", f"a timeline with {paint.word} dots",
                                "dates along a horizontal line"))  # fmt: skip


def venn(rng: Random) -> tuple[Image.Image, str]:
    """Two or three overlapping see-through circles."""
    count = rng.choice((2, 2, 3))
    picture = Image.new("RGBA", _SIZE, (255, 255, 255, 255))
    paints = colours(rng, count, ("red", "blue", "green", "yellow", "orange", "purple", "light blue", "pink"))
    spots = [(115, 120), (205, 120)] if count == 2 else [(120, 92), (200, 92), (160, 152)]
    for (x, y), paint in zip(spots, paints, strict=True):
        layer = Image.new("RGBA", _SIZE, (0, 0, 0, 0))
        ImageDraw.Draw(layer).ellipse((x - 75, y - 75, x + 75, y + 75), fill=(*paint.rgb, 130), outline=(60, 60, 60, 255))
        picture = Image.alpha_composite(picture, layer)
    for x, y in spots:
        ImageDraw.Draw(picture).text((x, y), _label(rng)[:9], fill=(20, 20, 20), font=font(font_files()[0], 12), anchor="mm")
    return picture.convert("RGB"), rng.choice(("a Venn diagram", f"a Venn diagram of {NUMBERS[count]} circles", f"{NUMBERS[count]} overlapping circles",
                                               f"a Venn diagram in {' and '.join(p.word for p in paints[:2])}"))  # fmt: skip


def orbits(rng: Random) -> tuple[Image.Image, str]:
    """Bodies on rings around a centre."""
    dark = rng.random() < 0.5
    picture = Image.new("RGB", _SIZE, (6, 8, 24) if dark else (255, 255, 255))
    pen, count, flat = ImageDraw.Draw(picture), rng.randint(1, 6), rng.choice((1.0, 0.5))
    for index in range(count):
        radius = 24 + 92 * (index + 1) / count
        pen.ellipse((160 - radius, 120 - radius * flat, 160 + radius, 120 + radius * flat), outline=(150, 150, 160), width=2)
        angle = rng.uniform(0, 2 * math.pi)
        disk(pen, (160 + radius * math.cos(angle), 120 + radius * flat * math.sin(angle)), rng.choice((5, 7, 9)), colours(rng, 1)[0].rgb)
    disk(pen, (160, 120), 18, (252, 200, 40))
    bodies = f"{NUMBERS[count]} planet{'s' if count > 1 else ''}"
    return picture, rng.choice(("a diagram of orbits", f"{bodies} in orbit around the Sun", "a diagram of the solar system", "orbits around a star",
                                f"a star with {bodies} on circular orbits" if flat == 1 else f"{bodies} on elliptical orbits"))  # fmt: skip


def wave(rng: Random) -> tuple[Image.Image, str]:
    """A sine wave with or without its wavelength."""
    picture, pen, paint = _paper(rng, (360, 180))
    cycles, marked = rng.choice((1.5, 2, 3, 5, 8)), rng.random() < 0.4
    pen.line([(6, 90), (354, 90)], fill=(120, 120, 120), width=1)
    pen.line([(10 + 3.4 * i, 90 - 55 * math.sin(2 * math.pi * cycles * i / 100)) for i in range(101)], fill=paint.rgb, width=3)
    if marked:
        _arrow(pen, (10, 160), (10 + 340 / cycles, 160))
    return picture, rng.choice(("a wave", "a sine wave", f"a {paint.word} wave", "a diagram of a wave" + (" with its wavelength marked" if marked else ""),
                                "an oscillating wave"))  # fmt: skip


def labelled(rng: Random) -> tuple[Image.Image, str]:
    """A body with pointers to its named parts."""
    picture, pen, paint = _paper(rng)
    count, layers = rng.randint(3, 5), rng.randint(1, 4)
    for layer, shade in enumerate([paint, *colours(rng, layers)][:layers]):
        disk(pen, (160, 120), 85 * (1 - layer / (layers + 0.3)), shade.rgb)
    for index, rim in enumerate(ring((160, 120), 60, count)):
        side = 1 if rim[0] >= 160 else -1
        end = (160 + side * 112, 30 + 180 * index / count)
        pen.line([rim, end], fill=(20, 20, 20), width=2)
        pen.text(end, _label(rng)[:10], fill=(20, 20, 20), font=font(font_files()[0], 11), anchor="lm" if side > 0 else "rm")
    form = "sphere" if layers == 1 else f"cross section with {NUMBERS[layers]} layers"
    return picture, rng.choice(("a labeled diagram", f"a labeled diagram of a {form}", f"a diagram with {NUMBERS[count]} labels", f"a {form} with labels",
                                f"concentric {paint.word} layers with labels" if layers > 1 else f"a labeled {paint.word} sphere"))  # fmt: skip


def heat_map(rng: Random) -> tuple[Image.Image, str]:
    """A grid of shades."""
    picture, pen, paint = _paper(rng)
    rows, columns = rng.randint(4, 10), rng.randint(4, 12)
    for row in range(rows):
        for column in range(columns):
            share = rng.random()
            shade = tuple(int(255 - (255 - part) * share) for part in paint.rgb)
            box = (10 + 300 * column / columns, 10 + 220 * row / rows, 10 + 300 * (column + 1) / columns, 10 + 220 * (row + 1) / rows)
            pen.rectangle(box, fill=shade)
    return picture, rng.choice(("a heat map", f"a {paint.word} heat map", "a heatmap grid", f"{article('matrix')} of {paint.word} cells"))


def spectrum(rng: Random) -> tuple[Image.Image, str]:
    """The rainbow in a strip, sometimes with dark lines."""
    picture, pen, _ = _paper(rng, (360, 140))
    lines = rng.random() < 0.5
    for x in range(340):
        hue = f"hsl({int(270 * (1 - x / 340))}, 95%, 50%)"
        pen.line([(10 + x, 25), (10 + x, 115)], fill=hue)
    for _ in range(rng.randint(3, 14) if lines else 0):
        x = rng.uniform(12, 348)
        pen.line([(x, 25), (x, 115)], fill=(0, 0, 0), width=2)
    return picture, rng.choice(("a spectrum of colors", "the visible spectrum from violet to red", "a rainbow strip",
                                "a spectrum with dark lines" if lines else "a continuous spectrum"))  # fmt: skip


_KINDS = (flow, flow, network, hierarchy, table, table, timeline, venn, orbits, wave, labelled, heat_map, spectrum)


def draw(rng: Random) -> tuple[Image.Image, str]:
    """A diagram and its caption."""
    return rng.choice(_KINDS)(rng)
