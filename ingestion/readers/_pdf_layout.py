"""Reading order: pieces of text become lines, column by column. Pure.

A column is found by the empty strip beside it: few lines may cross it, and on both sides there must be prose. Lines
that cross divide the page into bands; in each band the columns are read one after the other. Where no strip is found,
lines are read from top to bottom.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ingestion.readers._pdf_parts import Box, Piece, around

_STRIP: Final = 6.0
"""Points. The least width of the strip between columns."""
_CROSSING: Final = 0.3
"""At most this share of the pieces may cross the strip."""
_FEWEST: Final = 3
"""Lines that a column has at least."""
_PROSE: Final = 14.0
"""Characters that a line of a column has at least, in the mean; fewer are cells of a table, or labels."""
_FULL: Final = 0.35
"""The share of a column's width that its lines fill at least, in the median."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `cells` are its pieces, where gaps divide them as in a table; one else."""

    cells: tuple[str, ...]
    box: Box
    size: float
    bold: bool
    fixed: bool
    divided: bool
    column: int
    """The number of the run of lines that are read from top to bottom. It rises in reading order."""
    right: float
    """Where the lines of that run end, at most."""
    left: float
    """Where they begin, at least."""

    @property
    def text(self) -> str:
        """The whole line."""
        return " ".join(self.cells)


def ordered(pieces: Sequence[Piece]) -> list[Line]:
    """The lines of a page in reading order. Turned text is read as if the page were turned, the most of it first."""
    lines: list[Line] = []
    turns = sorted(
        {piece.turn for piece in pieces}, key=lambda turn: -sum(len(p.text) for p in pieces if p.turn == turn)
    )
    for turn in turns:
        first = lines[-1].column + 1 if lines else 0
        runs = _runs([piece for piece in pieces if piece.turn == turn])
        lines += [line for column, run in enumerate(runs, first) for line in _lines(run, column, turn)]
    return lines


def _upright(box: Box, turn: int) -> Box:
    """A box as it lies where the page is turned back by `turn` quarters."""
    left, top, right, bottom = box
    return (
        box,
        Box(top, -right, bottom, -left),
        Box(-right, -bottom, -left, -top),
        Box(-bottom, left, -top, right),
    )[turn]


