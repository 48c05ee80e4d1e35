"""What lies on the ground of an invented flag: triangles, cantons, disks, stars, crescents, emblems."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from training.draw.emblem import EMBLEMS, arms_palette, coat_of_arms
from training.draw.flag_fields import pick
from training.draw.flag_places import TIPS, behind, contrast, spot_for, star_word
from training.draw.ink import Colour, Point, article, counted, crescent, disk, ring, star, sun

if TYPE_CHECKING:
    from training.draw.flag import Flag


def triangle(flag: Flag, rng: Random) -> None:
    """A triangle based on the hoist, sometimes with something in it."""
    width, height = flag.size
    inner, edge = pick(rng, 2, flag.ground)
    reach = width * rng.uniform(0.28, 0.5)
    edged = rng.random() < 0.2
    if edged:
        flag.pen.polygon([(0, -0.1 * height), (reach * 1.15, height / 2), (0, height * 1.1)], fill=edge.rgb)
    flag.pen.polygon([(0, 0), (reach, height / 2), (0, height)], fill=inner.rgb)
    told = rng.choice((
        f"a {inner.word} isosceles triangle based on the hoist side", f"a {inner.word} triangle on the left side",
        f"{inner.word} triangle at the hoist", f"a {inner.word} triangle based on the left edge",
    )) + (f" edged in {edge.word}" if edged else "")  # fmt: skip
    if rng.random() < 0.45:
        centre = (reach * 0.35, height / 2)
        paint, tips = contrast(rng, flag, centre), rng.choice(TIPS)
        thing = rng.choice((star_word(rng, tips), "sun", "disk"))
        if thing == "sun":
            sun(flag.pen, centre, height * 0.16, paint.rgb, 16)
        elif thing == "disk":
            disk(flag.pen, centre, height * 0.1, paint.rgb)
        else:
            star(flag.pen, centre, height * 0.13, paint.rgb, tips)
        told += rng.choice(
            (
                f" bearing a {paint.word} {thing}",
                f" with a {paint.word} {thing} in it",
                f" containing a {paint.word} {thing}",
            )
        )
    flag.emblem_told.append(told)


def canton(flag: Flag, rng: Random) -> None:
    """A rectangle in the upper corner at the hoist with stars, crosses or an emblem."""
    width, height = flag.size
    ground = pick(rng, 1, flag.ground)[0]
    right, bottom = width * rng.uniform(0.35, 0.5), height * rng.uniform(0.42, 0.56)
    flag.pen.rectangle((0, 0, right, bottom), fill=ground.rgb)
    centre = (right / 2, bottom / 2)
    paint, second = pick(rng, 2, [ground])
    corner = rng.choice(
        (
            "in the upper hoist-side corner",
            "in the canton",
            "in the upper hoist-side quadrant",
            "in the upper left corner",
        )
    )
    holder = rng.choice(
        (f"a {ground.word} rectangle {corner}", f"a {ground.word} square {corner}", f"a {ground.word} canton")
    )
    kind = rng.choice(("stars", "star", "crosses", "crosses", "empty", "emblem"))
    if kind == "stars":
        told = f"{holder} with {_star_grid(flag, rng, paint, right, bottom)}"
    elif kind == "star":
        tips = rng.choice(TIPS)
        star(flag.pen, centre, bottom * 0.32, paint.rgb, tips)
        told = rng.choice(
            (f"{holder} bearing a {paint.word} {star_word(rng, tips)}", f"{holder} with a large {paint.word} star")
        )
    elif kind == "crosses":
        for ends in ([(0, 0), (right, bottom)], [(0, bottom), (right, 0)]):
            flag.pen.line(ends, fill=paint.rgb, width=int(bottom * 0.16))
        flag.pen.rectangle((0, bottom * 0.4, right, bottom * 0.6), fill=second.rgb)
        flag.pen.rectangle((right / 2 - bottom * 0.1, 0, right / 2 + bottom * 0.1, bottom), fill=second.rgb)
        told = rng.choice(
            (
                f"a small flag of crosses {corner}",
                f"another flag {corner}",
                f"the flag of a kingdom {corner}",
                f"{holder} with a {second.word} cross over a {paint.word} diagonal cross",
            )
        )
    elif kind == "emblem":
        name = rng.choice(EMBLEMS)(flag.pen, centre, bottom * 0.34, paint.rgb, rng)
        told = f"{holder} with a {paint.word} {name}"
    else:
        told = holder
    flag.emblem_told.append(told)


def _star_grid(flag: Flag, rng: Random, paint: Colour, right: float, bottom: float) -> str:
    rows, columns = rng.choice((2, 3, 4, 5)), rng.choice((3, 4, 5, 6))
    for row in range(rows):
        for column in range(columns):
            spot = (right * (column + 0.5) / columns, bottom * (row + 0.5) / rows)
            star(flag.pen, spot, min(right / columns, bottom / rows) * 0.4, paint.rgb)
    return rng.choice(
        (
            f"rows of small {paint.word} stars",
            f"{rows * columns} {paint.word} stars",
            f"many {paint.word} stars in rows",
        )
    )


def disk_overlay(flag: Flag, rng: Random) -> None:
    """A disk, often with a star or an emblem inside."""
    where, centre, radius = spot_for(rng, flag)
    paint = contrast(rng, flag, centre)
    disk(flag.pen, centre, radius, paint.rgb)
    noun = rng.choice(("disk", "disk", "circle", "solid circle", "roundel"))
    told = rng.choice(
        (f"a {paint.word} {noun} {where}", f"a large {paint.word} {noun} {where}", f"{where}, a {paint.word} {noun}")
    )
    if rng.random() < 0.5:
        inner, tips = pick(rng, 1, [paint])[0], rng.choice(TIPS)
        if rng.random() < 0.6:
            star(flag.pen, centre, radius * 0.7, inner.rgb, tips)
            name = star_word(rng, tips)
        else:
            name = rng.choice(EMBLEMS)(flag.pen, centre, radius * 0.65, inner.rgb, rng)
        told += rng.choice(
            (
                f" with a {inner.word} {name} in it",
                f" bearing a {inner.word} {name}",
                f" containing a {inner.word} {name}",
            )
        )
    elif flag.key[0] == "plain":
        flag.key = ("disk", flag.key[1], paint.name)
        flag.overlays -= 1
    flag.emblem_told.append(told)


def stars(flag: Flag, rng: Random) -> None:
    """One to twelve stars in a row, an arc, a circle or scattered."""
    where, centre, radius = spot_for(rng, flag)
    count, tips = rng.choice((1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12)), rng.choice(TIPS)
    paint = contrast(rng, flag, centre)
    told, way = counted(count, f"{paint.word} {star_word(rng, tips)}"), ""
    if count == 1:
        star(flag.pen, centre, radius, paint.rgb, tips)
    else:
        way, spots = _arranged(rng, centre, radius, count)
        for spot in spots:
            star(flag.pen, spot, max(radius * 0.95 / math.sqrt(count) * 0.6, 9), paint.rgb, tips)
    flag.emblem_told.append(f"{told}{way} {where}")


def _arranged(rng: Random, centre: Point, radius: float, count: int) -> tuple[str, list[Point]]:
    x, y = centre
    kind = rng.choice(("row", "column", "circle", "arc", "diagonal", "scattered"))
    steps = [2 * index / (count - 1) - 1 for index in range(count)]
    if kind == "circle" and count > 2:
        return rng.choice((" arranged in a circle", " forming a circle", " in a ring")), ring(centre, radius, count)
    if kind == "column":
        return rng.choice((" in a vertical line", " one above the other", " in a column")), [
            (x, y + s * radius) for s in steps
        ]
    if kind == "arc" and count > 2:
        arc = [(x + radius * math.sin(s * 1.4), y - radius * math.cos(s * 1.4) + radius / 2) for s in steps]
        return rng.choice((" in an arc", " arranged in an arc")), arc
    if kind == "diagonal":
        return rng.choice((" in a diagonal line", " along a diagonal")), [
            (x + s * radius, y + s * radius) for s in steps
        ]
    if kind == "scattered" and count > 3:
        spots = [(x + radius * rng.uniform(-1.1, 1.1), y + radius * rng.uniform(-1.1, 1.1)) for _ in steps]
        return rng.choice((" scattered", " in the shape of a constellation", "")), spots
    return rng.choice((" in a row", " in a horizontal line", " side by side", "")), [
        (x + s * radius * 1.3, y) for s in steps
    ]


def moon(flag: Flag, rng: Random) -> None:
    """A crescent, mostly with a star."""
    where, centre, radius = spot_for(rng, flag)
    paint = contrast(rng, flag, centre)
    turn = rng.choice((0.0, 0.0, -0.5, -math.pi / 2))
    crescent(flag.pen, centre, radius, paint.rgb, behind(flag, centre), turn=turn)
    told = rng.choice((f"a {paint.word} crescent", f"a {paint.word} crescent moon"))
    if rng.random() < 0.7:
        at = (centre[0] + radius * 0.55 * math.cos(turn), centre[1] + radius * 0.55 * math.sin(turn))
        tips = rng.choice(TIPS)
        star(flag.pen, at, radius * 0.38, paint.rgb, tips)
        told = rng.choice(
            (
                f"{told} and {star_word(rng, tips)}",
                f"a {paint.word} {star_word(rng, tips)} inside {told}",
                f"{told} that partly encloses a {paint.word} {star_word(rng, tips)}",
            )
        )
    flag.emblem_told.append(f"{told} {where}")


def figure(flag: Flag, rng: Random) -> None:
    """One emblem of a single colour."""
    where, centre, radius = spot_for(rng, flag)
    paint = contrast(rng, flag, centre)
    name = rng.choice(EMBLEMS)(flag.pen, centre, radius, paint.rgb, rng)
    flag.emblem_told.append(rng.choice((f"a {paint.word} {name} {where}", f"{article(name)} in {paint.word} {where}",
                                        f"{where}, a {paint.word} {name}", f"{article(name)} {where}")))  # fmt: skip


def arms(flag: Flag, rng: Random) -> None:
    """A coat of arms."""
    where, centre, radius = spot_for(rng, flag)
    told = coat_of_arms(flag.pen, centre, radius, arms_palette(rng), rng)
    flag.emblem_told.append(f"{rng.choice(('the', 'the', article(told).split()[0]))} {told} {where}" if len(told) < 30
                            else f"the {told}, {where}")  # fmt: skip


_OVERLAYS: tuple[tuple[Callable[[Flag, Random], None], int], ...] = (
    (triangle, 14), (canton, 12), (disk_overlay, 10), (stars, 20), (moon, 7), (figure, 14), (arms, 19),
)  # fmt: skip


def paint(flag: Flag, rng: Random) -> None:
    """Draw nothing, one or two overlays on `flag` and tell them."""
    makers, weights = zip(*_OVERLAYS, strict=True)
    chosen = dict.fromkeys(rng.choices(makers, weights=weights, k=rng.choice((0, 1, 1, 1, 1, 2))))
    if flag.key[0] == "plain" and not chosen:
        chosen = {stars: None}
    for maker in sorted(chosen, key=lambda m: m not in (triangle, canton)):  # an emblem may lie on these, not below
        flag.overlays += 1
        maker(flag, rng)
