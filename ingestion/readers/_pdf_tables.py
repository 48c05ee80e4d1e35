"""Ruled tables of a page: the lines that are drawn make cells, the text that stands in them makes rows. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ingestion.readers._pdf_layout import Line, ordered
from ingestion.readers._pdf_parts import Box, Drawing, Piece, around, clusters

_SNAP: Final = 3.0
"""Points. Lines nearer to each other are one."""
_SHORTEST: Final = 6.0
"""Points. Shorter lines do not divide cells."""
_FILLED: Final = 0.4
"""The share of a table's cells that hold text at least; a chart's grid is emptier."""
_MAX_LINES: Final = 200
"""Columns or rows of a grid; more are graph paper."""


@dataclass(frozen=True)
class Table:
    """A table: its box, its rows of cells, and the numbers of the pieces that it has taken."""

    box: Box
    rows: tuple[tuple[str, ...], ...]
    pieces: frozenset[int]


def strokes(drawings: Iterable[Drawing]) -> list[Box]:
    """The horizontal and vertical lines that may divide cells."""
    return [
        stroke
        for drawing in drawings
        for stroke in drawing.strokes
        if max(stroke.right - stroke.left, stroke.bottom - stroke.top) >= _SHORTEST
    ]


def upright_rules(lines: Iterable[Box]) -> list[Box]:
    """The vertical ones of some lines."""
    return [line for line in lines if line.bottom - line.top > line.right - line.left]


def tables(lines: Sequence[Box], pieces: Sequence[Piece], page: Box) -> list[Table]:
    """The ruled tables of a page, from top to bottom."""
    if not lines or not pieces:
        return []
    found = []
    for group in clusters(lines, page, _SNAP):
        if len(group) >= 4 and (table := _table([lines[number] for number in group], pieces)):
            found.append(table)
    return sorted(found, key=lambda table: table.box.top)


def _table(lines: Sequence[Box], pieces: Sequence[Piece]) -> Table | None:
    upright = [line for line in lines if line.bottom - line.top > line.right - line.left]
    lying = [line for line in lines if line.bottom - line.top <= line.right - line.left]
    if not upright or len(lying) < 2:
        return None
    box = around(lines)
    columns = _snapped([line.left for line in upright] + [box.left, box.right])
    rows = _snapped([line.top for line in lying] + [box.top, box.bottom])
    if not (3 <= len(columns) <= _MAX_LINES and 2 <= len(rows) <= _MAX_LINES):
        return None
    cells: dict[tuple[int, int], list[int]] = {}
    for number, piece in enumerate(pieces):
        x, y = piece.box.centre
        if box.holds((x, y)) and piece.turn == 0:
            cells.setdefault((bisect_right(rows, y) - 1, bisect_right(columns, x) - 1), []).append(number)
    taken = frozenset(number for numbers in cells.values() for number in numbers)
    across = {column for _, column in cells}
    if len(across) < 2 or len(cells) < _FILLED * (len(columns) - 1) * (len(rows) - 1):
        return None
    told = []
    for row in range(len(rows) - 1):
        told += _row([cells.get((row, column), []) for column in range(len(columns) - 1)], pieces)
    return Table(box, tuple(told), taken) if len(told) > 1 or len(across) > 2 else None


def _snapped(values: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > _SNAP:
            kept.append(value)
    return kept


def _row(cells: Sequence[Sequence[int]], pieces: Sequence[Piece]) -> list[tuple[str, ...]]:
    """The rows of a band between two lines: one, or where its lines of text stand side by side in most columns, one a
    line of text: such a table has lines between its columns alone."""
    texts = [ordered([pieces[number] for number in cell]) for cell in cells]
    filled = [lines for lines in texts if lines]
    if not filled:
        return []
    if (
        len(filled) > 1
        and min(map(len, filled)) >= 3
        and len({len(lines) for lines in filled}) == 1
        and _side_by_side(filled)
    ):
        return [tuple(lines[number].text if lines else "" for lines in texts) for number in range(len(filled[0]))]
    return [tuple(_joined(lines) for lines in texts)]


def _side_by_side(columns: Sequence[Sequence[Line]]) -> bool:
    return all(
        abs(line.box.top - first.box.top) < 0.5 * max(first.size, 1.0)
        for lines in columns[1:]
        for line, first in zip(lines, columns[0], strict=True)
    )


def _joined(lines: Sequence[Line]) -> str:
    text = lines[0].text if lines else ""
    for before, line in pairwise(lines):
        text += line.text if before.divided else f" {line.text}"
    return text
