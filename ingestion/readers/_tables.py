"""Tables as text that reads well: a line for each row, and in long tables the header again for each group of rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ingestion.document import one_line
from ingestion.readers._builder import Builder

GROUP: Final = 480
"""Characters of one group of rows with its header: below the 200 tokens of a passage, also where cells are numbers."""
MAX_HEADER: Final = 240
"""Characters. A longer first row is not repeated: it would fill the passages."""
MAX_SPREAD: Final = 1000
"""Rows or columns that one cell may span, as in browsers."""
MAX_CHARACTERS: Final = 20_000_000
"""Of a table, what merged cells repeat among them: a cell of a page's text may claim to cover a million others."""
_MAX_WIDTH: Final = 1024
"""Columns beyond which no cell spans any more."""


@dataclass(frozen=True)
class Cell:
    """A cell and how far it reaches."""

    text: str
    columns: int = 1
    rows: int = 1


def add_table(builder: Builder, rows: Iterable[Sequence[str]], caption: str = "") -> None:
    """Add a table. Rows without words are left out; the first row is the header, which opens every group of rows, so
    that a passage from the middle of the table says what its columns mean."""
    lines, size = [], 0
    for number, row in enumerate(rows, 1):
        size += sum(map(len, row))
        if size > MAX_CHARACTERS:
            builder.omit(f"rows from {number} of a table", f"more than {MAX_CHARACTERS} characters")
            break
        if (line := " | ".join(map(one_line, row)).rstrip(" |")).strip(" |"):
            lines.append(line)
    caption = one_line(caption)
    if not lines:
        builder.text(caption, "caption")
        return
    header = lines[0] if len(lines[0]) <= MAX_HEADER else ""
    group = [caption, lines[0]] if caption else [lines[0]]
    for line in lines[1:]:
        if len(group) > 1 + bool(caption) and sum(map(len, group)) + len(line) > GROUP:
            builder.text("\n".join(group), "table")
            group = [header] if header else []
        group.append(line)
    builder.text("\n".join(group), "table")


def spread(rows: Iterable[Sequence[Cell]]) -> list[list[str]]:
    """The grid of a table with merged cells: what a cell says stands in every row and column it covers, so that each
    row is whole. A cell as wide as its row says it once."""
    grid: list[list[str]] = []
    open_cells: dict[int, tuple[str, int]] = {}
    for cells in rows:
        row: list[str] = []
        waiting = deque(cells)
        last = max(open_cells, default=-1)
        while waiting or len(row) <= last:
            text, left = open_cells.pop(len(row), ("", 0))
            if left:
                row.append(text)
                if left > 1:
                    open_cells[len(row) - 1] = (text, left - 1)
                continue
            if not waiting:
                row.append("")
                continue
            cell = waiting.popleft()
            once = len(row) >= _MAX_WIDTH or (not row and not waiting and not open_cells)
            for _ in range(1 if once else max(1, min(cell.columns, MAX_SPREAD))):
                row.append(cell.text)
                if cell.rows > 1 and len(row) <= _MAX_WIDTH:
                    open_cells[len(row) - 1] = (cell.text, min(cell.rows, MAX_SPREAD) - 1)
        grid.append(row)
    return grid
