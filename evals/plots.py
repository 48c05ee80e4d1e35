"""Plots as inline SVG: pure functions from numbers to markup. Colours are CSS classes, so that light and dark work.

Every text is escaped; every plot tells in `aria-label` what it shows, and prints its values beside its marks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from markupsafe import Markup

from evals.compare import Difference
from evals.statistics import SAME

__all__ = ["bars", "histogram", "intervals"]

_WIDTH: Final = 800
_LABEL: Final = 230
"""Room for the words to the left of a plot."""
_VALUE: Final = 210
"""Room for the numbers to its right."""
_LETTERS: Final = 27
_RUN_LETTERS: Final = 17
"""Longer words are cut; the whole stands in a tooltip, and in the label that is read aloud."""
_BINS: Final = 20


def intervals(differences: Sequence[Difference], colours: Mapping[str, int]) -> Markup:
    """Mean differences with their 95 % intervals about a line at 0; `colours`: run → number of its colour."""
    reach = max([SAME, *(max(abs(each.low), abs(each.high)) for each in differences)]) * 1.05
    step = _step(reach)
    row = 30
    height = row * len(differences) + 26

    def x(value: float) -> float:
        return _LABEL + (_WIDTH - _LABEL - _VALUE) * (value / reach + 1) / 2

    parts = [_line("zero", x(0), 4, x(0), height - 22)]
    for number in range(-int(reach / step), int(reach / step) + 1):
        told = f"{number * step:+.10g}" if number else "0"
        parts.append(_text("tick", x(number * step), height - 6, told, "middle"))
        parts.append(_line("grid", x(number * step), 4, x(number * step), height - 22))
    for number, each in enumerate(differences):
        y = row * number + row / 2 + 4
        colour = f"run{colours[each.run]}"
        parts += [
            _label(y, f"{each.measure} · {each.run}"),
            _line(f"whisker {colour}", x(each.low), y, x(each.high), y),
            Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5.5"/>').format(colour, x(each.difference), y),
            _text("value", _WIDTH - _VALUE + 12, y + 4, f"{each.difference:+.4f}"),
        ]
    told = "; ".join(
        f"{d.run}, {d.measure}: {d.difference:+.4f}, from {d.low:+.4f} to {d.high:+.4f}" for d in differences
    )
    return _svg(height, f"Mean differences with 95 % intervals. {told}", parts)


def bars(
    groups: Mapping[str, Mapping[str, float]],
    colours: Mapping[str, int],
    *,
    what: str,
    form: str = "{:.4f}",
    reach: float | None = None,
    ends: Mapping[str, Mapping[str, float]] | None = None,
) -> Markup:
    """Group → run → value as bars from 0 to `reach` (the greatest value); `ends` draws a whisker to a second value."""
    ends = ends or {}
    values = [value for rows in (*groups.values(), *ends.values()) for value in rows.values()]
    reach = reach or max([SAME, *values])
    row, gap, y = 22, 14, 4.0
    parts, told = [], []
    for group, rows in groups.items():
        parts.append(_label(y + row * len(rows) / 2, group))
        for run, value in rows.items():
            colour = f"run{colours[run]}"
            end = ends.get(group, {}).get(run, value)
            width, far = (max(0.0, (_WIDTH - _LABEL - _VALUE) * each / reach) for each in (value, end))
            parts.append(
                Markup('<rect class="bar {}" x="{}" y="{:.1f}" width="{:.1f}" height="{}" rx="2"/>').format(
                    colour, _LABEL, y + 2, width, row - 4
                )
            )
            if far > width:
                parts.append(_line(f"whisker thin {colour}", _LABEL + width, y + row / 2, _LABEL + far, y + row / 2))
            parts.append(
                _text(
                    "value",
                    _LABEL + max(width, far) + 7,
                    y + row / 2 + 4,
                    f"{form.format(value)}  {_cut(run, _RUN_LETTERS)}",
                )
            )
            told.append(f"{group}, {run}: {form.format(value)}")
            y += row
        y += gap
    return _svg(y, f"{what}. {'; '.join(told)}", parts)


def histogram(difference: Difference) -> Markup:
    """How many queries gained and lost how much; the equal ones, often most, are told in words and not drawn."""
    values = np.array(difference.by_query)
    moved = values[np.abs(values) > SAME]
    reach = float(np.abs(moved).max()) if len(moved) else 1.0
    # An even number of bins over a symmetric range: 0 is an edge, so that no bar mixes gains and losses.
    counts, edges = np.histogram(moved, bins=_BINS, range=(-reach, reach))
    height, base, left = 190.0, 156.0, 24.0
    step = (_WIDTH - 2 * left) / _BINS
    tallest = max(1, int(counts.max()))
    parts = [_line("axis", left, base, _WIDTH - left, base), _line("zero", _WIDTH / 2, 8, _WIDTH / 2, base)]
    for number, count in enumerate(counts):
        if count:
            tall = (base - 30) * count / tallest
            parts.append(
                Markup(
                    '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2">'
                    "<title>{:+.2f} to {:+.2f}: {}</title></rect>"
                ).format(
                    "gain" if number >= _BINS // 2 else "loss",
                    left + step * number + 1.5,
                    base - tall,
                    step - 3,
                    tall,
                    edges[number],
                    edges[number + 1],
                    count,
                )
            )
            parts.append(_text("count", left + step * (number + 0.5), base - tall - 5, str(count), "middle"))
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        value = share * reach
        anchor = "start" if share == -1 else "end" if share == 1 else "middle"
        x = left + (_WIDTH - 2 * left) * (share + 1) / 2
        parts.append(_text("tick", x, base + 20, f"{value:+.2f}" if value else "0", anchor))
    told = f"{difference.wins} queries gained, {difference.losses} lost, {difference.ties} are equal"
    return _svg(height, f"Differences by query of {difference.run} by {difference.measure}: {told}", parts)


def _step(reach: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that divides `reach` into three ticks or fewer."""
    power = 10.0 ** math.floor(math.log10(reach / 3))
    return next(factor * power for factor in (1, 2, 5, 10) if reach / (factor * power) < 4)


def _svg(height: float, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, height, label, Markup("").join(parts)
    )


def _label(y: float, words: str) -> Markup:
    return Markup('<text class="label" x="{}" y="{:.1f}" text-anchor="end"><title>{}</title>{}</text>').format(
        _LABEL - 12, y + 4, words, _cut(words, _LETTERS)
    )


def _cut(words: str, letters: int) -> str:
    return words if len(words) <= letters else words[: letters - 1] + "…"


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, words)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)
