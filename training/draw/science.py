"""Diagrams of the sciences: orbits, waves, labelled bodies, heat maps, spectra."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import NUMBERS, article, colours, disk, font, font_files, ring
from training.draw.paper import SIZE, arrow, label, paper


def orbits(rng: Random) -> tuple[Image.Image, str]:
    """Bodies on rings around a centre."""
    dark = rng.random() < 0.5
    picture = Image.new("RGB", SIZE, (6, 8, 24) if dark else (255, 255, 255))
    pen, count, flat = ImageDraw.Draw(picture), rng.randint(1, 6), rng.choice((1.0, 0.5))
    for index in range(count):
        radius = 24 + 92 * (index + 1) / count
        pen.ellipse(
            (160 - radius, 120 - radius * flat, 160 + radius, 120 + radius * flat), outline=(150, 150, 160), width=2
        )
        angle = rng.uniform(0, 2 * math.pi)
        disk(
            pen,
            (160 + radius * math.cos(angle), 120 + radius * flat * math.sin(angle)),
            rng.choice((5, 7, 9)),
            colours(rng, 1)[0].rgb,
        )
    disk(pen, (160, 120), 18, (252, 200, 40))
    bodies = f"{NUMBERS[count]} planet{'s' if count > 1 else ''}"
    return picture, rng.choice(
        (
            "a diagram of orbits",
            f"{bodies} in orbit around the Sun",
            "a diagram of the solar system",
            "orbits around a star",
            f"a star with {bodies} on circular orbits" if flat == 1 else f"{bodies} on elliptical orbits",
        )
    )


def wave(rng: Random) -> tuple[Image.Image, str]:
    """A sine wave with or without its wavelength."""
    picture, pen, paint = paper(rng, (360, 180))
    cycles, marked = rng.choice((1.5, 2, 3, 5, 8)), rng.random() < 0.4
    pen.line([(6, 90), (354, 90)], fill=(120, 120, 120), width=1)
    pen.line(
        [(10 + 3.4 * i, 90 - 55 * math.sin(2 * math.pi * cycles * i / 100)) for i in range(101)],
        fill=paint.rgb,
        width=3,
    )
    if marked:
        arrow(pen, (10, 160), (10 + 340 / cycles, 160))
    return picture, rng.choice(
        (
            "a wave",
            "a sine wave",
            f"a {paint.word} wave",
            "a diagram of a wave" + (" with its wavelength marked" if marked else ""),
            "an oscillating wave",
        )
    )


def labelled(rng: Random) -> tuple[Image.Image, str]:
    """A body with pointers to its named parts."""
    picture, pen, paint = paper(rng)
    count, layers = rng.randint(3, 5), rng.randint(1, 4)
    for layer, shade in enumerate([paint, *colours(rng, layers)][:layers]):
        disk(pen, (160, 120), 85 * (1 - layer / (layers + 0.3)), shade.rgb)
    for index, rim in enumerate(ring((160, 120), 60, count)):
        side = 1 if rim[0] >= 160 else -1
        end = (160 + side * 112, 30 + 180 * index / count)
        pen.line([rim, end], fill=(20, 20, 20), width=2)
        pen.text(
            end, label(rng)[:10], fill=(20, 20, 20), font=font(font_files()[0], 11), anchor="lm" if side > 0 else "rm"
        )
    form = "sphere" if layers == 1 else f"cross section with {NUMBERS[layers]} layers"
    return picture, rng.choice(
        (
            "a labeled diagram",
            f"a labeled diagram of a {form}",
            f"a diagram with {NUMBERS[count]} labels",
            f"a {form} with labels",
            f"concentric {paint.word} layers with labels" if layers > 1 else f"a labeled {paint.word} sphere",
        )
    )


def heat_map(rng: Random) -> tuple[Image.Image, str]:
    """A grid of shades."""
    picture, pen, paint = paper(rng)
    rows, columns = rng.randint(4, 10), rng.randint(4, 12)
    for row in range(rows):
        for column in range(columns):
            share = rng.random()
            shade = tuple(int(255 - (255 - part) * share) for part in paint.rgb)
            box = (
                10 + 300 * column / columns,
                10 + 220 * row / rows,
                10 + 300 * (column + 1) / columns,
                10 + 220 * (row + 1) / rows,
            )
            pen.rectangle(box, fill=shade)
    return picture, rng.choice(
        ("a heat map", f"a {paint.word} heat map", "a heatmap grid", f"{article('matrix')} of {paint.word} cells")
    )


def spectrum(rng: Random) -> tuple[Image.Image, str]:
    """The rainbow in a strip, sometimes with dark lines."""
    picture, pen, _ = paper(rng, (360, 140))
    lines = rng.random() < 0.5
    for x in range(340):
        hue = f"hsl({int(270 * (1 - x / 340))}, 95%, 50%)"
        pen.line([(10 + x, 25), (10 + x, 115)], fill=hue)
    for _ in range(rng.randint(3, 14) if lines else 0):
        dark = rng.uniform(12, 348)
        pen.line([(dark, 25), (dark, 115)], fill=(0, 0, 0), width=2)
    return picture, rng.choice(("a spectrum of colors", "the visible spectrum from violet to red", "a rainbow strip",
                                "a spectrum with dark lines" if lines else "a continuous spectrum"))  # fmt: skip
