"""The ground of an invented flag: bands, stripes, crosses, divisions; and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from training.draw.ink import NUMBERS, Colour, Point, article, colour, listed, ring

if TYPE_CHECKING:
    from training.draw.flag import Flag

USUAL = ("red", "red", "red", "white", "white", "white", "green", "green", "blue", "blue", "yellow", "yellow", "black",
         "dark blue", "light blue", "orange", "maroon", "dark green", "turquoise", "light green", "purple", "brown",
         "pink", "gray")  # fmt: skip
_NEAR = ({"blue", "dark blue"}, {"green", "dark green"}, {"red", "maroon"}, {"turquoise", "light blue"},
         {"green", "light green"}, {"red", "orange"}, {"yellow", "orange"}, {"white", "gray"})  # fmt: skip
_TOP = ("(top)", "on top", "at the top", "(upper)", "")
_LEFT = ("(left)", "(hoist side)", "on the left", "(left side)", "on the hoist side", "")


def pick(rng: Random, count: int, apart_from: list[Colour] | None = None) -> list[Colour]:
    """`count` flag colours that are told apart at a glance."""
    taken = [c.name for c in apart_from or []]
    chosen: list[Colour] = []
    while len(chosen) < count:
        name = rng.choice(USUAL)
        if not any(name == other or {name, other} in _NEAR for other in taken):
            taken.append(name)
            chosen.append(colour(rng, name))
    return chosen


def _slices(rng: Random, flag: Flag, paints: list[Colour], weights: list[float], vertical: bool) -> None:
    width, height = flag.size
    start, whole = 0.0, sum(weights)
    for paint, weight in zip(paints, weights, strict=True):
        end = start + weight / whole
        box = (width * start, 0, width * end, height) if vertical else (0, height * start, width, height * end)
        flag.pen.rectangle(box, fill=paint.rgb)
        start = end


def _marked(rng: Random, words: list[str], vertical: bool) -> str:
    """The colours in order, with a hint where the first of them lies."""
    hint = rng.choice(_LEFT if vertical else _TOP)
    last = rng.choice(("", "", "(right)", "(fly side)") if vertical else ("", "", "(bottom)", "(lower)"))
    marked = [f"{words[0]} {hint}".strip(), *words[1:-1], f"{words[-1]} {last if hint else ''}".strip()]
    return listed(marked)


def bands(flag: Flag, rng: Random) -> None:
    """Two to five bands, across or upright, of equal or unequal width."""
    vertical = rng.random() < 0.4
    count = rng.choice((2, 3, 3, 3, 3, 3, 4, 5))
    paints = pick(rng, min(count, 4))
    if count == 5:
        paints = [paints[0], paints[1], paints[2], paints[1], rng.choice((paints[0], paints[3]))]
    elif count == 3 and rng.random() < 0.3:
        paints[2] = paints[0]
    weights, how = [1.0] * count, rng.choice(("equal ", "", "", "equal-width "))
    if count == 3 and rng.random() < 0.3:
        weights = [1.0, 2.0, 1.0] if rng.random() < 0.7 else [2.0, 1.0, 1.0]
        how = "" if rng.random() < 0.5 else "unequal "
    _slices(rng, flag, paints, weights, vertical)
    edges = 0
    if count == 3 and rng.random() < 0.12:
        edges = _edged(flag, rng, paints, weights, vertical)
    direction = "vertical" if vertical else "horizontal"
    flag.key = (direction, *(p.name for p in paints)) if not edges else (direction, "edged")
    flag.ground = paints
    words = [p.word for p in paints]
    if weights == [1.0, 2.0, 1.0] and rng.random() < 0.7:
        words[1] = rng.choice((f"{words[1]} (double width)", f"double-width {words[1]}", f"{words[1]} (wider)"))
    noun = rng.choice(("bands", "bands", "bands", "stripes", "stripes", "bars"))
    order = _marked(rng, words, vertical)
    flag.told.append(rng.choice((
        f"{NUMBERS[count]} {how}{direction} {noun} of {order}", f"{NUMBERS[count]} {how}{direction} {noun} of {order}",
        f"{NUMBERS[count]} {how}{direction} {noun}: {order}", f"{direction} {noun} of {order}",
        f"{order} {direction} {noun}", f"{article(direction)} {NUMBERS[count]}-colored flag of {order}",
        f"divided {direction}ly into {order}",
    )) + (flag.told.pop() if edges else ""))  # fmt: skip


def _edged(flag: Flag, rng: Random, paints: list[Colour], weights: list[float], vertical: bool) -> int:
    """Thin lines between the bands; their words are left for the caller to append."""
    (thin,) = pick(rng, 1, paints)
    width, height = flag.size
    position, whole = 0.0, sum(weights)
    for weight in weights[:-1]:
        position += weight / whole
        half = 0.025
        box = ((width * (position - half), 0, width * (position + half), height) if vertical
               else (0, height * (position - half), width, height * (position + half)))  # fmt: skip
        flag.pen.rectangle(box, fill=thin.rgb)
    flag.told.append(rng.choice((f", separated by narrow {thin.word} stripes", f"; the bands are edged in {thin.word}",
                                 f" with thin {thin.word} lines between them")))  # fmt: skip
    return 1


def stripes(flag: Flag, rng: Random) -> None:
    """Many stripes of two colours by turns."""
    vertical, count = rng.random() < 0.15, rng.choice((5, 6, 7, 8, 9, 11, 13))
    two = pick(rng, 2)
    _slices(rng, flag, [two[i % 2] for i in range(count)], [1.0] * count, vertical)
    flag.ground, flag.key = two, ("stripes", str(count))
    direction = "vertical" if vertical else "horizontal"
    a, b = two[0].word, two[1].word
    flag.told.append(rng.choice((
        f"{NUMBERS[count]} equal {direction} stripes of {a} alternating with {b}",
        f"{NUMBERS[count]} {direction} stripes of {a} and {b} by turns", f"alternating {a} and {b} {direction} stripes",
        f"a field of {NUMBERS[count]} {a} and {b} stripes",
    )))  # fmt: skip


def plain(flag: Flag, rng: Random) -> None:
    """One colour, sometimes with a border."""
    paints = pick(rng, 2)
    width, height = flag.size
    flag.pen.rectangle((0, 0, width, height), fill=paints[0].rgb)
    flag.ground, flag.key = paints[:1], ("plain", paints[0].name)
    word = paints[0].word
    told = rng.choice((f"{word} field", f"a {word} background", f"{word}", f"solid {word}", f"a field of {word}",
                       f"a plain {word} flag", f"{word} ground"))  # fmt: skip
    if rng.random() < 0.15:
        flag.pen.rectangle(
            (0, 0, width - 1, height - 1), outline=paints[1].rgb, width=int(height * rng.uniform(0.06, 0.14))
        )
        flag.key, border = ("border",), paints[1].word
        told += rng.choice((f" with a {border} border", f" bordered in {border}", f" edged on all sides in {border}"))
    flag.told.append(told)


def cross(flag: Flag, rng: Random) -> None:
    """A cross to the edges, upright or diagonal, sometimes with an edge of another colour."""
    ground, main, edge = pick(rng, 3)
    width, height = flag.size
    saltire, edged = rng.random() < 0.4, rng.random() < 0.45
    shifted = not saltire and rng.random() < 0.6
    x, thick = width * (0.36 if shifted else 0.5), height * rng.uniform(0.12, 0.2)
    flag.pen.rectangle((0, 0, width, height), fill=ground.rgb)
    for paint, wide in ([(edge, thick * 1.7)] if edged else []) + [(main, thick)]:
        if saltire:
            for ends in ([(0, 0), (width, height)], [(0, height), (width, 0)]):
                flag.pen.line(ends, fill=paint.rgb, width=int(wide))
        else:
            flag.pen.rectangle((x - wide / 2, 0, x + wide / 2, height), fill=paint.rgb)
            flag.pen.rectangle((0, (height - wide) / 2, width, (height + wide) / 2), fill=paint.rgb)
    flag.ground = [ground, main]
    flag.key = ("saltire" if saltire else "cross", ground.name, main.name, *([edge.name] if edged else []))
    kind = rng.choice(
        ("diagonal cross", "saltire", "X-shaped cross") if saltire else ("cross", "cross", "upright cross")
    )
    outlined = (
        rng.choice((f" edged in {edge.word}", f" outlined in {edge.word}", f" bordered by {edge.word}"))
        if edged
        else ""
    )
    where = (
        rng.choice((" shifted to the hoist side", ", its vertical part nearer the left side", "")) if shifted else ""
    )
    flag.told.append(rng.choice((
        f"{ground.word} with a {main.word} {kind}{outlined} that reaches the edges{where}",
        f"a {main.word} {kind}{outlined} on a {ground.word} field{where}",
        f"{ground.word} field divided by a {main.word} {kind}{outlined}{where}",
    )))  # fmt: skip


def diagonal(flag: Flag, rng: Random) -> None:
    """Two triangles, sometimes parted by a diagonal band."""
    upper, lower, band, edge = pick(rng, 4)
    width, height = flag.size
    rising = rng.random() < 0.5
    ends: list[Point] = [(0, height), (width, 0)] if rising else [(0, 0), (width, height)]
    flag.pen.rectangle((0, 0, width, height), fill=lower.rgb)
    flag.pen.polygon([*ends, (0, 0) if rising else (width, 0)], fill=upper.rgb)
    banded, edged = rng.random() < 0.65, rng.random() < 0.5
    if banded and edged:
        flag.pen.line(ends, fill=edge.rgb, width=int(height * 0.36))
    if banded:
        flag.pen.line(ends, fill=band.rgb, width=int(height * 0.24))
    flag.ground, flag.key = [upper, lower], ("diagonal",)
    course = rng.choice(
        (
            "from the lower hoist side to the upper fly side",
            "from lower left to upper right",
            "from the lower hoist-side corner",
        )
        if rising
        else ("from the upper hoist side to the lower fly side", "from upper left to lower right")
    )
    sides = ("upper triangle", "lower triangle")
    told = f"divided diagonally {course}"
    if banded:
        told += rng.choice((" by", " with")) + f" a {band.word} {rng.choice(('band', 'stripe'))}"
        told += rng.choice((f" edged in {edge.word}", f" bordered in {edge.word}")) if edged else ""
    flag.told.append(
        rng.choice(
            (
                f"{told}; the {sides[0]} is {upper.word} and the {sides[1]} is {lower.word}",
                f"{upper.word} and {lower.word}, {told}",
                f"{told}: {upper.word} above and {lower.word} below",
            )
        )
    )


def quarters(flag: Flag, rng: Random) -> None:
    """Four rectangles."""
    paints = pick(rng, 4)
    if rng.random() < 0.5:
        paints[2:] = paints[1::-1]
    width, height = flag.size
    for index, paint in enumerate(paints):
        x, y = index % 2 * width / 2, index // 2 * height / 2
        flag.pen.rectangle((x, y, x + width / 2, y + height / 2), fill=paint.rgb)
    flag.ground, flag.key = paints, ("quarters",)
    a, b, c, d = (p.word for p in paints)
    flag.told.append(rng.choice((
        f"divided into four rectangles: {a} upper left, {b} upper right, {c} lower left, and {d} lower right",
        f"four quarters of {a} (upper hoist side), {b}, {c} (lower hoist side), and {d}",
    )))  # fmt: skip


def hoist_band(flag: Flag, rng: Random) -> None:
    """An upright band at the hoist beside bands across."""
    hoist, *rest = pick(rng, rng.choice((3, 3, 4)))
    width, height = flag.size
    _slices(rng, flag, rest, [1.0] * len(rest), vertical=False)
    flag.pen.rectangle((0, 0, width * rng.uniform(0.22, 0.36), height), fill=hoist.rgb)
    flag.ground, flag.key = [hoist, *rest], ("hoist band",)
    order = _marked(rng, [p.word for p in rest], vertical=False)
    flag.told.append(rng.choice((
        f"{NUMBERS[len(rest)]} horizontal bands of {order}, with a vertical {hoist.word} band on the hoist side",
        f"a vertical {hoist.word} band on the left side and horizontal bands of {order}",
        f"{order} horizontal stripes with {article(hoist.word)} vertical stripe at the hoist",
    )))  # fmt: skip


def rays(flag: Flag, rng: Random) -> None:
    """Wedges of two colours from one point."""
    ground, beam = pick(rng, 2)
    width, height = flag.size
    centre = (width * rng.choice((0.5, 0.5, 0.0)), height * rng.choice((0.5, 1.0)))
    count = rng.choice((8, 12, 16))
    rim = ring(centre, width * 2, count * 2)
    flag.pen.rectangle((0, 0, width, height), fill=ground.rgb)
    for index in range(0, count * 2, 2):
        flag.pen.polygon([centre, rim[index], rim[index + 1]], fill=beam.rgb)
    flag.ground, flag.key = [ground, beam], ("rays",)
    flag.told.append(
        rng.choice(
            (
                f"{beam.word} rays on a {ground.word} field",
                f"{ground.word} with {beam.word} beams spreading out",
                f"a {ground.word} field with radiating {beam.word} rays",
            )
        )
    )


_FIELDS: tuple[tuple[Callable[[Flag, Random], None], int], ...] = (
    (bands, 46), (stripes, 7), (plain, 20), (cross, 8), (diagonal, 7), (quarters, 3), (hoist_band, 5), (rays, 2),
)  # fmt: skip


def paint(flag: Flag, rng: Random) -> None:
    """Draw one ground on `flag` and tell it."""
    makers, weights = zip(*_FIELDS, strict=True)
    rng.choices(makers, weights=weights)[0](flag, rng)
