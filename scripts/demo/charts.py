"""The charts of the demo corpus. The figures live here and only here: no text repeats them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from .canvas import (
    BLUE,
    GOLD,
    GREEN,
    GRID,
    INK,
    MOSS,
    MUTED,
    NAVY,
    PAPER,
    RED,
    STONE,
    Canvas,
    Painter,
    Point,
    polar,
    smooth,
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RAIN_MM = (96, 71, 64, 48, 39, 44, 58, 83, 92, 131, 118, 104)
AIR_C = (5.1, 4.9, 6.0, 7.7, 10.2, 12.6, 14.4, 14.8, 13.1, 10.4, 7.6, 5.9)
SEA_C = (7.0, 6.4, 6.5, 7.5, 9.3, 11.4, 13.2, 14.1, 13.7, 12.2, 10.1, 8.3)
WIND_PERCENT = {"N": 8, "NE": 5, "E": 6, "SE": 10, "S": 13, "SW": 27, "W": 20, "NW": 11}
BURROWS = {
    2014: 905,
    2015: 940,
    2016: 1010,
    2017: 870,
    2018: 720,
    2019: 790,
    2020: 900,
    2021: 1040,
    2022: 1180,
    2023: 1265,
}
SEALS = {"Seal Strand": 64, "The Calf": 38, "Slate Cove": 21, "Below the light": 12, "Lowhaven slip": 5}
POWER_PERCENT = {"Wind turbine": 46, "Tidal wheel": 27, "Solar roofs": 18, "Diesel": 9}
PROFILE_M = (
    (0, 4),
    (0.6, 22),
    (1.1, 58),
    (1.7, 118),
    (2.2, 84),
    (2.9, 41),
    (3.6, 33),
    (4.3, 26),
    (5.0, 3),
    (5.6, 9),
    (6.2, 4),
)
TIDE_M = ((0, 3.1), (3, 1.9), (5.8, 0.6), (9, 2.4), (12, 3.4), (15, 2.1), (18.2, 0.8), (21.5, 2.6), (24, 3.2))
TIMELINE = (
    (1871, "Work begins"),
    (1874, "The light is lit"),
    (1903, "The burnt coat"),
    (1921, "Wreck of\nthe Halcyon"),
    (1932, "Fog horn added"),
    (1958, "Electric lamp"),
    (1991, "Last keeper leaves"),
    (1996, "Volunteers begin"),
)
PLOT = (90, 115, 924, 530)


def _across(index: float, count: float) -> float:
    return PLOT[0] + (PLOT[2] - PLOT[0]) * index / count


def _up(top: float) -> Callable[[float], float]:
    return lambda value: PLOT[3] - (PLOT[3] - PLOT[1]) * value / top


def _frame(title: str, subtitle: str, ticks: Sequence[float]) -> tuple[Canvas, Callable[[float], float]]:
    """A chart with its heading and horizontal grid; the function maps a value to its height."""
    canvas, height = Canvas(960, 600), _up(ticks[-1])
    canvas.title(title, subtitle)
    for tick in ticks:
        canvas.line([(PLOT[0], height(tick)), (PLOT[2], height(tick))], INK if tick == 0 else GRID, 1.5)
        canvas.text((PLOT[0] - 12, height(tick)), f"{tick:g}", 16, MUTED, "rm")
    return canvas, height


def _columns(
    canvas: Canvas, height: Callable[[float], float], names: Sequence[str], values: Sequence[float], colour: str
) -> None:
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        middle, half = _across(index + 0.5, len(values)), (PLOT[2] - PLOT[0]) / len(values) * 0.34
        canvas.rect((middle - half, height(value), middle + half, height(0)), colour)
        canvas.text((middle, height(value) - 13), f"{value:g}", 16, INK, "mm", bold=True)
        canvas.text((middle, height(0) + 22), name, 17, INK, "mm")


def rainfall() -> Image.Image:
    """Twelve columns, one for each month."""
    canvas, height = _frame("Rainfall at Northpoint", "Millimetres in each month", (0, 30, 60, 90, 120, 150))
    _columns(canvas, height, MONTHS, RAIN_MM, BLUE)
    return canvas.finish()


def burrows() -> Image.Image:
    """Ten columns, one for each year."""
    canvas, height = _frame(
        "Puffin burrows in use", "Counted in June on the Puffin Shelf", (0, 300, 600, 900, 1200, 1500)
    )
    _columns(canvas, height, [str(year) for year in BURROWS], list(BURROWS.values()), MOSS)
    return canvas.finish()


def temperature() -> Image.Image:
    """Two lines, the air and the sea."""
    canvas, height = _frame("Air and sea through the year", "Mean of each month, in degrees Celsius", (0, 4, 8, 12, 16))
    for index, name in enumerate(MONTHS):
        canvas.text((_across(index + 0.5, 12), height(0) + 22), name, 17, INK, "mm")
    for values, colour in ((AIR_C, RED), (SEA_C, BLUE)):
        points: list[Point] = [(_across(i + 0.5, 12), height(v)) for i, v in enumerate(values)]
        canvas.line(smooth(points), colour, 4)
        for point in points:
            canvas.circle(point, 6, PAPER, colour, 3)
    canvas.text((_across(6.2, 12), height(15.4)), "Air", 20, RED, "rm", bold=True)
    canvas.text((_across(10.3, 12), height(11.6)), "Sea", 20, BLUE, "lm", bold=True)
    return canvas.finish()


def wind_rose() -> Image.Image:
    """Eight petals; a petal points to where the wind comes from."""
    canvas, centre = Canvas(800, 800), (400.0, 440.0)
    canvas.title("Where the wind comes from", "Per cent of all hours of the year")
    for percent in (10, 20, 30):
        canvas.circle(centre, percent * 9, None, GRID, 2)
        canvas.text(polar(centre, percent * 9, 22.5), f"{percent} %", 14, MUTED, "mm", halo=PAPER)
    for index, (name, percent) in enumerate(WIND_PERCENT.items()):
        bearing = index * 45
        canvas.sector(centre, percent * 9, bearing - 15, bearing + 15, BLUE if percent < 20 else NAVY, outline=PAPER)
        canvas.text(polar(centre, 298, bearing), name, 22, INK, "mm", bold=True)
    canvas.circle(centre, 7, PAPER, INK, 2)
    return canvas.finish()


def power() -> Image.Image:
    """A ring of four parts."""
    canvas, centre = Canvas(900, 600), (290.0, 335.0)
    canvas.title("Where the island's power comes from", "Per cent of a year's electricity")
    bearing = 0.0
    for row, ((name, percent), colour) in enumerate(
        zip(POWER_PERCENT.items(), (BLUE, GREEN, GOLD, STONE), strict=True)
    ):
        canvas.sector(centre, 215, bearing, bearing + percent * 3.6, colour, outline=PAPER)
        bearing += percent * 3.6
        y = 215 + row * 80
        canvas.rect((580, y - 17, 614, y + 17), colour, radius=5)
        canvas.text((632, y - 12), name, 21, bold=True)
        canvas.text((632, y + 15), f"{percent} %", 19, MUTED)
    canvas.circle(centre, 118, PAPER)
    canvas.text(centre, "one\nyear", 22, MUTED, "mm")
    return canvas.finish()


def seals() -> Image.Image:
    """Five bars that lie on their side."""
    canvas = Canvas(960, 540)
    canvas.title("Grey seals on the November count", "Animals ashore at low water")
    for row, (place, count) in enumerate(SEALS.items()):
        y = 142 + row * 78
        canvas.text((230, y), place, 19, anchor="rm")
        canvas.rect((250, y - 24, 250 + count * 9.8, y + 24), (MOSS, BLUE, BLUE, BLUE, BLUE)[row], radius=4)
        canvas.text((264 + count * 9.8, y), str(count), 20, bold=True)
    canvas.line([(250, 104), (250, 492)], INK, 2)
    return canvas.finish()


def walk_profile() -> Image.Image:
    """The heights along the round walk."""
    canvas, height = _frame(
        "The round walk in profile", "Metres above the sea, by distance walked", (0, 30, 60, 90, 120, 150)
    )
    points: list[Point] = [(_across(km, 6.2), height(metres)) for km, metres in PROFILE_M]
    crest = smooth(points)
    canvas.polygon([(PLOT[0], height(0)), *crest, (PLOT[2], height(0))], "#c9dcbc")
    canvas.line(crest, MOSS, 4)
    for kilometre in range(7):
        canvas.text((_across(kilometre, 6.2), height(0) + 22), f"{kilometre} km", 16, INK, "mm")
    stops = (
        (0, "Lowhaven", 14, 62),
        (3, "Old Mother", 0, 28),
        (5, "Northpoint", 34, 40),
        (7, "Cormorant Head", 34, 50),
        (8, "Seal Strand", 62, 50),
    )
    for index, name, right, rise in stops:
        x, y = points[index]
        canvas.line([(x, y), (x + right, y - rise + 12)], MUTED, 1.5)
        canvas.circle((x, y), 6, PAPER, MOSS, 3)
        canvas.text((x + right, y - rise), name, 17, INK, "mm" if index else "lm", bold=True, halo=PAPER)
    return canvas.finish()


def tide() -> Image.Image:
    """One day's tide, with the hours when the causeway is dry."""
    canvas, height = _frame("Midsummer Day at the Leck", "Height of the tide in metres, hour by hour", (0, 1, 2, 3, 4))
    curve = smooth([(_across(hour, 24), height(metres)) for hour, metres in TIDE_M], steps=40)
    canvas.polygon([(PLOT[0], height(0)), *curve, (PLOT[2], height(0))], "#bfdbe5")
    for low in _spans([point for point in curve if point[1] >= height(1.4)]):
        canvas.rect((low[0], PLOT[1], low[1], height(0)), (226, 171, 63, 80))
        canvas.text(((low[0] + low[1]) / 2, PLOT[1] + 22), "dry", 18, "#8a5a12", "mm", bold=True)
    canvas.line(curve, BLUE, 4)
    canvas.line([(PLOT[0], height(1.4)), (PLOT[2], height(1.4))], RED, 2, dash=9)
    canvas.text((_across(12, 24), height(1.4) + 18), "top of the stones", 16, RED, "mm", halo="#bfdbe5")
    for hour in range(0, 25, 3):
        canvas.text((_across(hour, 24), height(0) + 22), f"{hour:02d}:00", 16, INK, "mm")
    return canvas.finish()


