"""What a PDF page is made of, as far as the reader needs it: frozen data without any library.

Coordinates are points (1/72 inch) from the page's top left corner as it is displayed, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Never negative."""
        return max(self.right - self.left, 0.0)

    @property
    def height(self) -> float:
        """Never negative."""
        return max(self.bottom - self.top, 0.0)

    @property
    def area(self) -> float:
        """Square points."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def common(self, other: Box) -> Box:
        """What both cover; of no width or no height where that is nothing."""
        return Box(
            *(max(self.left, other.left), max(self.top, other.top)),
            *(min(self.right, other.right), min(self.bottom, other.bottom)),
        )

    def share_in(self, other: Box) -> float:
        """The share of this box that lies in `other`: 0 to 1. A line counts by its length."""
        grown = self.grown(0.01)
        return grown.common(other.grown(0.01)).area / grown.area

    def grown(self, by: float) -> Box:
        """With a margin."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether a point lies in it."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of one or more boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters that stand together in a line."""

    text: str
    box: Box
    size: float
    """Of the letters, in points."""
    bold: bool = False
    fixed: bool = False
    """Whether all letters have one width, as in code."""
    divided: bool = False
    """Whether it ends in a hyphen that divides a word at the line's end; the hyphen is not in `text`."""
    turn: int = 0
    """Quarters of a circle, clockwise, by which the letters are turned on the displayed page."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A path or a shading. `strokes` are its horizontal and vertical lines, as flat boxes."""

    box: Box
    kind: Literal["ruled", "shape", "shading"]
    """ruled: of horizontal and vertical lines alone; shape: with slanted lines or curves."""
    strokes: tuple[Box, ...] = ()
    filled: bool = False


class Image(NamedTuple):
    """A raster image on the page; `handle` is the library's."""

    box: Box
    handle: object
    axes: tuple[float, float, float, float]
    """Where its right and its upper edge lead to on the displayed page: (x, y) of the one, (x, y) of the other."""


def clusters(boxes: Sequence[Box], page: Box, reach: float) -> list[list[int]]:
    """The numbers of the boxes, grouped: those at most about `reach` apart are together.

    They are painted on a grid whose connected cells are a group, so that the time grows with the number of boxes, not
    with its square.
    """
    cell = max(reach / 3, page.width / 768, page.height / 768)
    columns, rows = int(page.width / cell) + 2, int(page.height / cell) + 2
    grid = np.zeros((rows, columns), dtype=bool)
    spans = []
    for box in (box.grown(reach / 3) for box in boxes):
        left, right = (min(max(int((x - page.left) / cell), 0), columns - 1) for x in (box.left, box.right))
        top, bottom = (min(max(int((y - page.top) / cell), 0), rows - 1) for y in (box.top, box.bottom))
        grid[top : bottom + 1, left : right + 1] = True
        spans.append((top, left))
    labels = _labels(grid)
    groups: dict[int, list[int]] = {}
    for number, (top, left) in enumerate(spans):
        groups.setdefault(int(labels[top, left]), []).append(number)
    return list(groups.values())


def _labels(grid: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """A number for each painted cell, the same for cells that touch, by their sides or corners."""
    labels = np.zeros(grid.shape, dtype=np.int64)
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    edges = np.diff(np.pad(grid, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    for row in np.flatnonzero(grid.any(axis=1)).tolist():
        starts, ends = np.flatnonzero(edges[row] == 1).tolist(), np.flatnonzero(edges[row] == -1).tolist()
        for start, end in zip(starts, ends, strict=True):
            above = labels[row - 1, max(start - 1, 0) : end + 1] if row else labels[row, :0]
            touched = sorted({root(int(label)) for label in set(above[above > 0].tolist())})
            label = touched[0] if touched else len(parents)
            if not touched:
                parents.append(label)
            for other in touched[1:]:
                parents[other] = label
            labels[row, start:end] = label
    return np.array([root(label) for label in range(len(parents))])[labels]
