"""What spreadsheets share, whatever file they come from: finding the tables among the cells of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from ingestion.readers._builder import Builder
from ingestion.readers._tables import add_table

MAX_CELLS: Final = 5_000_000
"""Cells looked at in one file, the empty ones between others among them, and rows: a minute or so."""
MAX_CHARACTERS: Final = 50_000_000
"""Of the cells of one file: a few bytes of a file repeat a long text as often as there are cells."""
MAX_ROWS: Final = 1_100_000
"""Rows looked at in one sheet: all that Excel can have."""
_LABEL: Final = 120

Region: TypeAlias = "tuple[int, Callable[[], None]]"


def add_regions(rows: Iterable[Sequence[str]], where: str, builder: Builder) -> Iterator[Region]:
    """(first row, a function that adds it) of each stretch of rows without a blank one, so that a caller can put
    between them what lies between them. What lies beyond these bounds is counted as left out."""
    stretch: list[Sequence[str]] = []
    first = 0
    for number, row in enumerate(rows):
        builder.cells += max(1, len(row))
        builder.cell_characters += sum(map(len, row))
        if builder.cells > MAX_CELLS or number >= MAX_ROWS or builder.cell_characters > MAX_CHARACTERS:
            limits = f"{MAX_CELLS} cells in a file, {MAX_ROWS} rows in a sheet or {MAX_CHARACTERS} characters"
            builder.omit(f"rows from {number + 1} of {where}", f"more than {limits}")
            break
        if any(row):
            if not stretch:
                first = number
            stretch.append(row)
        elif stretch:
            yield first, _adder(stretch, builder)
            stretch = []
    if stretch:
        yield first, _adder(stretch, builder)


def _adder(stretch: list[Sequence[str]], builder: Builder) -> Callable[[], None]:
    def add() -> None:
        for table in _side_by_side(stretch):
            _add(table, builder)

    return add


def _side_by_side(rows: list[Sequence[str]]) -> list[list[list[str]]]:
    """The tables of a stretch: its columns are divided at blank ones if each part then is a table, with a header for
    each of at least two columns; a form, whose labels stand far from its values, stays whole."""
    used = sorted({column for row in rows for column, text in enumerate(row) if text})
    runs = [[column for _, column in run] for _, run in groupby(enumerate(used), key=lambda pair: pair[1] - pair[0])]
    parts = [_cut(rows, run) for run in runs]
    if len(parts) > 1 and all(len(part[0]) > 1 and all(part[0]) and len(part) > 1 for part in parts):
        return [[row for row in part if any(row)] for part in parts]
    return [_cut(rows, used)]


def _cut(rows: list[Sequence[str]], columns: list[int]) -> list[list[str]]:
    return [[row[column] if column < len(row) else "" for column in columns] for row in rows]


def _add(table: list[list[str]], builder: Builder) -> None:
    """A table, with the title that stands over it in a cell of its own; a lone cell is a paragraph."""
    title = ""
    if len(table[0]) > 1 and sum(map(bool, table[0])) == 1 and len(table) > 2:
        label = next(filter(None, table[0]))
        if table[0][0] == label and len(label) <= _LABEL:
            title, table = label, table[1:]
    if len(table) == 1 and sum(map(bool, table[0])) == 1:
        builder.text(next(filter(None, table[0])))
        return
    add_table(builder, table, title)