def _spans(points: Sequence[Point]) -> list[tuple[float, float]]:
    """The runs of neighbouring points, each as its first and last x."""
    spans: list[tuple[float, float]] = []
    for x, _ in points:
        if spans and x - spans[-1][1] < 20:
            spans[-1] = (spans[-1][0], x)
        else:
            spans.append((x, x))
    return spans


def timeline() -> Image.Image:
    """Eight events on a line of years, above and below it in turn."""
    canvas = Canvas(1100, 520)
    canvas.title("Skarne Light, 1871 to 1996")
    canvas.line([(60, 290), (1040, 290)], INK, 4)
    for decade in range(1870, 2001, 10):
        canvas.line([(_year(decade), 282), (_year(decade), 298)], INK, 2)
    for index, (year, event) in enumerate(TIMELINE):
        x, above = _year(year), index % 2 == 0
        shift = {1871: 10, 1874: 36, 1991: -36, 1996: -20}.get(year, 0)
        reach = 168 if above else 412
        canvas.line([(x, 290), (x + shift, reach)], MUTED, 2)
        canvas.circle((x, 290), 9, RED if year == 1903 else GOLD, INK, 2)
        away = -1 if above else 1
        anchor = "mb" if above else "mt"
        canvas.text(
            (x + shift, reach + away * 6),
            event if above else str(year),
            17 if above else 21,
            INK,
            anchor,
            bold=not above,
        )
        canvas.text(
            (x + shift, reach + away * 34),
            str(year) if above else event,
            21 if above else 17,
            INK,
            anchor,
            bold=above,
        )
    return canvas.finish()


