"""Charts by kind, with their trend and topic in the caption."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from training.draw.ink import NUMBERS, Colour, Rgb, article, colour, colours, disk, font, font_files, listed

_TOPICS = (
    "rainfall by month",
    "sales by quarter",
    "population growth",
    "temperature over time",
    "monthly revenue",
    "energy use",
    "test scores",
    "website visits",
    "prices",
    "survey answers",
    "market share",
    "heart rate",
    "speed and distance",
    "brightness",
    "income by age",
    "exports by country",
    "number of stars",
    "error rate",
    "memory use",
    "wind speed",
    "crop yield",
    "passengers per year",
    "budget by department",
    "water level",
)
INKS = (
    "red",
    "blue",
    "green",
    "orange",
    "purple",
    "light blue",
    "yellow",
    "turquoise",
    "brown",
    "gray",
    "black",
    "pink",
    "dark blue",
    "maroon",
    "light green",
)


@dataclass
class Plot:
    """A picture with room for data between margins, and the helpers every chart needs."""

    picture: Image.Image
    pen: ImageDraw.ImageDraw
    box: tuple[float, float, float, float]
    ink: Rgb
    ground: Colour

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixel of a data point with both coordinates from 0 to 1."""
        left, top, right, bottom = self.box
        return (left + x * (right - left), bottom - y * (bottom - top))


def plot(rng: Random, topic: str) -> Plot:
    """An empty picture with a title, mostly."""
    dark = rng.random() < 0.12
    ground = colour(rng, rng.choice(("black", "dark blue")) if dark else "white")
    size = rng.choice(((320, 240), (320, 240), (300, 300), (360, 220)))
    picture = Image.new("RGB", size, ground.rgb)
    pen, ink = ImageDraw.Draw(picture), (235, 235, 235) if dark else (30, 30, 30)
    titled = rng.random() < 0.6
    if titled:
        pen.text((size[0] / 2, 14), topic.capitalize(), fill=ink, font=font(font_files()[0], 15), anchor="mm")
    return Plot(picture, pen, (38, 30 if titled else 14, size[0] - 14, size[1] - 28), ink, ground)


def axes(rng: Random, chart: Plot) -> None:
    """Axes with ticks and numbers, sometimes a grid."""
    left, top, right, bottom = chart.box
    if rng.random() < 0.5:
        for step in range(1, 6):
            y = bottom - (bottom - top) * step / 5
            chart.pen.line((left, y, right, y), fill=(190, 190, 190), width=1)
    chart.pen.line([(left, top), (left, bottom), (right, bottom)], fill=chart.ink, width=2)
    small = font(font_files()[0], 9)
    for step in range(6):
        y, x = bottom - (bottom - top) * step / 5, left + (right - left) * step / 5
        chart.pen.text((left - 4, y), str(step * rng.choice((1, 2, 10, 20))), fill=chart.ink, font=small, anchor="rm")
        chart.pen.text((x, bottom + 4), str(step), fill=chart.ink, font=small, anchor="mt")


_TRENDS: dict[str, tuple[tuple[str, ...], Callable[[float], float]]] = {
    "rise": (("rising", "increasing", "that goes up", "growing over time"), lambda t: 0.1 + 0.75 * t),
    "fall": (("falling", "decreasing", "that goes down", "declining"), lambda t: 0.85 - 0.75 * t),
    "flat": (("staying level", "that is flat", "nearly constant"), lambda t: 0.5),
    "peak": (("that rises then falls", "with a peak in the middle"), lambda t: 0.1 + 0.75 * math.sin(math.pi * t)),
    "valley": (
        ("that falls then rises", "with a dip in the middle", "shaped like a U"),
        lambda t: 0.85 - 0.75 * math.sin(math.pi * t),
    ),
    "wave": (("going up and down", "like a wave", "that oscillates"), lambda t: 0.5 + 0.33 * math.sin(6 * math.pi * t)),
    "exponential": (("growing exponentially", "that rises ever faster"), lambda t: 0.06 + 0.85 * t**3.2),
    "saturating": (("that rises quickly then levels off",), lambda t: 0.08 + 0.8 * (1 - math.exp(-5 * t))),
}


def _noisy(rng: Random, shape: Callable[[float], float], t: float, noise: float) -> float:
    return max(0.03, min(0.97, shape(t) + rng.gauss(0, noise)))


