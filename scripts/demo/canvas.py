"""A drawing surface with soft edges: everything is drawn three times too large and scaled down once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Colour = str | tuple[int, int, int] | tuple[int, int, int, int]
Painter = Callable[[], Image.Image]

SCALE: Final = 3

INK: Final = "#22313f"
MUTED: Final = "#6b7885"
GRID: Final = "#dcdcd2"
PAPER: Final = "#fbf8f1"
SEA: Final = "#cfe4ea"
BLUE: Final = "#2f6f91"
NAVY: Final = "#1d3557"
RED: Final = "#c4503b"
GOLD: Final = "#e2ab3f"
GREEN: Final = "#7ba668"
MOSS: Final = "#4f7a4a"
SAND: Final = "#ecdcb4"
STONE: Final = "#a9a79c"
WHITE: Final = "#ffffff"


@lru_cache(maxsize=64)
def font(size: float, bold: bool = False, italic: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it, with the layout engine that every Pillow has."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise SystemExit('the demo is drawn with the fonts of matplotlib; pip install "triptych-rag[notebook]"')
    style = {(True, False): "-Bold", (False, True): "-Oblique", (True, True): "-BoldOblique"}.get((bold, italic), "")
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"DejaVuSans{style}.ttf"
    return ImageFont.truetype(str(path), round(size * SCALE), layout_engine=ImageFont.Layout.BASIC)


def smooth(points: Sequence[Point], closed: bool = False, steps: int = 12) -> list[Point]:
    """A Catmull-Rom curve through `points`."""
    count = len(points)
    ring = [points[-1], *points, points[0], points[1]] if closed else [points[0], *points, points[-1]]
    curve: list[Point] = []
    for start in range(count if closed else count - 1):
        a, b, c, d = ring[start : start + 4]
        for step in range(steps):
            t = step / steps
            curve.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return curve if closed else [*curve, points[-1]]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def polar(centre: Point, radius: float, degrees: float) -> Point:
    """The point at `radius` from `centre`; 0 degrees is up, and degrees run clockwise, as on a compass."""
    angle = math.radians(degrees)
    return centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)


class Canvas:
    """Coordinates are pixels of the finished picture, from the top left corner; colours may carry alpha."""

    def __init__(self, width: int, height: int, background: Colour = PAPER) -> None:
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * SCALE, height * SCALE), background)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def finish(self) -> Image.Image:
        """The picture at its own size, RGB."""
        return self._image.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def line(self, points: Sequence[Point], colour: Colour = INK, width: float = 2, dash: float = 0) -> None:
        """A line with round joints; `dash` is the length of its dashes, 0 for an unbroken one."""
        if dash:
            for piece in _dashes(points, dash):
                self.line(piece, colour, width)
            return
        self._draw.line([self._at(p) for p in points], fill=colour, width=round(width * SCALE), joint="curve")

    def polygon(
        self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None, width: float = 2
    ) -> None:
        """A filled shape; the outline is drawn over its edge."""
        if fill is not None:
            self._draw.polygon([self._at(p) for p in points], fill=fill)
        if outline is not None:
            self.line([*points, points[0], points[1]], outline, width)

    def ellipse(
        self,
        centre: Point,
        rx: float,
        ry: float,
        fill: Colour | None,
        outline: Colour | None = None,
        *,
        width: float = 2,
    ) -> None:
        """An ellipse by its centre and radii."""
        box = [*self._at((centre[0] - rx, centre[1] - ry)), *self._at((centre[0] + rx, centre[1] + ry))]
        self._draw.ellipse(box, fill=fill, outline=outline, width=round(width * SCALE))

    def circle(
        self, centre: Point, radius: float, fill: Colour | None, outline: Colour | None = None, width: float = 2
    ) -> None:
        """A circle by its centre and radius."""
        self.ellipse(centre, radius, radius, fill, outline, width=width)

    def rect(
        self,
        box: tuple[float, float, float, float],
        fill: Colour | None,
        outline: Colour | None = None,
        width: float = 2,
        radius: float = 0,
    ) -> None:
        """A rectangle (left, top, right, bottom), with rounded corners if asked."""
        left, top, right, bottom = box
        corners = [*self._at((left, top)), *self._at((right, bottom))]
        self._draw.rounded_rectangle(corners, radius * SCALE, fill=fill, outline=outline, width=round(width * SCALE))

    def sector(
        self, centre: Point, radius: float, start: float, end: float, fill: Colour, *, outline: Colour | None = None
    ) -> None:
        """A slice of a disc between two compass bearings, in degrees."""
        steps = max(2, round(abs(end - start)))
        arc = [polar(centre, radius, start + (end - start) * i / steps) for i in range(steps + 1)]
        self.polygon([centre, *arc], fill, outline)

    def text(
        self,
        at: Point,
        words: str,
        size: float = 17,
        colour: Colour = INK,
        anchor: str = "lm",
        *,
        bold: bool = False,
        italic: bool = False,
        halo: Colour | None = None,
    ) -> None:
        """Words at an anchor (Pillow's letters: l/m/r, then t/m/s/b); `halo` keeps them legible over a drawing."""
        self._draw.multiline_text(
            self._at(at),
            words,
            fill=colour,
            font=font(size, bold, italic),
            anchor=anchor if "\n" not in words else anchor[0] + {"t": "a", "m": "m", "b": "d", "s": "s"}[anchor[1]],
            align={"l": "left", "m": "center", "r": "right"}[anchor[0]],
            spacing=5 * SCALE,
            stroke_width=round(3 * SCALE) if halo else 0,
            stroke_fill=halo,
        )

    def label(self, target: Point, at: Point, words: str, size: float = 17, anchor: str = "lm") -> None:
        """Words with a thin leader from them to the thing that they name; an anchor `m` stands below its target."""
        aside = {"l": -8, "m": 0, "r": 8}[anchor[0]]
        above = -16 if anchor[0] == "m" else 0
        self.line([target, (at[0] + aside, at[1] + above)], MUTED, 1.5)
        self.circle(target, 4, INK)
        self.text(at, words, size, anchor=anchor)

    def title(self, words: str, subtitle: str = "") -> None:
        """The heading of a chart, at the top left."""
        self.text((36, 40), words, 25, bold=True)
        if subtitle:
            self.text((36, 72), subtitle, 16, MUTED)

    def gradient(self, top: int, bottom: int, colours: Sequence[tuple[int, int, int]]) -> None:
        """Fill the rows from `top` to `bottom` with colours that pass into one another."""
        rows = (bottom - top) * SCALE
        for row in range(rows):
            place = row / max(1, rows - 1) * (len(colours) - 1)
            index = min(int(place), len(colours) - 2)
            share = place - index
            mixed = tuple(round(a + (b - a) * share) for a, b in zip(colours[index], colours[index + 1], strict=True))
            y = top * SCALE + row
            self._draw.line([(0, y), (self.width * SCALE, y)], fill=mixed)

    @staticmethod
    def _at(point: Point) -> Point:
        return point[0] * SCALE, point[1] * SCALE


def _dashes(points: Sequence[Point], dash: float) -> list[list[Point]]:
    pieces: list[list[Point]] = []
    travelled = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        parts = max(1, math.ceil(length / 3))
        for part in range(parts):
            if int((travelled + length * part / parts) / dash) % 2 == 0:
                a, b = part / parts, (part + 1) / parts
                pieces.append([(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a), (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)])
        travelled += length
    return pieces