def _year(year: int) -> float:
    return 60 + (year - 1868) / 132 * 980


def light_pattern() -> Image.Image:
    """When the light is seen, over half a minute."""
    canvas = Canvas(960, 380, "#16263c")
    canvas.text((36, 40), "What a ship sees in half a minute", 25, "#f7f0dc", bold=True)
    canvas.text((36, 72), "Seconds along the bottom, brightness upward", 16, "#a9b8c8")
    base = 300.0
    for second in range(0, 31, 5):
        x = 70 + second * 27.5
        canvas.line([(x, base), (x, base + 9)], "#a9b8c8", 2)
        canvas.text((x, base + 30), f"{second} s", 17, "#f7f0dc", "mm")
    for second in (5, 15, 25):
        x = 70 + second * 27.5
        for reach, alpha in ((60, 28), (40, 45), (22, 80)):
            canvas.ellipse((x, base - 75), reach, reach * 1.4, (250, 220, 120, alpha))
        canvas.polygon([(x - 14, base), (x - 3, base - 165), (x + 3, base - 165), (x + 14, base)], "#ffe9a3")
    canvas.line([(70, base), (895, base)], "#f7f0dc", 3)
    return canvas.finish()


PAINTERS: dict[str, Painter] = {
    "air-and-sea": temperature,
    "light-pattern": light_pattern,
    "power-by-source": power,
    "puffin-burrows": burrows,
    "rainfall": rainfall,
    "seal-count": seals,
    "tide-at-the-leck": tide,
    "timeline": timeline,
    "walk-profile": walk_profile,
    "wind-rose": wind_rose,
}
