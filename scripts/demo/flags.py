"""The signal flags of the island, and the mast that they hang from."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image

from .canvas import GOLD, GREEN, INK, MUTED, NAVY, RED, WHITE, Canvas, Painter, Point, polar, smooth

FLAG_WIDTH, FLAG_HEIGHT = 210, 140
Field = Callable[[Canvas, float, float], None]
"""Draws one flag with its top left corner at (x, y)."""


def _cloth(canvas: Canvas, x: float, y: float, colour: str) -> None:
    canvas.rect((x, y, x + FLAG_WIDTH, y + FLAG_HEIGHT), colour)


def _tern(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, WHITE)
    canvas.rect((x, y + 70, x + FLAG_WIDTH, y + FLAG_HEIGHT), NAVY)
    canvas.circle((x + 105, y + 70), 38, RED)


def _seal(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#f2c230")
    canvas.polygon([(x + 105, y + 14), (x + 182, y + 70), (x + 105, y + 126), (x + 28, y + 70)], "#16181c")


def _limpet(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#c8342c")
    for radius, colour in ((56, WHITE), (42, "#c8342c"), (28, WHITE), (14, "#c8342c")):
        canvas.circle((x + 105, y + 70), radius, colour)


def _mackerel(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#2e7d5b")
    for band in (22, 66, 110):
        crest: list[Point] = [(x + i * 6, y + band + 9 * math.sin(i * 0.55)) for i in range(36)]
        canvas.polygon([*((a, b - 8) for a, b in crest), *((a, b + 8) for a, b in reversed(crest))], WHITE)


def _eider(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#8fc7e8")
    canvas.ellipse((x + 105, y + 70), 36, 50, WHITE)


def _crab(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#e8792b")
    teeth: list[Point] = [(x + i * 30, y + (40 if i % 2 else 92)) for i in range(8)]
    canvas.polygon([*teeth, (x + FLAG_WIDTH, y + FLAG_HEIGHT), (x, y + FLAG_HEIGHT)], WHITE)


def _urchin(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#5b3a86")
    burst = [polar((x + 105, y + 70), 58 if i % 2 == 0 else 22, i * 15) for i in range(24)]
    canvas.polygon(burst, "#f2c230")


def _otter(canvas: Canvas, x: float, y: float) -> None:
    _cloth(canvas, x, y, "#6b4a2f")
    for left in (42, 126):
        canvas.rect((x + left, y, x + left + 42, y + FLAG_HEIGHT), "#f1e3c2")


FLAGS: dict[str, Field] = {
    "Tern": _tern,
    "Seal": _seal,
    "Limpet": _limpet,
    "Mackerel": _mackerel,
    "Eider": _eider,
    "Crab": _crab,
    "Urchin": _urchin,
    "Otter": _otter,
}


def signal_flags() -> Image.Image:
    """Eight flags in two rows, each with its name below."""
    canvas = Canvas(1060, 520, "#f4f1e8")
    for index, (name, draw) in enumerate(FLAGS.items()):
        x, y = 44 + index % 4 * 254, 44 + index // 4 * 236
        canvas.rect((x + 5, y + 6, x + FLAG_WIDTH + 5, y + FLAG_HEIGHT + 6), (0, 0, 0, 36))
        draw(canvas, x, y)
        canvas.rect((x, y, x + FLAG_WIDTH, y + FLAG_HEIGHT), None, INK, 2)
        canvas.text((x + FLAG_WIDTH / 2, y + FLAG_HEIGHT + 34), name, 24, INK, "mm", bold=True)
    return canvas.finish()


def signal_mast() -> Image.Image:
    """A mast with three places for a flag; what each means is written beside it."""
    canvas = Canvas(760, 820, "#dbeaf0")
    canvas.polygon([*smooth([(0, 740), (190, 712), (400, 726), (760, 736)]), (760, 820), (0, 820)], GREEN)
    canvas.rect((232, 90, 248, 735), "#7a5636", INK, 2)
    canvas.circle((240, 84), 13, GOLD, INK, 2)
    canvas.line([(130, 170), (350, 170)], "#7a5636", 9)
    canvas.line([(258, 120), (258, 700), (248, 712)], MUTED, 2)
    for y, meaning, colour in ((190, "At once", RED), (375, "Today", "#f2c230"), (560, "When you can", WHITE)):
        canvas.polygon([(258, y), (420, y + 12), (420, y + 112), (258, y + 100)], colour, INK, 2)
        canvas.line([(430, y + 58), (500, y + 58)], INK, 2)
        canvas.text((514, y + 58), meaning, 25, INK, bold=True)
    canvas.text((36, 42), "Where on the mast?", 26, bold=True)
    return canvas.finish()


PAINTERS: dict[str, Painter] = {"signal-flags": signal_flags, "signal-mast": signal_mast}
