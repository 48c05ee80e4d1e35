"""The elements of OpenDocument (ISO/IEC 26300): words of paragraphs, rows and cells of tables, frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ingestion.document import one_line
from ingestion.readers._builder import Builder, whole
from ingestion.readers._links import address_suffix
from ingestion.readers._sheet import MAX_ROWS
from ingestion.readers._tables import MAX_SPREAD

_NS: Final = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
OFFICE, TEXT, TABLE, DRAW, STYLE, META, PRESENTATION, MANIFEST = (
    _NS % name for name in ("office", "text", "table", "drawing", "style", "meta", "presentation", "manifest")
)
SVG: Final = _NS % "svg-compatible"
DC: Final = "{http://purl.org/dc/elements/1.1/}"
XLINK: Final = "{http://www.w3.org/1999/xlink}"
MATH: Final = "{http://www.w3.org/1998/Math/MathML}"
SKIPPED: Final = frozenset(
    {f"{TEXT}tracked-changes", f"{TEXT}note", f"{OFFICE}annotation", f"{OFFICE}annotation-end", f"{TEXT}ruby-text"}
)
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_MAX_COLUMNS: Final = 16_384
MAX_COPIES: Final = 1000
"""How often a row, or a cell in its row, is repeated: nothing is found by more, and a few bytes ask for a million."""


def frames_of(element: Any) -> Iterator[Any]:
    """The outermost frames and shapes below `element`."""
    for child in element:
        if child.tag == f"{DRAW}frame" or child.tag in (f"{DRAW}custom-shape", f"{DRAW}g", f"{DRAW}rect"):
            yield child
        elif child.tag not in SKIPPED:
            yield from frames_of(child)


def text_of(element: Any, told: set[str] | None = None) -> str:
    """The words of a paragraph; frames, notes and remarks are not among them."""
    # White space of the file is one space however much there is (ODF 1.2, 6.1.2), also around what was taken out.
    return re.sub(" {2,}", " ", _words_of(element, told))


def _words_of(element: Any, told: set[str] | None) -> str:
    parts = [_SPACE.sub(" ", element.text or "")]
    for child in element:
        tag = child.tag
        if tag == f"{TEXT}s":
            parts.append(" " * min(whole(child.get(f"{TEXT}c", ""), 1), 1000))
        elif tag == f"{TEXT}tab":
            parts.append("\t")
        elif tag == f"{TEXT}line-break":
            parts.append("\n")
        elif isinstance(tag, str) and tag not in SKIPPED and not tag.startswith((DRAW, PRESENTATION)):
            words = _words_of(child, told)
            if tag == f"{TEXT}a" and told is not None:
                words += address_suffix(words, child.get(f"{XLINK}href", ""), told)
            parts.append(words)
        parts.append(_SPACE.sub(" ", child.tail or ""))
    return "".join(parts)


def rows_of(table: Any) -> Iterator[tuple[int, Iterator[Any]]]:
    """(times repeated, cells) of the rows, also those that a header or a group wraps."""
    for child in table:
        if child.tag == f"{TABLE}table-row":
            yield (
                count_of(child, "number-rows-repeated", MAX_ROWS),
                (cell for cell in child if isinstance(cell.tag, str)),
            )
        elif child.tag in (f"{TABLE}{name}" for name in ("table-header-rows", "table-rows", "table-row-group")):
            yield from rows_of(child)


def sheet_rows_of(sheet: Any, told: set[str], builder: Builder) -> Iterator[list[str]]:
    """The rows of a sheet, each as often as the sheet repeats it, up to MAX_COPIES, as are cells within a row; how
    many copies were left out is told at the end."""
    rows_left = cells_left = 0
    for times, cells in rows_of(sheet):
        row: list[str] = []
        kept = min(times, MAX_COPIES)
        for cell in cells:
            text = cell_of(cell, told)
            # A cell without words is repeated to the edge of the sheet.
            reach = min(count_of(cell, "number-columns-repeated", _MAX_COLUMNS), _MAX_COLUMNS - len(row))
            copies = min(reach, MAX_COPIES)
            row += [text] * copies + [""] * (reach - copies)
            cells_left += (reach - copies) * kept if text else 0
        while row and not row[-1]:
            row.pop()
        rows_left += times - kept if row else 0
        for _ in range(kept if row else min(kept, 1)):
            yield row
    for what, left in (("rows", rows_left), ("cells", cells_left)):
        if left:
            name = sheet.get(f"{TABLE}name", "")
            builder.omit(f"{left} {what} of sheet {name}", f"copies of the one before, beyond {MAX_COPIES}")


def count_of(element: Any, name: str, most: int) -> int:
    return min(whole(element.get(f"{TABLE}{name}", ""), 1), most)


def span_of(cell: Any, name: str) -> int:
    return count_of(cell, f"number-{name}-spanned", MAX_SPREAD)


def cell_of(cell: Any, told: set[str] | None = None) -> str:
    """The words of a cell, those of a table within it among them; notes and remarks are not."""
    return one_line(" ".join(text_of(p, told) for p in _paragraphs(cell)))


def _paragraphs(element: Any) -> Iterator[Any]:
    for child in element:
        if child.tag in (f"{TEXT}p", f"{TEXT}h"):
            yield child
        if child.tag not in SKIPPED:
            yield from _paragraphs(child)


def comment_of(annotation: Any) -> str:
    """What a comment says, with who said it and, on a cell of a sheet, what the cell says."""
    cell = annotation.getparent()
    about = f" on “{cell_of(cell)}”" if cell is not None and cell.tag == f"{TABLE}table-cell" and cell_of(cell) else ""
    author = one_line(annotation.findtext(f"{DC}creator") or "")
    words = "\n".join(filter(None, (one_line(text_of(p)) for p in annotation.iter(f"{TEXT}p"))))
    return f"Comment{author and f' by {author}'}{about}: {words}" if words else ""


def margins_of(styles: Any | None) -> Iterator[Any]:
    """The headers and footers of the page styles, those of first and left pages too."""
    names = (f"{STYLE}{kind}{which}" for kind in ("header", "footer") for which in ("", "-left", "-first"))
    yield from styles.iter(*names) if styles is not None else ()


def masters_of(styles: Any | None) -> dict[str, Any]:
    """The master pages by name."""
    found = styles.iter(f"{STYLE}master-page") if styles is not None else ()
    return {master.get(f"{STYLE}name", ""): master for master in found}