def line_chart(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """One to three lines."""
    chart = plot(rng, topic)
    axes(rng, chart)
    count, told, noise = rng.choice((1, 1, 1, 2, 3)), [], rng.choice((0.0, 0.03))
    for paint in colours(rng, count, tuple(n for n in INKS if n != chart.ground.name)):
        words, shape = rng.choice(tuple(_TRENDS.values()))
        points = [chart.at(i / 24, _noisy(rng, shape, i / 24, noise)) for i in range(25)]
        chart.pen.line(points, fill=paint.rgb, width=rng.choice((2, 3, 4)), joint="curve")
        if rng.random() < 0.25:
            for point in points[::3]:
                disk(chart.pen, point, 4, paint.rgb)
        told.append((paint.word, rng.choice(words)))
    noun = rng.choice(("line chart", "line graph", "graph", "curve"))
    if count == 1:
        word, trend = told[0]
        return chart.picture, rng.choice(
            (f"a {noun} {trend}", f"a {noun} with a {word} line {trend}", f"a {noun}", f"a {word} line {trend}")
        )
    lines = rng.choice((f"{NUMBERS[count]} lines", listed([f"a {word} line {trend}" for word, trend in told])))
    return chart.picture, f"a {noun} with {lines}"


def bar_chart(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """Bars upright or across: single, grouped or stacked."""
    chart = plot(rng, topic)
    count, across = rng.randint(3, 9), rng.random() < 0.3
    kind = rng.choice(("", "", "", "stacked ", "grouped "))
    if not across:
        axes(rng, chart)
    series = colours(rng, 3 if kind else 1, tuple(n for n in INKS if n != chart.ground.name))
    words, shape = rng.choice(tuple(_TRENDS.values()))
    trend = rng.random() < 0.5
    for index in range(count):
        value = _noisy(rng, shape, index / (count - 1), 0.03) if trend else rng.uniform(0.15, 0.95)
        _bar(chart, series, rng, kind=kind, across=across, start=index / count, wide=0.75 / count, value=value)
    direction = "horizontal " if across else rng.choice(("", "", "vertical "))
    noun, paint = (
        rng.choice(("bar chart", "bar graph", "bar chart", "column chart" if not across else "bar chart")),
        series[0].word,
    )
    head = f"{direction}{kind}{noun}"
    return chart.picture, rng.choice(
        (
            article(head),
            f"a {head} with {NUMBERS[count]} bars",
            f"a {head} with {paint} bars" if not kind else article(head),
            f"a {head} with bars {words[0]}" if trend and not across else article(head),
        )
    )


def _bar(
    chart: Plot, series: list[Colour], rng: Random, *, kind: str, across: bool, start: float, wide: float, value: float
) -> None:
    parts = len(series)
    for index, paint in enumerate(series):
        if kind == "grouped ":
            low, high, first, step = 0.0, value * rng.uniform(0.5, 1), start + wide * index / parts, wide / parts
        else:
            low, high, first, step = value * index / parts, value * (index + 1) / parts, start, wide
        one, two = ((low, first), (high, first + step)) if across else ((first, low), (first + step, high))
        (x0, y0), (x1, y1) = chart.at(*one), chart.at(*two)
        chart.pen.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=paint.rgb)


def pie_chart(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """A pie or a ring with slices."""
    chart = plot(rng, topic)
    count = rng.randint(2, 7)
    parts = [rng.uniform(0.3, 1) for _ in range(count)]
    if rng.random() < 0.3:
        parts[0] = sum(parts)
    paints = colours(rng, count, tuple(n for n in INKS if n != chart.ground.name))
    left, top, right, bottom = chart.box
    centre, radius, angle = ((left + right) / 2, (top + bottom) / 2), (bottom - top) / 2, -90.0
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    for part, paint in zip(parts, paints, strict=True):
        end = angle + 360 * part / sum(parts)
        chart.pen.pieslice(box, angle, end, fill=paint.rgb, outline=chart.ground.rgb)
        angle = end
    noun = rng.choice(("pie chart", "pie chart", "circle chart"))
    if rng.random() < 0.25:
        disk(chart.pen, centre, radius * 0.5, chart.ground.rgb)
        noun = rng.choice(("donut chart", "ring chart"))
    largest = paints[max(range(count), key=parts.__getitem__)].word
    return chart.picture, rng.choice(
        (
            f"a {noun}",
            f"a {noun} with {NUMBERS[count]} slices",
            f"a {noun}, the largest slice is {largest}",
            f"a {noun} of {listed([p.word for p in paints])}",
        )
    )


def scatter_plot(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """Dots with a trend, without one, or in clusters."""
    chart = plot(rng, topic)
    axes(rng, chart)
    kind = rng.choice(("positive", "negative", "none", "clusters"))
    (paint, other, third) = colours(rng, 3, tuple(n for n in INKS if n != chart.ground.name))
    middles = [(rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85)) for _ in range(3)]
    for index in range(rng.randint(25, 120)):
        x = rng.uniform(0.04, 0.96)
        y = {"positive": x, "negative": 1 - x}.get(kind, rng.uniform(0.05, 0.95)) + rng.gauss(0, 0.07)
        ink = paint
        if kind == "clusters":
            (mx, my), ink = middles[index % 3], (paint, other, third)[index % 3]
            x, y = mx + rng.gauss(0, 0.06), my + rng.gauss(0, 0.06)
        disk(chart.pen, chart.at(x, max(0.03, min(0.97, y))), 3, ink.rgb)
    told = {"positive": ("with a positive correlation", "with points rising to the right"),
            "negative": ("with a negative correlation", "with points falling to the right"),
            "none": ("without any correlation", "with points all over"),
            "clusters": ("with three clusters", "with groups of points in different colors")}[kind]  # fmt: skip
    noun = rng.choice(("scatter plot", "scatter plot", "scatter chart", "plot of points", "scatter diagram"))
    return chart.picture, rng.choice(
        (
            f"a {noun} {rng.choice(told)}",
            f"a {noun}",
            f"a {noun} of {paint.word} dots {told[0]}" if kind != "clusters" else f"a {noun} {told[1]}",
        )
    )


def histogram(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """Touching bars in the form of a distribution."""
    chart = plot(rng, topic)
    axes(rng, chart)
    (paint,), bins = colours(rng, 1, tuple(n for n in INKS if n != chart.ground.name)), rng.randint(12, 26)
    forms: dict[str, Callable[[float], float]] = {
        "bell-shaped": lambda t: 0.9 * math.exp(-((t - 0.5) ** 2) / 0.035),
        "skewed to the right": lambda t: 0.9 * math.exp(-t * 3.5),
        "skewed to the left": lambda t: 0.9 * math.exp(-(1 - t) * 3.5),
        "uniform": lambda t: 0.6,
        "with two peaks": lambda t: 0.85 * (math.exp(-((t - 0.25) ** 2) / 0.01) + math.exp(-((t - 0.75) ** 2) / 0.01)),
    }
    name, form = rng.choice(tuple(forms.items()))
    for index in range(bins):
        height = max(0.01, min(0.97, form((index + 0.5) / bins) * rng.uniform(0.85, 1.1)))
        (x0, y0), (x1, y1) = chart.at(index / bins, 0), chart.at((index + 1) / bins, height)
        chart.pen.rectangle((x0, y1, x1, y0), fill=paint.rgb, outline=chart.ground.rgb)
    return chart.picture, rng.choice(
        ("a histogram", f"a histogram {name}", f"a {paint.word} histogram", f"a distribution {name}, shown as bars")
    )


def area_chart(rng: Random, topic: str) -> tuple[Image.Image, str]:
    """Filled regions under curves."""
    chart = plot(rng, topic)
    axes(rng, chart)
    count = rng.choice((1, 1, 2, 3))
    words, shape = rng.choice(tuple(_TRENDS.values()))
    paints = colours(rng, count, tuple(n for n in INKS if n != chart.ground.name))
    for index, paint in enumerate(paints):
        share = (count - index) / count
        curve = [chart.at(i / 24, share * _noisy(rng, shape, i / 24, 0.01)) for i in range(25)]
        chart.pen.polygon([chart.at(0, 0), *curve, chart.at(1, 0)], fill=paint.rgb)
    noun = "area chart" if count == 1 else "stacked area chart"
    return chart.picture, rng.choice(
        (
            article(noun),
            f"{article(noun)} {rng.choice(words)}",
            f"{article(noun)} in {listed([p.word for p in paints])}",
        )
    )


_KINDS = (line_chart, line_chart, bar_chart, bar_chart, pie_chart, scatter_plot, histogram, area_chart)


def draw(rng: Random) -> tuple[Image.Image, str]:
    """A chart and its caption, which names the topic now and then."""
    topic = rng.choice(_TOPICS)
    picture, told = rng.choice(_KINDS)(rng, topic)
    if rng.random() < 0.3:
        told = rng.choice((f"{told} of {topic}", f"{topic}: {told}", f"{told} showing {topic}"))
    return picture, told