def _runs(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces that are read from top to bottom, run by run in reading order."""
    if not pieces:
        return []
    strip = _strip([_upright(piece.box, piece.turn) for piece in pieces], [len(piece.text) for piece in pieces])
    if strip is None:
        return [pieces]
    ends_right = _right_to_left("".join(piece.text for piece in pieces))
    runs: list[list[Piece]] = []
    first: list[Piece] = []
    second: list[Piece] = []
    crossing: list[Piece] = []

    def close() -> None:
        for column in (second, first) if ends_right else (first, second):
            runs.extend(_runs(list(column)))
            column.clear()

    for piece in sorted(pieces, key=lambda piece: _upright(piece.box, piece.turn).top):
        box = _upright(piece.box, piece.turn)
        if box.left < strip < box.right:
            close()
            crossing.append(piece)
            continue
        if crossing and box.top > max(_upright(one.box, one.turn).centre[1] for one in crossing[-3:]):
            runs.append(list(crossing))
            crossing.clear()
        (first if box.right <= strip else second).append(piece)
    if crossing:
        runs.append(crossing)
    close()
    return runs


def _strip(boxes: Sequence[Box], letters: Sequence[int]) -> float | None:
    """The x of the empty strip that divides two columns; None where there is none."""
    if len(boxes) < 2 * _FEWEST:
        return None
    area = around(boxes)
    width = int(area.width) + 2
    lefts = np.array([box.left - area.left for box in boxes])
    rights = np.array([box.right - area.left for box in boxes])
    places = np.arange(width)
    ended = np.searchsorted(np.sort(rights), places - _STRIP / 2, side="right")
    begun = len(boxes) - np.searchsorted(np.sort(lefts), places + _STRIP / 2, side="left")
    crossing = len(boxes) - ended - begun
    allowed = (np.minimum(ended, begun) >= _FEWEST) & (crossing <= _CROSSING * len(boxes))
    worth = np.where(allowed, np.minimum(ended, begun) - 3.0 * crossing, -np.inf)
    for place in dict.fromkeys(np.argsort(-worth, kind="stable")[:40].tolist()):
        if worth[place] == -np.inf:
            return None
        if _columns(boxes, letters, lefts, rights, float(place)):
            return area.left + float(place)
    return None


def _columns(
    boxes: Sequence[Box],
    letters: Sequence[int],
    lefts: np.ndarray[tuple[int], np.dtype[np.float64]],
    rights: np.ndarray[tuple[int], np.dtype[np.float64]],
    place: float,
) -> bool:
    """Whether prose stands on both sides of `place`, beside each other."""
    sides = [np.flatnonzero(rights <= place), np.flatnonzero(lefts >= place)]
    spans = []
    for side in sides:
        if len(side) < _FEWEST:
            return False
        column = around(boxes[int(number)] for number in side)
        widths = sorted(boxes[int(number)].width for number in side)
        if widths[len(widths) // 2] < _FULL * column.width:
            return False
        if sum(letters[int(number)] for number in side) < _PROSE * len(side):
            return False
        spans.append((column.top, column.bottom))
    beside = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
    height = float(np.median([box.height for box in boxes]))
    return beside >= (_FEWEST - 1) * height


def _lines(pieces: list[Piece], column: int, turn: int) -> list[Line]:
    """Lines from top to bottom; what stands at the same height is one line."""
    boxes = [_upright(piece.box, turn) for piece in pieces]
    area = around(boxes)
    rows: list[list[tuple[Box, Piece]]] = []
    for box, piece in sorted(
        zip(boxes, pieces, strict=True), key=lambda pair: (pair[0].top + pair[0].bottom, pair[0].left)
    ):
        if rows and _level(rows[-1], box):
            rows[-1].append((box, piece))
        else:
            rows.append([(box, piece)])
    return [_line(row, column, area) for row in rows]


def _level(row: Sequence[tuple[Box, Piece]], box: Box) -> bool:
    """Whether a box stands at the height of a row, and beside what the row has."""
    tallest = max((one for one, _ in row), key=lambda one: one.height)
    common = min(tallest.bottom, box.bottom) - max(tallest.top, box.top)
    if common < 0.5 * min(tallest.height, box.height):
        return False
    return all(min(one.right, box.right) - max(one.left, box.left) < 0.5 * min(one.width, box.width) for one, _ in row)


def _line(row: list[tuple[Box, Piece]], column: int, area: Box) -> Line:
    words = "".join(piece.text for _, piece in row)
    row.sort(key=lambda pair: pair[0].left, reverse=_right_to_left(words))
    longest = max((piece for _, piece in row), key=lambda piece: len(piece.text))
    cells = [row[0][1].text]
    for (before, _), (box, piece) in pairwise(row):
        gap = max(box.left - before.right, before.left - box.right)
        if gap > 1.2 * longest.size or "|" in (cells[-1], piece.text):
            cells.append(piece.text)
        else:
            spaced = gap > 0.15 * longest.size or _turns(cells[-1][-1], piece.text[0])
            cells[-1] += (" " if spaced else "") + piece.text
    return Line(
        *(tuple(cells), around(box for box, _ in row), longest.size),
        bold=all(piece.bold for _, piece in row),
        fixed=all(piece.fixed for _, piece in row),
        divided=row[-1][1].divided,
        column=column,
        right=area.right,
        left=area.left,
    )


def _turns(before: str, after: str) -> bool:
    """Whether the direction of writing changes between two letters: then the space between them is not drawn."""
    return before.isalpha() and after.isalpha() and _right_to_left(before) != _right_to_left(after)


def _right_to_left(text: str) -> bool:
    """Whether most letters of a text are written from right to left."""
    directions = [unicodedata.bidirectional(char) for char in text]
    return directions.count("R") + directions.count("AL") > directions.count("L")
